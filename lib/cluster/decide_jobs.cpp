// What people ask about jobs: submit, cancel, signal, hold, release.
#include "cluster/decide.hpp"
#include "cluster/dependencies.hpp"
#include "cluster/run_ends.hpp"
#include "cluster/selection.hpp"
#include "cluster/submit.hpp"

#include <algorithm>

namespace jarvis::cluster {

namespace {

Outcome answer(Token token, Result<ReplyBody> body)
{
    Outcome outcome;
    if (token != 0)
        outcome.effects.push_back(Reply{token, std::move(body)});
    return outcome;
}

void cancel(const Job& job, const Caller& caller, Outcome& outcome)
{
    if (is_final(job.state))
        return;
    const auto cause = fmt::format("cancelled by {}", caller.user);
    if (job.state == JobState::pending) {
        outcome.events.push_back(JobEnded{job.id, job.incarnation, cancelled(cause), {}});
        return;
    }
    if (!job.stop || job.stop->requeue)
        outcome.events.push_back(JobStopRequested{job.id, {.by = caller.user, .cause = cause, .requeue = false}});
    order_stop(job, cause, outcome);
}

Result<void> signal(const Job& job, const SignalJobs& command, Outcome& outcome)
{
    if (!holds_resources(job.state))
        return fail(Errc::invalid, "job {} is {}: only a running job can be sent a signal", job.id, name(job.state));
    const auto& first = job.run->placement.nodes.front();
    outcome.effects.push_back(SignalOnNode{first.node, {job.id, job.incarnation}, command.signal, command.batch_only});
    return {};
}

// Of a job, a task or the record of an array, whose tasks that have not been split off it holds.
Result<void> hold(const Job& job, const Caller& caller, Outcome& outcome)
{
    if (job.state != JobState::pending)
        return fail(Errc::invalid, "job {} is {}: only a pending job can be held", job.id, name(job.state));
    const bool by_operator = caller.uid != job.request->account->uid;
    if (!job.hold || (by_operator && !job.hold->by_operator))
        outcome.events.push_back(JobHeld{job.id, {caller.user, by_operator}});
    return {};
}

Result<void> may_release(const Job& job, const Caller& caller)
{
    if (job.hold && job.hold->by_operator && !is_operator(caller))
        return fail(Errc::denied, "job {} was held by {}: only an operator can release it", job.id, job.hold->by);
    return {};
}

Result<void> release(const Job& job, const Caller& caller, Outcome& outcome)
{
    if (job.state != JobState::pending || !job.hold)
        return {}; // also for one that was cancelled while it was held
    if (auto allowed = may_release(job, caller); !allowed)
        return allowed;
    outcome.events.push_back(JobReleased{job.id});
    return {};
}

// Makes jobs of these tasks, so that they can be told apart from the others.
Result<void> split(const Selected& selected, std::string_view what, Outcome& outcome)
{
    if (selected.waiting.size() > max_split)
        return fail(Errc::invalid, "{} tasks of array {} are too many to {} one by one; the limit is {}. Name the whole array, or fewer",
                    selected.waiting.size(), selected.named->id, what, max_split);
    outcome.events.push_back(TasksSplit{selected.named->id, selected.waiting});
    return {};
}

bool all_that_wait(const State& state, const Selected& selected)
{
    return selected.whole || selected.waiting == state.arrays.at(selected.named->id.value).waiting;
}

Result<void> hold_waiting(const State& state, const Selected& selected, const Caller& caller, Outcome& outcome)
{
    if (all_that_wait(state, selected))
        return hold(*selected.named, caller, outcome);
    if (auto done = split(selected, "hold", outcome); !done)
        return done;
    const bool by_operator = caller.uid != selected.named->request->account->uid;
    selected.waiting.for_each([&](std::uint32_t k) {
        outcome.events.push_back(JobHeld{{selected.named->id.value, k}, {caller.user, by_operator}});
    });
    return {};
}

// Tasks that are held as all of their array are, and are let go alone, become jobs of their own without the hold.
Result<void> release_waiting(const State& state, const Selected& selected, const Caller& caller, Outcome& outcome)
{
    const auto& array = *selected.named;
    if (!array.hold || all_that_wait(state, selected))
        return release(array, caller, outcome);
    if (auto allowed = may_release(array, caller); !allowed)
        return allowed;
    return split(selected, "release", outcome);
}

// The policy's number is any 64-bit one.
std::int64_t priority_of(const SubmitJob& command)
{
    constexpr auto most = std::int64_t{1} << 62;
    return std::clamp(command.verdict.priority, -most, most) - command.request->nice;
}

} // namespace

Outcome decide(const State& state, const SubmitJob& command, Instant now)
{
    if (auto known = state.index.requests.find(command.request_id); known != state.index.requests.end()) {
        const JobId id{known->second.value};
        if (state.jobs.at(id)->digest != command.digest)
            return answer(command.token, fail(Errc::invalid, "this request id was used for job {}, with another content", id));
        return answer(command.token, ReplyBody{id});
    }
    if (auto allowed = may_submit(command.caller, *command.request); !allowed)
        return answer(command.token, std::unexpected(allowed.error()));
    if (auto checked = check_request(state, *command.request); !checked)
        return answer(command.token, std::unexpected(checked.error()));
    if (state.settings.max_jobs != 0 && state.index.active_jobs >= state.settings.max_jobs)
        return answer(command.token, fail(Errc::unavailable, "the cluster holds {} jobs, its limit (pending_jobs in [limits]); "
                                                             "try again when some have ended", state.index.active_jobs));
    if (state.next_job >= max_job_id)
        return answer(command.token, fail(Errc::unavailable, "the job ids are used up"));
    auto outcome = answer(command.token, ReplyBody{state.next_job});
    outcome.events.push_back(JobSubmitted{state.next_job, command.request, command.request_id, command.digest,
                                          priority_of(command)});
    resolve_at_submit(state, state.next_job, *command.request, now, outcome);
    return outcome;
}

Outcome decide(const State& state, const CancelJobs& command, Instant)
{
    return for_each_selection(state, command, [&](const Selected& selected, Outcome& outcome) -> Result<void> {
        if (!selected.waiting.empty())
            outcome.events.push_back(
                TasksEnded{selected.named->id, selected.waiting, cancelled(fmt::format("cancelled by {}", command.caller.user))});
        for (const auto& job : selected.jobs)
            cancel(*job, command.caller, outcome);
        return {};
    });
}

Outcome decide(const State& state, const SignalJobs& command, Instant)
{
    return for_each_selection(state, command, [&](const Selected& selected, Outcome& outcome) {
        Tally tally;
        for (const auto& job : selected.jobs)
            tally.add(signal(*job, command, outcome));
        if (selected.jobs.empty())
            tally.add(fail(Errc::invalid, "no task of array {} runs: only a running job can be sent a signal", selected.named->id));
        return tally.result();
    });
}

Outcome decide(const State& state, const HoldJobs& command, Instant)
{
    return for_each_selection(state, command, [&](const Selected& selected, Outcome& outcome) {
        Tally tally;
        if (!selected.waiting.empty())
            tally.add(hold_waiting(state, selected, command.caller, outcome));
        for (const auto& job : selected.jobs)
            tally.add(hold(*job, command.caller, outcome));
        if (selected.waiting.empty() && selected.jobs.empty())
            tally.add(fail(Errc::invalid, "no task of array {} is pending: only a pending job can be held", selected.named->id));
        return tally.result();
    });
}

Outcome decide(const State& state, const ReleaseJobs& command, Instant)
{
    return for_each_selection(state, command, [&](const Selected& selected, Outcome& outcome) {
        Tally tally;
        if (!selected.waiting.empty())
            tally.add(release_waiting(state, selected, command.caller, outcome));
        for (const auto& job : selected.jobs)
            tally.add(release(*job, command.caller, outcome));
        return tally.result();
    });
}

} // namespace jarvis::cluster
