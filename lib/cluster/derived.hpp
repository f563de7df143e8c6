// The derived part of the state, kept by apply() event by event and rebuilt by rebuild_derived(): who waits in which queue, what
// is free on which node. For apply*.cpp alone.
#pragma once

#include "cluster/state.hpp"

#include <cassert>

namespace jarvis::cluster {

// A changed copy takes the job's place, so that whoever else holds the old one keeps a consistent job.
template <class Change>
JobPtr replace(State& state, JobId id, Change change)
{
    auto found = state.jobs.find(id);
    assert(found != state.jobs.end());
    auto copy = std::make_shared<Job>(*found->second);
    change(*copy);
    found->second = std::move(copy);
    return found->second;
}

// Into and out of the queues and time indexes that the job, as it is now, belongs in.
void enter_queues(State& state, const Job& job);
void leave_queues(State& state, const Job& job);
void rebuild_queues(State& state);
sched::JobQueue* queue_of(State& state, const Job& job);

// Arrays (derived_relations.cpp). After any change of an array or its tasks: whether its key stands in the queue.
void update_array_queue(State& state, JobId array);
void task_enters(State& state, const Job& task);
void task_leaves(State& state, const Job& task);
// `tasks` of what waits may have been let go by the other arrays.
void release_tasks(ArrayProgress& progress, const Job& array, const IndexSet& tasks);
void rebuild_arrays(State& state); // all but what rebuild_queues() makes
// Counts of an array's tasks: a job of its own came, changed or is forgotten.
void count_task(State& state, const Job& task, int by);

// Who waits for whom: all that a job still waits for.
void enter_dependents(State& state, const Job& job);
void leave_dependents(State& state, const Job& job);
void leave_dependent(State& state, const Job& job, std::uint32_t dependency);
// Jobs and arrays that have not ended, by owner and name.
void enter_names(State& state, const Job& job);
void leave_names(State& state, const Job& job);
void rebuild_names(State& state);

// Takes what a job that runs holds from its nodes, and gives it back.
void occupy(State& state, const Job& job);
void vacate(State& state, const Job& job);
void recount_node(State& state, Node& node);

// Partitions and nodes as the settings have them.
void index_partitions(State& state);

// Into and out of the index of silent nodes, as the node is now.
void enter_silent(State& state, const Node& node);
void leave_silent(State& state, const Node& node);

} // namespace jarvis::cluster
