// Placement inside a node: which cores, which NUMA nodes' memory and which devices a demand gets.
//
// Best is: fewest packages, then fewest NUMA nodes (those that give cores or memory), then the smallest distance between them, then near the
// devices that are asked for, then the tightest hole (fewest cores, then least memory free in the NUMA nodes that it touches, so that
// big holes stay whole), then the lowest indexes. Cores are always whole, whatever --threads-per-core says of their use.
#pragma once

#include "sched/fit.hpp"

namespace jarvis::sched {

// The same as place(), for a demand whose cores and memory are free somewhere on the node, and that does not ask for all of it.
std::optional<NodePlacement> place_by_topology(NodeId node, const Demand& demand, const Topology& topology, const FreeResources& free);

// Of an empty node that the demand asks for as a whole: what its wishes need is there.
bool whole_node_does(const Demand& demand, const Topology& topology, const FreeResources& free);

} // namespace jarvis::sched
