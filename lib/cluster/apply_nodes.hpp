// What apply() does for the events of nodes, and for those of runs over several nodes. For apply.cpp alone.
#pragma once

#include "cluster/events.hpp"

namespace jarvis::cluster {

void declare_nodes(State& state); // after the settings have changed
void lose_all_nodes(State& state, Instant at);

void apply_event(State& state, Instant at, const NodeRegistered& event);
void apply_event(State& state, Instant at, const NodeLost& event);
void apply_event(State& state, Instant at, const NodeDrained& event);
void apply_event(State& state, Instant at, const NodeResumed& event);
void apply_event(State& state, Instant at, const NodeDowned& event);
void apply_event(State& state, Instant at, const NodeCleared& event);
void apply_event(State& state, Instant at, const NodeViolation& event);
void apply_event(State& state, Instant at, const NodeJoined& event);
void apply_event(State& state, Instant at, const NodePrepared& event);
void apply_event(State& state, Instant at, const RunEnding& event);
void apply_event(State& state, Instant at, const NodeFinished& event);

} // namespace jarvis::cluster
