#include "node/node_core.hpp"

#include "base/units.hpp"

#include <csignal>

#include <fmt/format.h>

namespace jarvis::node {
namespace {

using std::chrono::seconds;

// SIGKILL is sent again until the end of the job is known: at level none a process can fork while it is being killed.
constexpr Duration kill_again = seconds(2);

std::string short_uuid(const std::string& uuid)
{
    std::string text;
    for (unsigned char byte : uuid.substr(0, 4))
        text += fmt::format("{:02x}", byte);
    return text;
}

// When a job's time is over; nothing: never, or not for as long as it stands still.
std::optional<Instant> limit_of(const NodeJob& job)
{
    if (!job.time_limit || job.suspensions.since)
        return std::nullopt;
    return job.started + *job.time_limit + job.suspensions.before;
}

// One step: the state, the instant, and the effects as they are found.
class Step {
    State& state_;
    const Instant now_;
    std::vector<Effect>& effects_;

    using Jobs = std::map<JobKey, NodeJob>;

    void effect(Effect e) { effects_.push_back(std::move(e)); }

    // ---- Messages to the controller

    Report report() const
    {
        Report report;
        for (const auto& [key, job] : state_.jobs) {
            if (job.phase == Phase::ended)
                report.ended.push_back({key, job.end, job.usage, job.unfit});
            else
                report.running.push_back({key, job.prepared, job.suspensions.since.has_value()});
        }
        return report;
    }

    void send(Message message)
    {
        const auto session = state_.link == Link::welcomed ? state_.session : 0;
        effect(Send{session, ++state_.sent_serial, std::move(message)});
    }

    void send_report()
    {
        if (state_.link == Link::welcomed)
            send(report());
        else
            send(Register{report()});
        state_.next_report = now_ + state_.heartbeat;
    }

    void send_end(const JobKey& key, const NodeJob& job)
    {
        if (state_.link == Link::welcomed)
            send(ReportEnded{key, job.end, job.usage, job.unfit});
    }

    // ---- Which job

    // The jobs with this number, all incarnations of it.
    std::pair<Jobs::iterator, Jobs::iterator> incarnations(JobId job)
    {
        return {state_.jobs.lower_bound({job, Incarnation{}}), state_.jobs.upper_bound({job, Incarnation{~std::uint32_t{}}})};
    }

    bool knows_this_or_higher(const JobKey& key)
    {
        const auto found = state_.jobs.lower_bound(key);
        return found != state_.jobs.end() && found->first.job == key.job;
    }

    // ---- The life of a job

    void launch(NodeJob& job, StartOrder order)
    {
        job.phase = Phase::running;
        job.role = order.role;
        job.started = now_;
        if (job.role == Role::script) { // which ends the job, and so its members
            job.time_limit = order.request.time_limit;
            job.warning = order.request.warning;
        }
        job.order.reset();
        effect(Launch{std::move(order), state_.cluster, state_.epoch, now_});
    }

    // The key by value: a caller's may be a part of what is erased here.
    void end(JobKey key, NodeJob& job, JobEnd how, const Usage& usage)
    {
        if (job.forgotten) {
            effect(RemoveRecord{key});
            state_.jobs.erase(key);
        } else {
            job.phase = Phase::ended;
            job.order.reset();
            job.end = std::move(how);
            job.usage = usage;
            send_end(key, job);
        }
        launch_waiting(key.job);
    }

    // A start waits until every older incarnation is gone.
    void launch_waiting(JobId id)
    {
        const auto [first, last] = incarnations(id);
        for (auto it = first; it != last; ++it) {
            auto& [key, job] = *it;
            if (job.phase == Phase::waiting) {
                auto order = std::move(*job.order);
                launch(job, std::move(order));
                return;
            }
            if (job.phase != Phase::ended)
                return;
        }
    }

    // An end that no record of the run-time folder tells of: kept here until it is acknowledged, and made anew from the
    // same order if this daemon restarts before that.
    void end_unstarted(const JobKey& key, JobState state, EndClass end_class, std::string cause)
    {
        auto& job = state_.jobs[key];
        end(key, job, {.state = state, .end_class = end_class, .cause = std::move(cause)}, {});
    }

    void kill(const JobKey& key, NodeJob& job)
    {
        job.stop->kill_at = now_ + kill_again;
        effect(SignalJob{key, SIGKILL, SignalTarget::everything});
        if (job.role == Role::member)
            effect(FinishMember{key});
    }

