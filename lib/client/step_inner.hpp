// jrun inside a job that a jrun outside has made for it: how it finds that one.
#pragma once

#include "base/fd.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/step_meeting.hpp"

#include <string>

namespace jarvis::client {

// On one machine it gets the caller's descriptors. Else it waits at the node daemon (`socket`) to be called, and goes on as a child
// process with pipes for standard descriptors, while this process passes on what comes and goes, and ends with the child's exit code.
// On the descriptor a byte is a signal for the tasks, and its end the end of the caller.
Result<Fd> meet_caller(const CallerPlace& place, const std::string& socket, JobId job);

} // namespace jarvis::client
