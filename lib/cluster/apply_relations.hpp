// The events of arrays, dependencies and retries, and what other events mean for them. For apply.cpp alone.
#pragma once

#include "cluster/events.hpp"

namespace jarvis::cluster {

void apply_event(State& state, const TasksSplit& event, Instant at);
void apply_event(State& state, const TasksEnded& event, Instant at);
void apply_event(State& state, const DependencyResolved& event, Instant at);
void apply_event(State& state, const TasksReleased& event, Instant at);
void apply_event(State& state, const RetryDue& event, Instant at);

// A new job begins to wait for what it depends on; a new array's tasks all wait.
void begin_relations(State& state, Job& job);
// A task of an array ended, or one that had ended is pending again.
void note_task_end(State& state, const Job& task);
void note_task_revived(State& state, const Job& task);

} // namespace jarvis::cluster