    // SIGCONT lets a stopped process see its SIGTERM.
    void terminate(const JobKey& key)
    {
        effect(SignalJob{key, SIGTERM, SignalTarget::everything});
        effect(SignalJob{key, SIGCONT, SignalTarget::everything});
    }

    void suspend(const JobKey& key, NodeJob& job, bool suspended)
    {
        auto& [since, before] = job.suspensions;
        if (suspended && !since) {
            since = now_;
        } else if (!suspended && since) {
            before += now_ - *since;
            since.reset();
        } else {
            return effect(Freeze{key, suspended}); // said again: it may not have worked
        }
        effect(RecordSuspensions{key, job.suspensions});
        effect(Freeze{key, suspended});
    }

    // Of a job that runs: the first stop decides how the end is called and when the grace ends, and there is no later one.
    void stop(const JobKey& key, NodeJob& job, JobState verdict, std::string cause, bool at_once = false)
    {
        at_once = at_once || job.role == Role::member; // where nothing runs that could use the grace
        job.phase = Phase::stopping;
        job.stop = Stop{verdict, std::move(cause), at_once ? now_ : now_ + state_.kill_grace};
        effect(RecordStop{key, *job.stop});
        if (job.suspensions.since) // what stands still cannot see its SIGTERM
            suspend(key, job, false);
        if (at_once)
            kill(key, job);
        else
            terminate(key);
    }

    // The controller has moved on to a higher incarnation: what is here of the older ones is dropped, without grace.
    void supersede_below(const JobKey& key)
    {
        auto [it, last] = incarnations(key.job);
        while (it != last && it->first < key) {
            auto& [older, job] = *it;
            if (job.phase == Phase::waiting || job.phase == Phase::ended) {
                if (job.phase == Phase::ended)
                    effect(RemoveRecord{older});
                it = state_.jobs.erase(it);
                continue;
            }
            job.forgotten = true;
            if (job.phase == Phase::running) {
                job.phase = Phase::stopping;
                job.stop = Stop{JobState::cancelled, fmt::format("superseded by start {}", key.incarnation), now_};
                effect(RecordStop{older, *job.stop});
            }
            kill(older, job);
            ++it;
        }
    }

    // A start that was sent twice: its answer may have been lost.
    void answer_again(const JobKey& key, const NodeJob& job)
    {
        if (job.phase == Phase::ended)
            send_end(key, job);
        else if (job.prepared && state_.link == Link::welcomed)
            send(ReportPrepared{key});
    }

    // ---- Orders

    void take(StartOrder order)
    {
        const auto key = order.key;
        if (knows_this_or_higher(key)) {
            if (const auto known = state_.jobs.find(key); known != state_.jobs.end())
                answer_again(key, known->second);
            return;
        }
        supersede_below(key);
        if (!order.defect.empty())
            return end_unstarted(key, JobState::failed, EndClass::system, std::move(order.defect));
        const auto& rules = state_.rules;
        const auto uid = order.request.account->uid;
        if (rules.only_uid && uid != *rules.only_uid)
            return end_unstarted(key, JobState::failed, EndClass::system,
                                 fmt::format("this node's daemon runs as uid {} and can run that user's jobs only, not "
                                             "those of uid {}",
                                             *rules.only_uid, uid));
        if (uid == 0 && !rules.allow_root_jobs)
            return end_unstarted(key, JobState::failed, EndClass::system,
                                 "jobs of root are refused on this node (security.allow_root_jobs is not set)");
        auto& job = state_.jobs[key];
        job.phase = Phase::waiting;
        job.order = std::move(order);
        launch_waiting(key.job);
    }

    void take(StopOrder order)
    {
        const auto found = state_.jobs.find(order.key);
        const bool unknown = order.why == StopWhy::unknown;
        const bool finished = order.why == StopWhy::finished;
        const auto verdict = finished ? JobState::completed : JobState::cancelled;
        const auto end_class = finished ? EndClass::none : EndClass::user;
        if (found == state_.jobs.end()) {
            if (unknown || knows_this_or_higher(order.key))
                return;
            supersede_below(order.key);
            return end_unstarted(order.key, verdict, end_class, std::move(order.cause));
        }
        auto& [key, job] = *found;
        job.forgotten = job.forgotten || unknown;
        switch (job.phase) {
        case Phase::waiting:
            return end(key, job, {.state = verdict, .end_class = end_class, .cause = std::move(order.cause)}, {});
        case Phase::running:
            if (finished && job.role == Role::script)
                return; // it ends by itself
            // What the controller has given up may run elsewhere by now: each moment is one too many.
            return stop(key, job, verdict, std::move(order.cause), unknown);
        case Phase::stopping:
            if (unknown)
                kill(key, job);
            return;
        case Phase::ended:
            if (!unknown)
                return send_end(key, job);
            effect(RemoveRecord{key});
            state_.jobs.erase(found);
        }
    }

