// Starting again: because somebody asked for it, or by a job's own rule.
#include "cluster/decide.hpp"
#include "cluster/run_ends.hpp"
#include "cluster/selection.hpp"

namespace jarvis::cluster {

namespace {

// Where what has ended may run all the same: its node was silent for too long, or was set down unconfirmed.
const Node* may_still_run_on(const State& state, const Job& job)
{
    if (!job.run)
        return nullptr;
    for (const auto& part : job.run->placement.nodes) {
        const auto& node = state.nodes[part.node.value];
        const bool known_gone = !node.connected && node.down && node.down->confirmed;
        if (node.condemned.contains({job.id, job.incarnation}) && !known_gone)
            return &node;
    }
    return nullptr;
}

Result<void> may_requeue(const State& state, const Job& job)
{
    if (job.ended && job.state == JobState::cancelled)
        return fail(Errc::invalid, "job {} was cancelled: it is not started again; submit it once more", job.id);
    if (job.stop && !job.ended && !job.stop->requeue)
        return fail(Errc::invalid, "job {} is being cancelled: it is not started again", job.id);
    if (!job.ended || state.settings.requeue_on_silence)
        return {};
    const auto* node = may_still_run_on(state, job);
    if (!node)
        return {};
    if (node->connected)
        return fail(Errc::invalid, "job {} may still run on node {}, where it is being killed: try again when that is done", job.id, node->name);
    return fail(Errc::invalid, "job {} may still run on node {}, of which nothing is heard: it is not started again until the node is back, or "
                               "an operator says that nothing runs there (jnodes down {} --confirmed --reason ...)",
                job.id, node->name, node->name);
}

// Of one that may be.
void requeue(const Job& job, const Caller& caller, Outcome& outcome)
{
    const auto cause = fmt::format("requeued by {}", caller.user);
    if (job.state == JobState::pending)
        return;
    if (job.ended) {
        outcome.events.push_back(JobRequeued{.job = job.id, .incarnation = job.incarnation, .cause = cause});
        return;
    }
    if (!job.stop)
        outcome.events.push_back(JobStopRequested{job.id, {.by = caller.user, .cause = cause, .requeue = true}});
    order_stop(job, cause, outcome);
}

// An array that is over is so no more once one of its tasks is pending again.
void reopen_array(const Job& array, const Caller& caller, Outcome& outcome)
{
    if (array.ended)
        outcome.events.push_back(
            JobRequeued{.job = array.id, .incarnation = array.incarnation, .cause = fmt::format("requeued by {}", caller.user)});
}

} // namespace

Event end_of_run(const Job& job, JobEnd end, const Usage& usage, bool may_requeue, Instant now)
{
    if (end.state == JobState::node_fail && !may_requeue)
        return JobEnded{job.id, job.incarnation, std::move(end), usage};
    if (job.stop && job.stop->requeue)
        return JobRequeued{.job = job.id, .incarnation = job.incarnation, .cause = job.stop->cause, .end = std::move(end), .usage = usage};
    if (!job.stop && end.state == JobState::node_fail && job.request->requeue) {
        auto cause = end.cause;
        return JobRequeued{.job = job.id, .incarnation = job.incarnation, .cause = std::move(cause), .end = std::move(end), .usage = usage};
    }
    const auto attempt = job.failed_attempts + 1;
    if (!job.stop && job.request->retry && retries(*job.request->retry, end, attempt)) {
        auto cause = end.cause;
        return JobRequeued{.job = job.id, .incarnation = job.incarnation, .cause = std::move(cause), .end = std::move(end), .usage = usage,
                           .not_before = now + retry_delay(*job.request->retry, job.id, attempt), .counts_as_retry = true};
    }
    return JobEnded{job.id, job.incarnation, std::move(end), usage};
}

Outcome decide(const State& state, const RequeueJobs& command, Instant)
{
    std::set<JobId> reopened;
    return for_each_selection(state, command, [&](const Selected& selected, Outcome& outcome) {
        if (selected.jobs.size() > max_split)
            return Result<void>(fail(Errc::invalid, "{} tasks of array {} are too many to requeue at once; the limit is {}. Name fewer",
                                     selected.jobs.size(), selected.named->id, max_split));
        Tally tally;
        if (!selected.waiting.empty())
            tally.add({});
        for (const auto& job : selected.jobs) {
            auto allowed = may_requeue(state, *job);
            if (allowed) {
                if (job->id.is_task() && job->ended && reopened.insert(selected.named->id).second)
                    reopen_array(*selected.named, command.caller, outcome);
                requeue(*job, command.caller, outcome);
            }
            tally.add(std::move(allowed));
        }
        if (selected.waiting.empty() && selected.jobs.empty())
            tally.add(fail(Errc::not_found, "no such task of array {} is known any more", selected.named->id));
        return tally.result();
    });
}

} // namespace jarvis::cluster
