// What a node has, in hwloc's words, and what it can enforce.
#pragma once

#include "base/memory_size.hpp"
#include "base/result.hpp"
#include "model/core_set.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis {

// Logical indexes, from 0 over the whole machine. Where a machine tells of no dies or caches, all cores of a package have the same.
struct Core {
    std::vector<std::uint32_t> pus; // the kernel's CPU numbers of its hardware threads
    std::uint32_t package = 0;
    std::uint32_t die = 0;
    std::uint32_t l3 = 0;
    std::uint32_t l2 = 0;
    std::uint32_t efficiency = 0;   // hwloc's rank of its kind of core: 0 is the most economical one, higher is faster
    friend bool operator==(const Core&, const Core&) = default;
};

// What a NUMA node's memory is, as far as the machine tells (hwloc's memory attributes). Stored by number.
enum class MemoryKind : std::uint8_t {
    dram = 0,
    hbm = 1,  // more bandwidth than the DRAM of the same cores
    slow = 2, // more latency or less bandwidth than any DRAM: CXL, persistent memory
};
std::string_view name(MemoryKind kind);

struct NumaNode {
    std::uint32_t os_index = 0; // the kernel's number, as in cpuset.mems
    MemorySize memory;
    CoreSet cores;              // the cores it is local to; empty for a memory-only node
    MemoryKind kind = MemoryKind::dram;
    friend bool operator==(const NumaNode&, const NumaNode&) = default;
};

// A GPU, a network card, or what else a site counts.
struct Device {
    std::string resource;           // what requests call it: "gpu"
    std::string type;               // "a100"; empty: unknown
    std::string address;            // where it is: a PCI address or the kernel's name, unique on the node
    std::vector<std::string> paths; // its files in /dev
    CoreSet near;                   // the cores with the shortest way to it (hwloc's cpuset); empty: all alike
    friend bool operator==(const Device&, const Device&) = default;
};

// Cores, NUMA nodes and devices are named by their index in these vectors (hwloc's logical order).
struct Topology {
    std::vector<Core> cores;
    std::vector<NumaNode> numa_nodes;
    std::vector<std::uint32_t> distances; // row by row between NUMA nodes, in the kernel's unit (10: its own); empty: unknown
    std::vector<Device> devices;

    // From NUMA node a to b. Unknown ones are 10 to itself and 20 to others, as the kernel has it without a table.
    std::uint32_t distance(std::size_t a, std::size_t b) const
    {
        if (distances.empty())
            return a == b ? 10 : 20;
        return distances[a * numa_nodes.size() + b];
    }

    MemorySize memory() const
    {
        MemorySize sum;
        for (const auto& numa : numa_nodes)
            sum += numa.memory;
        return sum;
    }
    friend bool operator==(const Topology&, const Topology&) = default;
};

// What a node can enforce. Stored by bit: never renumber.
enum class Capability : std::uint32_t {
    cpuset = 1 << 0,
    memory = 1 << 1,
    pids = 1 << 2,
    io = 1 << 3,
    freeze = 1 << 4,
    kill = 1 << 5,
    devices = 1 << 6,
    hugetlb = 1 << 7,
    isolation = 1 << 8, // cores that the kernel's scheduler leaves alone: cpuset.cpus.partition=isolated
    // Huge pages of one size each; they come with hugetlb.
    pages_64k = 1 << 16,
    pages_1m = 1 << 17,
    pages_2m = 1 << 18,
    pages_16m = 1 << 19,
    pages_32m = 1 << 20,
    pages_512m = 1 << 21,
    pages_1g = 1 << 22,
    pages_16g = 1 << 23,
};

class Capabilities {
    std::uint32_t bits_ = 0;

public:
    constexpr Capabilities() = default;
    constexpr explicit Capabilities(std::uint32_t bits) : bits_(bits) {}
    constexpr std::uint32_t bits() const { return bits_; }
    constexpr void add(Capability c) { bits_ |= static_cast<std::uint32_t>(c); }
    constexpr bool has(Capability c) const { return bits_ & static_cast<std::uint32_t>(c); }
    constexpr bool includes(Capabilities other) const { return (bits_ & other.bits_) == other.bits_; }
    friend constexpr bool operator==(Capabilities, Capabilities) = default;
};

// The named sets: a partition requires one of them of its nodes.
enum class Confinement : std::uint8_t {
    none = 0,  // process groups, subreaper and affinity only
    track = 1, // and follow, freeze and kill by cgroup
    full = 2,  // and cpuset, memory, pids, io, devices
};
Capabilities required_capabilities(Confinement level);
// The highest level whose capabilities are all there.
Confinement confinement_of(Capabilities capabilities);
std::string_view name(Confinement level);
Result<Confinement> parse_confinement(std::string_view text);
// "freeze,kill", or "none".
std::string format_capabilities(Capabilities capabilities);

} // namespace jarvis
