// What is checked of a request before it becomes a job. Pure functions of settings and state, used before the command
// is made (to complete it), by decide (whose answer counts) and for --test-only.
#pragma once

#include "base/result.hpp"
#include "cluster/node_choice.hpp"
#include "cluster/state.hpp"

namespace jarvis::cluster {

// Fills in the defaults: partition, time limit, output file. Fails for an unknown partition, naming the nearest.
Result<JobRequest> prepare_request(const Settings& settings, JobRequest request);

// Whether this request may become a job: limits of the partition, and some node of it that can ever hold it.
Result<void> check_request(const State& state, const JobRequest& request);

} // namespace jarvis::cluster
