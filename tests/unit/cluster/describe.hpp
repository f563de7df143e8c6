// Events, effects and answers as one line of text each, so that a test reads as what happened.
#pragma once

#include "cluster/outcome.hpp"

#include <string>
#include <vector>

namespace jarvis::cluster::test {

// "started 1.1 on n1 cores 0-1", "ended 1.1 CANCELLED user: cancelled by alice", "lost n1"
std::string describe(const State& state, const Event& event);
// "start 1.1 on n1", "stop 1.1 on n1: cancelled by alice", "ack 1.1 on n1", "welcome n1"
std::string describe(const State& state, const Effect& effect);
// "ok", "job 7", "1 ok; 2 denied: job 2 belongs to bob", "invalid: the time limit must be above 0"
std::string describe(const Result<ReplyBody>& body);

// Joined with "; "; replies are left out (they are the answer to who asked).
std::string describe(const State& state, const std::vector<Event>& events);
std::string describe(const State& state, const std::vector<Effect>& effects);

std::string_view name(Errc code);

} // namespace jarvis::cluster::test
