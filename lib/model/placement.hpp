// What was decided: the nodes that a job holds, and what it has inside each of them.
#pragma once

#include "base/ids.hpp"
#include "base/memory_size.hpp"
#include "model/core_set.hpp"

#include <cstdint>
#include <vector>

namespace jarvis {

// Memory taken from one NUMA node of a node.
struct NumaShare {
    std::uint32_t numa = 0; // index into Topology::numa_nodes
    MemorySize memory;
    friend bool operator==(const NumaShare&, const NumaShare&) = default;
};

struct NodePlacement {
    NodeId node;
    CoreSet cores;
    std::vector<NumaShare> memory; // ascending by numa
    std::uint32_t tasks = 0;       // of the job, on this node; 0 in records of a time when a job had one node
    std::vector<std::uint32_t> devices{}; // indexes into Topology::devices, ascending
    MemorySize total_memory() const
    {
        MemorySize sum;
        for (const auto& share : memory)
            sum += share.memory;
        return sum;
    }
    friend bool operator==(const NodePlacement&, const NodePlacement&) = default;
};

struct Placement {
    std::vector<NodePlacement> nodes; // the script runs on the first
    friend bool operator==(const Placement&, const Placement&) = default;
};

} // namespace jarvis
