// Running jobs that stand still, and go on.
#include "cluster/decide.hpp"
#include "cluster/run_ends.hpp"
#include "cluster/selection.hpp"
#include "cluster/suspension.hpp"

namespace jarvis::cluster {

namespace {

Result<void> suspend(const Job& job, const Caller& caller, Outcome& outcome)
{
    if (job.state == JobState::pending)
        return fail(Errc::invalid, "job {} is PENDING: only a running job can be suspended; jhold keeps it from starting", job.id);
    if (job.state != JobState::running && job.state != JobState::suspended)
        return fail(Errc::invalid, "job {} is {}: only a running job can be suspended", job.id, name(job.state));
    if (!script_may_run(*job.run))
        return fail(Errc::invalid, "job {} is still being prepared on its nodes: try again in a moment", job.id);
    const bool by_operator = caller.uid != job.request->account->uid;
    const auto& suspension = job.run->suspension;
    if (!suspension || (by_operator && !suspension->by_operator))
        outcome.events.push_back(JobSuspended{job.id, caller.user, by_operator});
    order_suspension(job, true, outcome);
    return {};
}

Result<void> resume(const Job& job, const Caller& caller, Outcome& outcome)
{
    if (job.state != JobState::running && job.state != JobState::suspended)
        return fail(Errc::invalid, "job {} is {}: only a suspended job can be resumed{}", job.id, name(job.state),
                    job.hold ? "; jrelease lets a held one go" : "");
    if (const auto& suspension = job.run->suspension) {
        if (suspension->by_operator && !is_operator(caller))
            return fail(Errc::denied, "job {} was suspended by {}: only an operator can resume it", job.id, suspension->by);
        outcome.events.push_back(JobResumed{job.id});
    }
    order_suspension(job, false, outcome);
    return {};
}

template <class CommandType, class One>
Outcome for_each_running(const State& state, const CommandType& command, std::string_view what, One one)
{
    return for_each_selection(state, command, [&](const Selected& selected, Outcome& outcome) {
        Tally tally;
        for (const auto& job : selected.jobs)
            tally.add(one(*job, command.caller, outcome));
        if (selected.jobs.empty())
            tally.add(fail(Errc::invalid, "no task of array {} runs: only a running job can be {}", selected.named->id, what));
        return tally.result();
    });
}

} // namespace

void order_suspension(const Job& job, bool suspended, Outcome& outcome)
{
    for (const auto& part : job.run->placement.nodes)
        outcome.effects.push_back(SuspendOnNode{part.node, {job.id, job.incarnation}, suspended});
}

Outcome decide(const State& state, const SuspendJobs& command, Instant) { return for_each_running(state, command, "suspended", suspend); }

Outcome decide(const State& state, const ResumeJobs& command, Instant) { return for_each_running(state, command, "resumed", resume); }

} // namespace jarvis::cluster
