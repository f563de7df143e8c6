// Starts the tasks of steps on a node of the job other than its first, for a jrun there.
#pragma once

#include <string>

namespace jarvis::client {

// Waits on this node daemon's socket to be called, for as long as the job lives; a child of this process serves each step.
int run_agent(const std::string& socket, const std::string& job);

} // namespace jarvis::client
