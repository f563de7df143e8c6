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
