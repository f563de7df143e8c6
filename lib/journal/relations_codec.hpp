// Arrays, dependencies and retries: their events, and what a snapshot holds of them.
#pragma once

#include "cluster/events.hpp"
#include "journal.pb.h"

namespace jarvis::journal {

TasksSplit to_message(const cluster::TasksSplit& event);
TasksEnded to_message(const cluster::TasksEnded& event);
DependencyResolved to_message(const cluster::DependencyResolved& event);
TasksReleased to_message(const cluster::TasksReleased& event);
JobRequeued to_message(const cluster::JobRequeued& event);

Result<cluster::Event> decode(const TasksSplit& message);
Result<cluster::Event> decode(const TasksEnded& message);
Result<cluster::Event> decode(const DependencyResolved& message);
Result<cluster::Event> decode(const TasksReleased& message);
Result<cluster::Event> decode(const JobRequeued& message);

// Whether they may be applied; see check_event().
Result<void> check(const cluster::State& state, const cluster::TasksSplit& event);
Result<void> check(const cluster::State& state, const cluster::TasksEnded& event);
Result<void> check(const cluster::State& state, const cluster::DependencyResolved& event);
Result<void> check(const cluster::State& state, const cluster::TasksReleased& event);

Ended to_message(const cluster::Ended& ended);
Result<cluster::Ended> from_message(const Ended& record);
void fill(ArrayRecord& record, const cluster::ArrayProgress& progress);
void fill(Waits& record, const cluster::Waits& waits);
Result<cluster::ArrayProgress> read_array(const ArrayRecord& record, const JobRequest& request);
Result<cluster::Waits> read_waits(const Waits& record, const JobRequest& request);

} // namespace jarvis::journal