    void take(SignalOrder order)
    {
        const auto found = state_.jobs.find(order.key);
        if (found == state_.jobs.end() || found->second.phase == Phase::waiting || found->second.phase == Phase::ended)
            return;
        effect(SignalJob{order.key, order.signal, order.batch_only ? SignalTarget::batch : SignalTarget::everything});
    }

    void take(SuspendOrder order)
    {
        const auto found = state_.jobs.find(order.key);
        if (found != state_.jobs.end() && found->second.phase == Phase::running)
            suspend(found->first, found->second, order.suspended);
    }

    void take(AckEnded ack)
    {
        const auto found = state_.jobs.find(ack.key);
        if (found == state_.jobs.end() || found->second.phase != Phase::ended)
            return;
        effect(RemoveRecord{ack.key});
        state_.jobs.erase(found);
    }

    // ---- After a restart

    void recover(const RecoveredJob& recovered)
    {
        auto& job = state_.jobs[recovered.key];
        job.phase = recovered.stop ? Phase::stopping : Phase::running;
        job.role = recovered.role;
        job.prepared = recovered.prepared;
        job.started = recovered.started;
        job.time_limit = recovered.time_limit;
        job.warning = recovered.warning; // it may have been sent before: twice is better than never
        job.stop = recovered.stop;
        job.suspensions = recovered.suspensions;
        switch (recovered.as) {
        case RecoveredJob::As::running:
            if (job.stop && job.role == Role::member) // whether the signals left before the restart is not known
                kill(recovered.key, job);
            else if (job.stop) {
                if (job.suspensions.since)
                    suspend(recovered.key, job, false);
                terminate(recovered.key);
            }
            else if (job.suspensions != Suspensions{})
                effect(Freeze{recovered.key, job.suspensions.since.has_value()}); // whether it was done before the restart is not known
            return;
        case RecoveredJob::As::ended:
            job.unfit = unfit(recovered.facts);
            return end(recovered.key, job, judge(job, recovered.facts), recovered.facts.usage);
        case RecoveredJob::As::shepherd_died:
            return lose_shepherd(recovered.key, job);
        case RecoveredJob::As::rebooted:
            return end(recovered.key, job, judge_reboot(), {});
        }
    }

    // Also of a job that was stopped meanwhile: the next one would fare no better.
    static std::string unfit(const ExitFacts& facts)
    {
        return facts.launch_fault == LaunchFault::node ? facts.launch_error : facts.unfit;
    }

    static JobEnd judge(const NodeJob& job, const ExitFacts& facts)
    {
        return job.role == Role::member ? judge_member(facts, job.stop) : judge_exit(facts, job.stop);
    }

    void lose_shepherd(const JobKey& key, NodeJob& job)
    {
        effect(SignalJob{key, SIGKILL, SignalTarget::everything});
        end(key, job, judge_lost_shepherd(job.stop), Usage{.elapsed = now_ - job.started});
    }

    // ---- The connection

    // Empty: this controller is ours to follow.
    std::string objection(const std::string& cluster, Epoch epoch) const
    {
        if (cluster != state_.cluster)
            return state_.cluster.empty() || state_.jobs.empty()
                       ? ""
                       : fmt::format("this controller is of cluster {}, while {} jobs of cluster {} are on this node: start "
                                     "the controller of that cluster, or end its jobs and remove the run-time folder",
                                     short_uuid(cluster), state_.jobs.size(), short_uuid(state_.cluster));
        if (epoch < state_.epoch)
            return fmt::format("this controller is in epoch {}, older than epoch {} which this node has followed: another "
                               "controller of the same cluster runs, or its state was restored from an old copy",
                               epoch, state_.epoch);
        return "";
    }

    bool follow(const std::string& cluster, Epoch epoch)
    {
        if (auto reason = objection(cluster, epoch); !reason.empty()) {
            state_.link = Link::down;
            effect(CloseConnection{std::move(reason)});
            return false;
        }
        if (cluster != state_.cluster || epoch != state_.epoch)
            state_.session = 0;
        state_.cluster = cluster;
        state_.epoch = epoch;
        return true;
    }

    // ---- Deadlines

