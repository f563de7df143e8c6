// Nodes that are taken to be gone. For decide*.cpp alone.
#pragma once

#include "cluster/run_ends.hpp"

#include <string>

namespace jarvis::cluster {

// The node is down, and its jobs' parts there are lost for this cause.
void down_node(const State& state, const Node& node, Down down, const std::string& cause, bool may_requeue, RunEnds& ends, Outcome& outcome);

} // namespace jarvis::cluster
