// Whether a request fits into a node, and which cores and memory it gets there.
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

// What of a node nobody holds: cores by logical index, memory per NUMA node (same indices as the topology's).
struct FreeResources {
    CoreSet cores;
    std::vector<MemorySize> memory;

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
};
Demand demand_on(const ResourceRequest& request, const Topology& topology, std::optional<MemorySize> default_per_cpu);

// Lowest cores first; memory from the NUMA nodes of those cores first, then from the others, lowest first.
// Empty when the free resources do not suffice.
std::optional<NodePlacement> place(NodeId node, const Demand& demand, bool exclusive, const Topology& topology,
                                   const FreeResources& free);

// Which part of a demand is more than the node has at all: "8 cores, but n1 has 4"; empty when it could fit.
std::string never_fits(const Demand& demand, const Topology& topology, const std::string& node_name);

} // namespace jarvis::sched
