// Which command led to an event, in words for the feed of events.
#pragma once

#include "cluster/commands.hpp"
#include "cluster/events.hpp"

namespace jarvis::cluster {

Cause cause_of(const State& state, const Command& command);

} // namespace jarvis::cluster
