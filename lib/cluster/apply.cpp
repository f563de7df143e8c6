#include "cluster/apply.hpp"

#include "cluster/apply_nodes.hpp"
#include "cluster/apply_relations.hpp"
#include "cluster/derived.hpp"
#include "cluster/suspension.hpp"

#include <cassert>

namespace jarvis::cluster {

namespace {

// One function for each event.
struct Applier {
    State& state;
    Instant at;

    // Puts a changed job in a job's stead, with all that is counted and queued of it.
    template <class Change>
    JobPtr change(JobId id, Change change_job)
    {
        const auto before = state.jobs.at(id);
        leave_queues(state, *before);
        if (id.is_task())
            count_task(state, *before, -1);
        auto after = replace(state, id, change_job);
        if (id.is_task())
            count_task(state, *after, 1);
        enter_queues(state, *after);
        return after;
    }

    void operator()(const ClusterCreated& event)
    {
        state.uuid = event.uuid;
        state.name = event.name;
    }

    void operator()(const ControllerStarted& event)
    {
        state.epoch = event.epoch;
        state.clock = event.clock;
        lose_all_nodes(state, at);
    }

    void operator()(const WallClockSet& event) { state.wall_offset = event.offset; }

    void operator()(const Configured& event)
    {
        state.settings = event.settings;
        state.next_job = std::max(state.next_job, JobId{event.settings.first_job_id});
        declare_nodes(state);
        index_partitions(state);
        rebuild_queues(state);
    }

    void operator()(const JobSubmitted& event)
    {
        auto job = std::make_shared<Job>();
        job->id = event.job;
        job->request = event.request;
        job->request_id = event.request_id;
        job->digest = event.digest;
        job->priority = event.priority;
        job->submitted = at;
        job->submitted_wall = state.wall(at);
        job->waits_for_begin = event.request->begin && *event.request->begin > state.wall(at);
        if (event.request->hold)
            job->hold = Hold{.by = event.request->account->user, .by_operator = false};
        state.next_job = JobId{event.job.value + 1};
        state.index.requests.emplace(event.request_id, event.job.number());
        ++state.index.active_jobs;
        begin_relations(state, *job);
        enter_dependents(state, *job);
        enter_names(state, *job);
        const auto place = state.jobs.emplace_hint(state.jobs.end(), event.job, std::move(job));
        enter_queues(state, *place->second);
    }

    void operator()(const JobHeld& event)
    {
        change(event.job, [&](Job& job) { job.hold = event.hold; });
    }

    void operator()(const JobReleased& event)
    {
        change(event.job, [](Job& job) { job.hold.reset(); });
    }

    void operator()(const BeginReached& event)
    {
        change(event.job, [](Job& job) { job.waits_for_begin = false; });
    }

    void operator()(const JobStarted& event)
    {
        occupy(state, *change(event.job, [&](Job& job) {
                   job.state = JobState::running;
                   job.incarnation = event.incarnation;
                   job.run = Run{.placement = event.placement, .started = at, .started_wall = state.wall(at)};
                   if (event.placement.nodes.size() > 1)
                       job.run->members.assign(event.placement.nodes.size(), MemberState::starting);
               }));
        if (event.job.is_task())
            if (auto& first = state.arrays.at(event.job.value).first_start; !first)
                first = at;
    }

    void operator()(const JobStopRequested& event)
    {
        replace(state, event.job, [&](Job& job) {
            job.state = JobState::completing;
            job.stop = event.stop;
            end_suspension(*job.run, at);
        });
    }

    void operator()(const JobSuspended& event)
    {
        change(event.job, [&](Job& job) {
            auto& suspension = job.run->suspension;
            job.state = JobState::suspended;
            suspension = Suspension{event.by, event.by_operator, suspension ? suspension->since : at};
        });
    }

    void operator()(const JobResumed& event)
    {
        change(event.job, [&](Job& job) {
            job.state = JobState::running;
            end_suspension(*job.run, at);
        });
    }

    void operator()(const StepsEnded& event)
    {
        replace(state, event.job, [&](Job& job) {
            auto& steps = job.run->steps;
            steps.through = event.first + event.steps.size() - 1;
            steps.failed += static_cast<std::uint32_t>(
                std::ranges::count_if(event.steps, [](const StepEnd& end) { return end.exit_code != 0 || end.signal != 0; }));
        });
    }

    void operator()(const JobEnded& event)
    {
        const auto before = state.jobs.at(event.job);
        if (holds_resources(before->state))
            vacate(state, *before);
        leave_dependents(state, *before);
        leave_names(state, *before);
        const auto after = change(event.job, [&](Job& job) {
            job.state = event.end.state;
            if (job.run)
                end_suspension(*job.run, at);
            job.ended = Ended{.end = event.end, .usage = event.usage, .at = at, .wall = state.wall(at)};
        });
        if (event.job.is_task())
            note_task_end(state, *after);
        state.index.ended.insert({at, event.job});
        --state.index.active_jobs;
    }

    // Of one that runs, or that ended and is still known.
    void operator()(const JobRequeued& event)
    {
        const auto before = state.jobs.at(event.job);
        if (holds_resources(before->state))
            vacate(state, *before);
        if (before->ended) {
            state.index.ended.erase({before->ended->at, event.job});
            ++state.index.active_jobs;
            if (event.job.is_task())
                note_task_revived(state, *before);
        }
        const auto after = change(event.job, [&](Job& job) {
            job.state = JobState::pending;
            job.incarnation = Incarnation{event.incarnation.value + 1};
            job.run.reset();
            job.stop.reset();
            job.ended.reset();
            job.not_before = event.not_before;
            job.failed_attempts += event.counts_as_retry;
        });
        if (!before->ended)
            return;
        enter_dependents(state, *after);
        enter_names(state, *after);
    }

    void operator()(const JobForgotten& event)
    {
        const auto job = state.jobs.at(event.job);
        state.index.ended.erase({job->ended->at, job->id});
        if (event.job.is_task()) {
            count_task(state, *job, -1);
        } else {
            state.index.requests.erase(job->request_id);
            state.arrays.erase(event.job.value);
        }
        state.jobs.erase(event.job);
    }

    // Of nodes, and of runs over several of them.
    template <class EventType>
    void operator()(const EventType& event)
        requires requires { apply_event(state, at, event); }
    {
        apply_event(state, at, event);
    }
    void operator()(const TasksSplit& event) { apply_event(state, event, at); }
    void operator()(const TasksEnded& event) { apply_event(state, event, at); }
    void operator()(const DependencyResolved& event) { apply_event(state, event, at); }
    void operator()(const TasksReleased& event) { apply_event(state, event, at); }
    void operator()(const RetryDue& event) { apply_event(state, event, at); }
};

} // namespace

void apply(State& state, const Event& event, Instant at)
{
    state.now = at;
    std::visit(Applier{state, at}, event);
}

void apply(State& state, const EventGroup& group)
{
    assert(group.sequence.value == state.sequence.value + 1);
    for (const auto& event : group.events)
        apply(state, event, group.at);
    state.sequence = group.sequence;
}

} // namespace jarvis::cluster
