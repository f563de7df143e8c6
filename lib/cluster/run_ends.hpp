// How incarnations end, on one node or on several. For decide*.cpp alone.
#pragma once

#include "cluster/outcome.hpp"

#include <map>
#include <optional>

namespace jarvis::cluster {

// What follows from an end that a node reported, or that its node's failure is: the job's end; or its way back into the queue,
// because somebody asked for that, because its node failed and its owner wants it, or by its --retry. may_requeue: nothing of
// a job that ends as NODE_FAIL runs any more, or the site takes the risk; else it ends for good.
Event end_of_run(const Job& job, JobEnd end, const Usage& usage, bool may_requeue, Instant now);

// CANCELLED, by its owner, an operator or what its owner asked for.
inline JobEnd cancelled(std::string cause)
{
    return {.state = JobState::cancelled, .end_class = EndClass::user, .exit_code = {}, .signal = 0, .cause = std::move(cause)};
}

std::optional<std::size_t> member_of(const Run& run, NodeId node);

// The script may start: every other node is prepared (or there is none).
bool script_may_run(const Run& run);

// What several nodes used: times add up, the peak is that of the node that used most. The time that passed is the
// script's, on the first node.
void add_usage(Usage& sum, const Usage& part, bool first_node);

// The ends, and other words about runs, that one decision takes in. The state does not change in between, so what earlier
// words of the same decision came to is kept here.
class RunEnds {
    const State& state_;
    const Instant now_;
    Outcome& outcome_;
    std::map<JobId, std::optional<Run>> touched_; // empty: over

    Run* run_of(const Job& job); // null: over
    void through(const Job& job, Run& run, std::size_t member);
    void part_over(const Job& job, NodeId node, JobEnd end, const Usage& usage, bool may_requeue);

public:
    RunEnds(const State& state, Instant now, Outcome& outcome) : state_(state), now_(now), outcome_(outcome) {}

    // The job has ended or was requeued, or this node is through with it.
    bool over(const Job& job, NodeId node);
    // As it is by now. Not of one that is over.
    const Run& run(const Job& job) { return touched_.contains(job.id) && !job.run->members.empty() ? *run_of(job) : *job.run; }

    // A node says how its part ended; never_ran: before the job's first process, by the node's fault.
    void part_ended(const Job& job, NodeId node, const JobEnd& end, const Usage& usage, bool never_ran = false);
    // The node is gone, and its part with it.
    void part_lost(const Job& job, NodeId node, std::string cause, bool may_requeue);
    // A member is ready; the last one lets the script start.
    void part_prepared(const Job& job, NodeId node);
};

// The order by which a part of a run starts on its node, and the one by which it ends there.
StartOnNode start_order(const Job& job, const Run& run, std::size_t member);
StopOnNode stop_order(const Job& job, const Run& run, std::size_t member, std::string cause);
// To whoever must hear that a running job is to end.
void order_stop(const Job& job, const std::string& cause, Outcome& outcome);

} // namespace jarvis::cluster
