// jrun outside a job: a job is made whose script is jrun, and that one gets the standard descriptors of the one that was typed,
// over a UNIX socket of its own. So the tasks write where the caller looks, without anybody between.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "client/command_line.hpp"
#include "client/step_options.hpp"

#include <string>

namespace jarvis::client {

// In the environment of such a job: where its caller listens.
constexpr const char* caller_variable = "JRUN_CALLER";

int run_outside(const Program& program, const CommandLine& line, const StepOptions& options);

// Inside: takes the caller's descriptors in the place of our own. On the connection a byte is a signal for the tasks, and its end
// the end of the caller.
Result<Fd> take_descriptors_of_caller(const std::string& path);

} // namespace jarvis::client
