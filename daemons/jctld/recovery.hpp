// The state that the storage holds: the newest snapshot, and the journal after it.
#pragma once

#include "cluster/events.hpp"
#include "cluster/state.hpp"
#include "ended_jobs.hpp"
#include "store.hpp"

#include <functional>
#include <optional>

namespace jarvis::jctld {

struct Recovered {
    cluster::State state;
    SequenceNumber snapshot; // 0: none
    std::uint64_t groups = 0; // after it, and events in them
    std::uint64_t events = 0;
};

// Called after each replayed group, with what it ended (without briefs of nodes) and the state that it led to.
using AfterGroup = std::function<void(const cluster::State&, EndedJobs ended)>;

// From the newest snapshot on that can be read. `history`: the last group whose ends the accounting history has; then it
// is the newest that is not behind it, so that `after_group` sees every end that the history lacks, as long as the
// journal still reaches back so far.
Result<Recovered> recover_state(Store& store, std::optional<SequenceNumber> history = {}, const AfterGroup& after_group = {});

// Reads the groups from that number on and hands each, checked against the state, to `take`, which applies it.
Result<std::uint64_t> replay(Store& store, SequenceNumber from, const cluster::State& state,
                             const std::function<void(cluster::EventGroup)>& take);

} // namespace jarvis::jctld
