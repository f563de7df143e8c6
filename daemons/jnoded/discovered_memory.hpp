// NUMA nodes as hwloc found them: their memory, its kind, and how far they are from each other.
#pragma once

#include "hwloc_topology.hpp"
#include "model/topology.hpp"

#include <vector>

namespace jarvis::noded {

// In logical order. A node whose cores all have a nearer one (memory that hangs on the whole machine) has no cores of its own.
std::vector<NumaNode> read_numa_nodes(hwloc_topology_t topology);
// Row by row in the same order; empty where nobody tells, or not of all.
std::vector<std::uint32_t> read_distances(hwloc_topology_t topology);

} // namespace jarvis::noded
