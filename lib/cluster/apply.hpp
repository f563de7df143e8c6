// The only writer of State: live, on replay, and in every follower that keeps a replica.
#pragma once

#include "cluster/events.hpp"
#include "cluster/state.hpp"

namespace jarvis::cluster {

// `at` is the instant of the group that the event belongs to.
void apply(State& state, const Event& event, Instant at);

// Applies a whole group, whose number must be the next one.
void apply(State& state, const EventGroup& group);

// Rebuilds everything derived (State::index, Node::jobs, free, partitions) from the stored part: for a state that was
// read from a snapshot.
void rebuild_derived(State& state);

} // namespace jarvis::cluster