    void warn_if_due(const JobKey& key, NodeJob& job)
    {
        const auto limit = limit_of(job);
        if (!job.warning || !limit || now_ < *limit - job.warning->before)
            return;
        effect(SignalJob{key, job.warning->signal,
                         job.warning->batch_only ? SignalTarget::batch : SignalTarget::everything});
        job.warning.reset();
    }

public:
    Step(State& state, Instant now, std::vector<Effect>& effects) : state_(state), now_(now), effects_(effects) {}

    void operator()(Recovered& recovered)
    {
        state_.cluster = std::move(recovered.cluster);
        state_.epoch = recovered.epoch;
        for (const auto& job : recovered.jobs)
            recover(job);
    }

    void operator()(Greeted& greeted)
    {
        if (!follow(greeted.cluster, greeted.epoch))
            return;
        state_.link = Link::registering;
        send_report();
    }

    void operator()(Welcomed& welcome)
    {
        if (state_.link == Link::down || !follow(welcome.cluster, welcome.epoch) || welcome.session <= state_.session)
            return;
        state_.link = Link::welcomed;
        state_.session = welcome.session;
        state_.last_serial = 0;
        if (welcome.heartbeat > Duration::zero())
            state_.heartbeat = welcome.heartbeat;
        state_.kill_grace = std::max(welcome.kill_grace, Duration::zero());
        send_report(); // what ended since the Register
    }

    void operator()(Disconnected&) { state_.link = Link::down; }

    void operator()(FromController& message)
    {
        if (state_.link != Link::welcomed || message.epoch != state_.epoch || message.session != state_.session ||
            message.serial <= state_.last_serial)
            return;
        state_.last_serial = message.serial;
        std::visit([&](auto& order) { take(std::move(order)); }, message.order);
    }

    void operator()(JobEnded& ended)
    {
        const auto found = state_.jobs.find(ended.key);
        if (found == state_.jobs.end() || found->second.phase == Phase::waiting || found->second.phase == Phase::ended)
            return;
        auto how = judge(found->second, ended.facts);
        found->second.unfit = unfit(ended.facts);
        end(ended.key, found->second, std::move(how), ended.facts.usage);
    }

    void operator()(MemberPrepared& prepared)
    {
        const auto found = state_.jobs.find(prepared.key);
        if (found == state_.jobs.end() || found->second.role != Role::member || found->second.phase != Phase::running ||
            std::exchange(found->second.prepared, true))
            return;
        if (state_.link == Link::welcomed)
            send(ReportPrepared{prepared.key});
    }

    void operator()(ShepherdDied& died)
    {
        const auto found = state_.jobs.find(died.key);
        if (found == state_.jobs.end() || found->second.phase == Phase::waiting || found->second.phase == Phase::ended)
            return;
        lose_shepherd(died.key, found->second);
    }

    void operator()(TimePassed&) {}

    void enforce_deadlines()
    {
        for (auto& [key, job] : state_.jobs) {
            if (job.phase == Phase::running) {
                if (const auto limit = limit_of(job); limit && now_ >= *limit)
                    stop(key, job, JobState::timeout, fmt::format("time limit of {} reached", format_duration_exact(*job.time_limit)));
                else
                    warn_if_due(key, job);
            } else if (job.phase == Phase::stopping && now_ >= job.stop->kill_at) {
                kill(key, job);
            }
        }
        if (state_.link != Link::down && now_ >= state_.next_report)
            send_report();
    }
};

} // namespace

Outcome step(State& state, Input input, Instant now)
{
    Outcome outcome;
    Step step(state, now, outcome.effects);
    std::visit(step, input);
    step.enforce_deadlines();
    return outcome;
}

std::optional<MessageNumber> number_message(State& state)
{
    if (state.link != Link::welcomed)
        return std::nullopt;
    return MessageNumber{state.session, ++state.sent_serial};
}

std::optional<Instant> next_wake(const State& state)
{
    std::optional<Instant> wake;
    const auto at = [&](Instant instant) { wake = wake ? std::min(*wake, instant) : instant; };
    if (state.link != Link::down)
        at(state.next_report);
    for (const auto& [key, job] : state.jobs) {
        if (const auto limit = job.phase == Phase::running ? limit_of(job) : std::nullopt) {
            at(*limit);
            if (job.warning)
                at(*limit - job.warning->before);
        } else if (job.phase == Phase::stopping) {
            at(job.stop->kill_at);
        }
    }
    return wake;
}

} // namespace jarvis::node
