// How a job wants to lie on the cores, memory and devices of its nodes, beyond how many of them it wants.
#pragma once

#include "base/interned.hpp"
#include "base/memory_size.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace jarvis {

// --place: the presets. Stored by number, as all of these.
enum class PlacePattern : std::uint8_t {
    close = 0,  // as few packages and NUMA nodes as possible, near each other
    spread = 1, // evenly over all NUMA nodes: the most bandwidth and cache
    numa = 2,   // each task whole inside one NUMA node
};

// --mem-bind: which NUMA nodes the memory comes from.
enum class MemoryBinding : std::uint8_t {
    prefer = 0,     // those of the job's cores first, then the nearest ones
    local = 1,      // those of the job's cores alone: it waits until that holds
    interleave = 2, // evenly from all NUMA nodes of the job's cores
    none = 3,       // any of the node's
};

// --exclusive=LEVEL: what is shared with no other job. (The whole node is ResourceRequest::exclusive.)
enum class AloneOn : std::uint8_t { core = 0, l3 = 1, numa = 2, package = 3 };

// --distribution: how tasks follow each other over what there is.
enum class Distribution : std::uint8_t { block = 0, cyclic = 1, plane = 2 };

// --gres=NAME[:TYPE]:COUNT, on each node.
struct DeviceRequest {
    std::string resource;
    std::string type; // empty: any
    std::uint32_t count = 0;
    friend bool operator==(const DeviceRequest&, const DeviceRequest&) = default;
};

// --hugepages=[SIZE:]COUNT, on each node: no more than so many pages of that size.
struct HugePages {
    MemorySize size; // one of those that some kernel has (model/huge_pages.hpp)
    std::uint32_t count = 0;
    friend bool operator==(const HugePages&, const HugePages&) = default;
};

struct PlacementWishes {
    PlacePattern place = PlacePattern::close;
    MemoryBinding memory = MemoryBinding::prefer;
    AloneOn alone_on = AloneOn::core;
    std::uint32_t numa_nodes = 0;        // --numa=N: from exactly so many NUMA nodes of each node; 0: as it comes
    std::uint32_t tasks_per_package = 0; // at most; 0: no limit, here and below
    std::uint32_t tasks_per_numa = 0;
    std::uint32_t tasks_per_l3 = 0;
    std::uint32_t threads_per_core = 0;  // hardware threads that tasks use of each core; 0: all
    Distribution over_nodes = Distribution::block;
    Distribution inside = Distribution::block; // over the NUMA nodes of a node
    std::uint32_t plane = 0;             // tasks in a plane
    std::vector<DeviceRequest> devices;  // ascending by name and type
    bool near_devices = false;           // --gres-flags=enforce-binding: the cores are near all of them
    std::vector<HugePages> huge_pages{}; // ascending by size
    bool isolated = false;               // --cpu-isolation: the kernel's scheduler moves nothing to or from its cores
    friend bool operator==(const PlacementWishes&, const PlacementWishes&) = default;
};

struct HashWishes {
    std::uint64_t operator()(const PlacementWishes& wishes) const noexcept
    {
        auto hash = static_cast<std::uint64_t>(wishes.place) | static_cast<std::uint64_t>(wishes.memory) << 8 |
                    static_cast<std::uint64_t>(wishes.alone_on) << 16 | std::uint64_t{wishes.numa_nodes} << 24;
        hash ^= std::uint64_t{wishes.tasks_per_numa} << 32 ^ std::uint64_t{wishes.threads_per_core} << 48;
        for (const auto& device : wishes.devices)
            hash = keyed_hash(device.resource, hash ^ device.count);
        for (const auto& pages : wishes.huge_pages)
            hash = keyed_hash({}, hash ^ static_cast<std::uint64_t>(pages.size.bytes) ^ pages.count);
        return keyed_hash({}, hash);
    }
};

// Most jobs have none.
using Wishes = Interned<PlacementWishes, HashWishes>;

} // namespace jarvis
