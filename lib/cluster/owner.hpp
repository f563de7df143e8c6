// The owner of the state: takes commands in batches, decides and applies them in memory, and runs the scheduling pass in
// counted slices between them. What it returns is to be journaled; until then nothing of it may leave the process.
#pragma once

#include "cluster/decide.hpp"

#include <set>
#include <span>

namespace jarvis::cluster {

struct Batch {
    EventGroup group; // without events: nothing to journal, but still in its place in the order
    std::vector<Effect> effects;
    std::vector<PartitionAdvice> advice;
};

class Owner {
    State state_;
    std::set<std::uint32_t> to_examine_; // partitions in which something may be able to start
    std::set<JobId> to_settle_;          // jobs whose start or end may mean something for others

public:
    // How much of a pass one batch does. Counted, so that a pass ends alike on any machine.
    struct Slice {
        std::size_t starts = 128;
        std::size_t settles = 64;
    };

    explicit Owner(State state);

    const State& state() const { return state_; }

    // One batch: the commands in their order, then a slice of the pass unless nothing may start (the storage keeps its
    // last space for ends of running jobs). `now` never goes backwards.
    Batch run(std::span<const Command> commands, Instant now, bool may_start = true) { return run(commands, now, may_start, Slice()); }
    Batch run(std::span<const Command> commands, Instant now, bool may_start, Slice slice);

    // True while the pass has more to do: call run() again, with or without commands.
    bool unfinished() const { return !to_examine_.empty() || !to_settle_.empty(); }

private:
    std::size_t take(const Command& command, Instant now, Batch& batch); // how many events came of it
    void note(const Event& event);
    void note_start(JobId id);
    void note_end(JobId id);
    void settle_all();
    void examine_node(NodeId node);
    void examine_all();
};

} // namespace jarvis::cluster
