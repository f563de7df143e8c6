// The job that a jrun outside one makes: its script is jrun, with what was typed.
#pragma once

#include "client.pb.h"
#include "client/command_line.hpp"
#include "client/step_meeting.hpp"
#include "client/submit_options.hpp"

namespace jarvis::client {

Result<wire::Submit> make_step_submit(const Program& program, const CommandLine& line, SubmitOptions options, const CallerPlace& caller);

} // namespace jarvis::client
