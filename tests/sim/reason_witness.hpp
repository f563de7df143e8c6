// Holds what waiting jobs are told against what is so: by the state alone, not by the code that finds the reasons.
#pragma once

#include "cluster/reasons.hpp"
#include "cluster/state.hpp"

namespace jarvis::sim {

// Of a controller that has nothing to do any more: no command waits, and no pass is under way. Throws Broken when a pending job is told
// something that does not hold.
void check_reasons(const cluster::State& state, const cluster::AdviceBoard& board);

} // namespace jarvis::sim
