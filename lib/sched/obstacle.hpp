// What keeps a demand off a node: which part of it, or which of its wishes.
#pragma once

#include "sched/fit.hpp"

namespace jarvis::sched {

enum class Obstacle : std::uint8_t {
    none,         // it could be placed
    cores,        // there are too few
    memory,
    devices,
    whole_node,   // it asks for all of it, and somebody is there
    near_devices, // cores near all of its devices
    local_memory, // memory as it is bound: next to its cores, or in equal parts
    numa_nodes,   // cores from exactly so many
    whole_tasks,  // each inside one NUMA node
    task_limits,  // tasks on a package, NUMA node or L3 cache
    alone,        // packages, NUMA nodes or L3 caches that nobody else uses
    together,     // each of its wishes would do, all of them do not
};

Obstacle obstacle_to(const Demand& demand, const Topology& topology, const FreeResources& free);

// After "it asks for" or "needs": what that obstacle is about, "16G of memory next to its cores".
std::string wanted_text(Obstacle obstacle, const Demand& demand, const Topology& topology, const FreeResources& free);
// What there is of it on such a node: "has 1", "has none".
std::string offered_text(Obstacle obstacle, const Demand& demand, const Topology& topology, const FreeResources& free);

// Which part of a demand is more than the node has at all: "8 cores, but n1 has 4"; empty when it could fit.
std::string never_fits(const Demand& demand, const Topology& topology, const std::string& node_name);

} // namespace jarvis::sched
