// jadmin events: the feed of events, what was and what comes.
#pragma once

#include "client/command_line.hpp"

namespace jarvis {

// The options that no other action takes.
constexpr std::string_view events_options[] = {"from", "last", "follow"};

int run_events(const client::Program& program, const client::CommandLine& line);

} // namespace jarvis
