// What is checked of a request before it becomes a job. Pure functions of settings and state, used before the command
// is made (to complete it), by decide (whose answer counts) and for --test-only.
#pragma once

#include "base/result.hpp"
#include "cluster/state.hpp"

namespace jarvis::cluster {

// Fills in the defaults: partition, time limit, output file. Fails for an unknown partition, naming the nearest.
Result<JobRequest> prepare_request(const Settings& settings, JobRequest request);

// Whether this request may become a job: limits of the partition, and some node of it that can ever hold it.
Result<void> check_request(const State& state, const JobRequest& request);

// Why no node of the partition can ever run the request, however long it waits: the part that is too much, and what the
// largest node has. Empty when one can, or when a node of unknown size (it never registered) might.
std::string never_runs(const State& state, const PartitionSettings& partition, const JobRequest& request);

// What one node of a partition would have to give.
sched::Demand demand_on(const PartitionSettings& partition, const JobRequest& request, const Topology& topology);

// Whether a node may be used by a partition at all, apart from what is free on it.
bool usable(const PartitionSettings& partition, const Node& node);

// Where the request would start now; empty when it has to wait. Nodes in the partition's order.
std::optional<NodePlacement> find_place(const State& state, const PartitionSettings& partition, const JobRequest& request);

} // namespace jarvis::cluster
