// Long listings: one thing at a time, a line for each of its properties.
#pragma once

#include "base/time.hpp"
#include "client.pb.h"
#include "client/terminal.hpp"

#include <string>

namespace jarvis::client {

// jq -l
std::string job_listing(const wire::JobDetail& job, WallTime now, const Style& style);

// jnodes -l
std::string node_listing(const wire::NodeView& node, const Style& style);

// jsub --test-only: where the job would run, and what it would have there.
std::string test_text(const wire::SubmitReply& reply);

// "memory is counted, not enforced yet (track: freeze,kill)", "... (none)", or "enforced: cpuset,memory,... (full)".
std::string confinement_text(const wire::JobNode& node);

} // namespace jarvis::client
