// jrun outside a job: a job is made whose script is jrun, and that one gets the standard descriptors of the one that was typed
// (step_meeting.hpp); on another machine what comes and goes on these is passed on by the node daemons (step_far.hpp).
#pragma once

#include "client/command_line.hpp"
#include "client/step_options.hpp"

namespace jarvis::client {

int run_outside(const Program& program, const CommandLine& line, const StepOptions& options);

} // namespace jarvis::client
