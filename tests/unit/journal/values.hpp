// Events and states with every field set, for what must come back as it was.
#pragma once

#include "cluster/events.hpp"
#include "cluster/state.hpp"

#include <string>
#include <vector>

namespace jarvis::journal::test {

using namespace std::chrono_literals;

JobRequest full_request();
JobRequest plain_request();
cluster::Settings full_settings();
cluster::Registration full_registration();
Placement placement_on(std::uint32_t node);

struct NamedEvent {
    std::string name;
    cluster::Event event;
};
// A part of the history, and the golden file with its groups. What was released stays as it is; new kinds of events come
// in parts of their own, behind it.
struct HistoryPart {
    std::string file;
    std::vector<NamedEvent> events;
};
std::vector<HistoryPart> history_parts();
// All of it: every kind of event is there, each with every field set, and each fits the state before it. In the end there
// are jobs and nodes in every condition.
std::vector<NamedEvent> history();

// Goes on from there with arrays, dependencies and retries.
std::vector<NamedEvent> relations();

// One group for each event, a second apart.
std::vector<cluster::EventGroup> groups_of(const std::vector<NamedEvent>& events);

// What the history leads to, or its first part.
cluster::State full_state();
cluster::State state_of_0_1();

// "0a1b"
std::string hex(std::string_view bytes);

} // namespace jarvis::journal::test
