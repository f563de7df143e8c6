// Jobs and nodes as messages for clients, and as records of the accounting history. Pure.
#pragma once

#include "client.pb.h"
#include "cluster/commands.hpp"
#include "cluster/reasons.hpp"
#include "cluster/state.hpp"
#include "ended_jobs.hpp"

namespace jarvis::jctld {

// Into an empty message, which may keep the room of an earlier one.
void put_summary(const ShownJob& shown, const std::vector<NodeBrief>& nodes, wire::JobSummary& summary);
wire::JobDetail job_detail(const ShownJob& shown, const std::vector<NodeBrief>& nodes);

// Takes away what only the owner and operators may see.
void strip_contents(wire::JobDetail& detail);
// The same for a summary: why a script failed may name paths of its owner.
void strip_contents(wire::JobSummary& summary);

// What a job has, or would have, of a node.
wire::JobNode job_node(const NodePlacement& part, const NodeBrief& brief);

wire::NodeView node_view(const cluster::State& state, const cluster::Node& node);
// Who holds what of the node: jobs and their users, which every user may see.
void put_holdings(const cluster::State& state, const cluster::Node& node, wire::NodeView& view);

} // namespace jarvis::jctld
