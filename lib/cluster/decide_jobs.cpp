// What people ask about jobs: submit, cancel, signal, hold, release.
#include "cluster/authorize.hpp"
#include "cluster/decide.hpp"
#include "cluster/run_ends.hpp"
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

// Runs `one(job, outcome)` for each job of a list that exists and that the caller may change, and replies with how it went.
template <class CommandType, class One>
Outcome for_each_job(const State& state, const CommandType& command, One one)
{
    Outcome outcome;
    std::vector<ItemResult> items;
    std::set<JobId> seen; // a job named twice is changed once
    for (JobId id : command.jobs) {
        const auto job = state.find(id);
        Result<void> result;
        if (!job)
            result = fail(Errc::not_found, "no job {} (ended jobs are in jacct)", id);
        else if (auto allowed = may_change(command.caller, *job); !allowed)
            result = allowed;
        else if (seen.insert(id).second)
            result = one(*job, outcome);
        items.push_back({id, {}, std::move(result)});
    }
    if (command.token != 0)
        outcome.effects.push_back(Reply{command.token, ReplyBody{std::move(items)}});
    return outcome;
}

Result<void> cancel(const Job& job, const Caller& caller, Outcome& outcome)
{
    if (is_final(job.state))
        return {};
    const auto cause = fmt::format("cancelled by {}", caller.user);
    if (job.state == JobState::pending) {
        JobEnd end{.state = JobState::cancelled, .end_class = EndClass::user, .exit_code = {}, .signal = 0, .cause = cause};
        outcome.events.push_back(JobEnded{job.id, job.incarnation, std::move(end), {}});
        return {};
    }
    if (!job.stop)
        outcome.events.push_back(JobStopRequested{job.id, {caller.user, cause}});
    // The script's end ends its members; before the script has started they are all told.
    const auto& run = *job.run;
    const auto told = run.ending ? 0 : script_may_run(run) ? 1 : run.placement.nodes.size();
    for (std::size_t member = 0; member < told; ++member)
        outcome.effects.push_back(stop_order(job, run, member, cause));
    return {};
}

// The policy's number is any 64-bit one.
std::int64_t priority_of(const SubmitJob& command)
{
    constexpr auto most = std::int64_t{1} << 62;
    return std::clamp(command.verdict.priority, -most, most) - command.request->nice;
}

} // namespace

Outcome decide(const State& state, const SubmitJob& command, Instant)
{
    if (auto known = state.index.requests.find(command.request_id); known != state.index.requests.end()) {
        if (state.jobs.at(known->second)->digest != command.digest)
            return answer(command.token, fail(Errc::invalid, "this request id was used for job {}, with another content",
                                              known->second));
        return answer(command.token, ReplyBody{known->second});
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
    return outcome;
}

Outcome decide(const State& state, const CancelJobs& command, Instant)
{
    return for_each_job(state, command, [&](const Job& job, Outcome& outcome) { return cancel(job, command.caller, outcome); });
}

Outcome decide(const State& state, const SignalJobs& command, Instant)
{
    return for_each_job(state, command, [&](const Job& job, Outcome& outcome) -> Result<void> {
        if (!holds_resources(job.state))
            return fail(Errc::invalid, "job {} is {}: only a running job can be sent a signal", job.id, name(job.state));
        const auto& first = job.run->placement.nodes.front();
        outcome.effects.push_back(SignalOnNode{first.node, {job.id, job.incarnation}, command.signal, command.batch_only});
        return {};
    });
}

Outcome decide(const State& state, const HoldJobs& command, Instant)
{
    return for_each_job(state, command, [&](const Job& job, Outcome& outcome) -> Result<void> {
        if (job.state != JobState::pending)
            return fail(Errc::invalid, "job {} is {}: only a pending job can be held", job.id, name(job.state));
        const bool by_operator = command.caller.uid != job.request->account.uid;
        if (!job.hold || (by_operator && !job.hold->by_operator))
            outcome.events.push_back(JobHeld{job.id, {command.caller.user, by_operator}});
        return {};
    });
}

Outcome decide(const State& state, const ReleaseJobs& command, Instant)
{
    return for_each_job(state, command, [&](const Job& job, Outcome& outcome) -> Result<void> {
        if (job.state != JobState::pending || !job.hold)
            return {}; // also for one that was cancelled while it was held
        if (job.hold->by_operator && !is_operator(command.caller))
            return fail(Errc::denied, "job {} was held by {}: only an operator can release it", job.id, job.hold->by);
        outcome.events.push_back(JobReleased{job.id});
        return {};
    });
}

} // namespace jarvis::cluster
