// Whether a request fits into a node, and which cores, memory and devices it gets there.
#pragma once

#include "base/ids.hpp"
#include "base/memory_size.hpp"
#include "model/job_request.hpp"
#include "model/placement.hpp"
#include "model/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace jarvis::sched {

// What of a node nobody holds: cores by logical index, memory per NUMA node and devices (same indices as the topology's).
struct FreeResources {
    CoreSet cores;
    std::vector<MemorySize> memory;
    std::vector<std::uint32_t> devices; // ascending

    MemorySize total_memory() const
    {
        MemorySize sum;
        for (auto size : memory)
            sum += size;
        return sum;
    }
    friend bool operator==(const FreeResources&, const FreeResources&) = default;
};

// All of a node.
FreeResources everything(const Topology& topology);
void take(FreeResources& free, const NodePlacement& placement);
void give_back(FreeResources& free, const NodePlacement& placement, const Topology& topology);

// What a request comes to on one particular node: exclusive means all of it, and a request without memory gets
// its cores' equal share of the node's memory unless the partition states a default.
struct Demand {
    std::uint32_t cores = 0;
    MemorySize memory;
    std::uint32_t tasks = 0;         // 0: each core is a task
    std::uint32_t cpus_per_task = 1;
    bool exclusive = false;          // all of a node that nobody uses
    Wishes wishes{};
};
Demand demand_on(const ResourceRequest& request, const Topology& topology, std::optional<MemorySize> default_per_cpu);

// Where the demand lies best on what is free, as topology_placement.hpp says. Empty when it cannot be there now.
std::optional<NodePlacement> place(NodeId node, const Demand& demand, const Topology& topology, const FreeResources& free);

} // namespace jarvis::sched
