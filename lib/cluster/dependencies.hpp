// Dependencies: what is checked of them at submit, what they come to, and what a start or an end means for those who wait.
#pragma once

#include "base/result.hpp"
#include "cluster/outcome.hpp"

namespace jarvis::cluster {

// Whether everything that a request depends on exists and can be waited for.
Result<void> check_dependencies(const State& state, const JobRequest& request);

// Adds the events for what already holds, or never will, of a job that is submitted now.
void resolve_at_submit(const State& state, JobId id, const JobRequest& request, Instant now, Outcome& outcome);

// "dependency afterok:5 can never hold: job 5 ended as FAILED".
std::string never_text(const State& state, const Dependency& dependency);
// "afterok:5,afterany:6_3": those that are not decided yet; at most so many.
std::string waits_text(const Job& job, std::size_t most);

} // namespace jarvis::cluster
