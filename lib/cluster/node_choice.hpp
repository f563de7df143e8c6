// Which nodes of its partition a request may be on, and which ones it gets.
#pragma once

#include "cluster/state.hpp"
#include "sched/choose_nodes.hpp"

#include <string>
#include <string_view>

namespace jarvis::cluster {

// A request as its partition's nodes look at it: what it says of nodes is looked up once. Refers to its arguments.
class NodeFilter {
    const State& state_;
    const PartitionSettings& partition_;
    const JobRequest& request_;
    Constraint constraint_;
    std::vector<NodeId> required_, excluded_; // ascending
    Capabilities asked_;                      // beyond what the partition requires

public:
    NodeFilter(const State& state, const PartitionSettings& partition, const JobRequest& request);

    const std::vector<NodeId>& members() const; // all nodes of the partition
    const std::vector<NodeId>& required() const { return required_; }
    bool requires_node(NodeId node) const;
    bool excludes(NodeId node) const;
    bool has_features(const Node& node) const { return matches(constraint_, node.features); }
    // By what was asked, whatever its state.
    bool selects(const Node& node) const { return !excludes(node.id) && has_features(node); }
    // Of a node that has registered: what the request asks of it beyond its partition's level.
    bool can_enforce(const Node& node) const { return node.registration->capabilities.includes(asked_); }
    // In words: "limit huge pages of 2M".
    std::string asked_text() const;
    // One node may do.
    bool may_be_one() const;
    // As one node that may do, this one would.
    bool does_as_one(const Node& node) const;
    // Refers to this object.
    sched::NodesWanted wanted() const;
    sched::Candidate candidate(const Node& node, bool empty) const;
};

// Whether a node may be used by a partition at all, apart from what is free on it.
bool usable(const PartitionSettings& partition, const Node& node);

// Why the partition can never run the request, however long it waits: "no node of partition batch can ever run this: it
// asks for 8 cores, but n1 has 4". Empty when it can, or when a node of unknown size (it never registered) might.
std::string never_runs(const State& state, const PartitionSettings& partition, const JobRequest& request, std::string_view this_or_it);

// Where the request would start now; empty when it has to wait. A request that does not ask for several nodes stays on one
// as long as some node that is in use could ever hold it, and is spread only when none can.
std::optional<Placement> find_place(const State& state, const PartitionSettings& partition, const JobRequest& request);

// "4 nodes with gpu&ib", for messages.
std::string nodes_text(const JobRequest& request);

} // namespace jarvis::cluster
