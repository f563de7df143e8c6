// What follows from the state about arrays and dependencies: which task is next, and what became of a job that others wait for.
#pragma once

#include "cluster/state.hpp"

namespace jarvis::cluster {

// Whether dependencies keep a whole job or array from starting. Of an array with aftercorr, some tasks may be let go
// before others: see lets_go().
bool dependencies_block(const State& state, const Job& job);
// Whether dependencies let this task of an array start, as long as they do not block the whole array.
bool lets_go(const Job& array, const ArrayProgress& progress, std::uint32_t task);
// Whether a dependency other than `but` is open, apart from aftercorr: where one of several is enough, it may let all tasks go.
bool other_may_hold(const Job& job, std::optional<std::uint32_t> but);
// The tasks that every aftercorr of an array has given up: the other array's task of the same number did not end well.
IndexSet given_up(const ArrayProgress& progress);
// The task of an array that starts next, if its place in the queue comes up.
std::optional<std::uint32_t> next_task(const Job& array, const ArrayProgress& progress);
// At most so many tasks hold resources at once, and so many do.
bool is_throttled(const Job& array, const ArrayProgress& progress);
// The array's own queue key stands in the queue for as long as this holds.
bool wants_queue(const State& state, const Job& array);

// What others may wait for, of a job, an array or a task.
struct Fate {
    bool known = false;
    bool started = false;
    std::optional<Instant> start; // of one that started, where it is known
    bool over = false;            // it ended, for good as far as anybody knows
    bool well = false;            // and completed
};
Fate fate_of(const State& state, JobId id);

// What an array's own end is, once all of its tasks are over.
JobEnd end_of_array(const Job& array, const ArrayProgress& progress);

// A task that is no job of its own, as one: pending, or as it ended. Nothing if the array has no such task.
JobPtr unsplit_task(const Job& array, const ArrayProgress& progress, std::uint32_t task);

} // namespace jarvis::cluster
