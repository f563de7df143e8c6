// Which nodes a request gets: as few as it takes, within what it asks for.
#pragma once

#include "model/constraint.hpp"
#include "sched/fit.hpp"

#include <span>

namespace jarvis::sched {

// A node that the job may be on as far as its partition, its state and its features go. Candidates stand in the
// partition's order.
struct Candidate {
    NodeId node;
    std::uint32_t position = 0; // in the cluster's order of nodes: --contiguous means neighbours there
    bool required = false;      // --nodelist names it
    const Topology* topology = nullptr;
    const FreeResources* free = nullptr; // null: all of it
    const std::vector<std::string>* features = nullptr;
};

// A request as node choice looks at it.
struct NodesWanted {
    ResourceRequest resources;
    std::uint32_t nodes_min = 1;
    std::uint32_t nodes_max = 0;  // 0: no limit
    std::optional<MemorySize> default_memory_per_cpu;
    const Constraint* constraint = nullptr; // its counts; what must hold for each node was looked at before. Null: none
};

// How many tasks of it fit into the free part of a node; whole nodes only with --exclusive, at most tasks_per_node. With wishes for
// its place inside the node a number is found by trying, and where many fail it may be less than the largest.
std::uint32_t capacity_for_tasks(const NodesWanted& wanted, const Topology& topology, const FreeResources* free);

// What tasks one node gets of a request comes to there.
Demand demand_of_tasks(const NodesWanted& wanted, std::uint32_t tasks, const Topology& topology);

struct Chosen {
    std::size_t candidate = 0; // index
    std::uint32_t tasks = 0;
};

// The nodes in the candidates' order with the tasks of each, filled one after the other with at least one task on each.
// Empty when there is no choice that fits now. The first nodes in the order are taken where they suffice, else those
// with the most room. The cost is that of sorting the candidates.
std::vector<Chosen> choose_nodes(const NodesWanted& wanted, std::span<const Candidate> candidates);

// The same with cores and memory inside each node.
std::optional<Placement> place_on_nodes(const NodesWanted& wanted, std::span<const Candidate> candidates);

} // namespace jarvis::sched
