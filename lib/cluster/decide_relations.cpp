// Dependencies between jobs, and the ends of arrays. What a start or an end means for those who wait is decided in steps of a
// counted size, so that ten thousand dependents of one job hold up nobody.
#include "cluster/decide.hpp"
#include "cluster/dependencies.hpp"
#include "cluster/relations.hpp"
#include "cluster/run_ends.hpp"

namespace jarvis::cluster {

namespace {

constexpr std::size_t dependents_per_step = 64;

std::optional<DependencyResolved> resolved(JobId job, std::uint32_t i, DependencyOutcome outcome, Instant due = {})
{
    return DependencyResolved{job, i, outcome, due};
}

bool first_of_its_name(const State& state, JobId id, const JobRequest& request)
{
    const auto first = state.first_of_name(request.account->uid, request.name);
    return !first || *first >= id;
}

// What one dependency of a job comes to now; nothing while that is open.
std::optional<DependencyResolved> resolve(const State& state, JobId job, const JobRequest& request, std::uint32_t i, Instant now)
{
    const auto& dependency = request.dependencies->list[i];
    if (dependency.kind == DependencyKind::singleton)
        return first_of_its_name(state, job, request) ? resolved(job, i, DependencyOutcome::satisfied) : std::nullopt;
    const auto fate = fate_of(state, dependency.job);
    switch (dependency.kind) {
    case DependencyKind::after:
        if (fate.start && *fate.start + dependency.delay > now)
            return resolved(job, i, DependencyOutcome::delayed, *fate.start + dependency.delay);
        return fate.started || fate.over ? resolved(job, i, DependencyOutcome::satisfied) : std::nullopt;
    case DependencyKind::afterany: return fate.over ? resolved(job, i, DependencyOutcome::satisfied) : std::nullopt;
    case DependencyKind::afterok:
    case DependencyKind::afternotok: {
        if (!fate.over)
            return std::nullopt;
        const bool holds = fate.well == (dependency.kind == DependencyKind::afterok);
        return resolved(job, i, holds ? DependencyOutcome::satisfied : DependencyOutcome::never);
    }
    default: return std::nullopt; // aftercorr: task by task
    }
}

// Of aftercorr: what is new of the other array for these tasks of this one.
std::optional<TasksReleased> released(const State& state, JobId array, std::uint32_t i, const IndexSet& tasks, JobId other, const CorrTasks* known)
{
    const auto& progress = state.arrays.at(other.value);
    TasksReleased event{array, i, common(tasks, progress.succeeded), common(tasks, progress.failed) | common(tasks, progress.cancelled)};
    if (known) {
        event.ok -= known->ok;
        event.ok -= known->never; // what was decided stays so
        event.never -= known->ok;
        event.never -= known->never;
    }
    if (event.ok.empty() && event.never.empty())
        return std::nullopt;
    return event;
}

// Ends what can never start, if its owner wants that: a job, or tasks of an array.
void end_job(const State& state, JobId id, const JobRequest& request, const std::string& cause, Outcome& outcome)
{
    if (!request.is_array()) {
        const auto job = state.find(id);
        outcome.events.push_back(JobEnded{id, job ? job->incarnation : Incarnation{1}, cancelled(cause), {}});
        return;
    }
    const auto progress = state.arrays.find(id.value);
    const auto& waiting = progress == state.arrays.end() ? request.array->tasks : progress->second.waiting;
    if (!waiting.empty())
        outcome.events.push_back(TasksEnded{id, waiting, cancelled(cause)});
    for (auto it = state.jobs.upper_bound(id); it != state.jobs.end() && it->first.value == id.value; ++it)
        if (it->second->state == JobState::pending)
            outcome.events.push_back(JobEnded{it->first, it->second->incarnation, cancelled(cause), {}});
}

void end_tasks(const State& state, const Job& array, const IndexSet& tasks, const std::string& cause, Outcome& outcome)
{
    const auto& progress = state.arrays.at(array.id.value);
    if (auto waiting = common(tasks, progress.waiting); !waiting.empty())
        outcome.events.push_back(TasksEnded{array.id, std::move(waiting), cancelled(cause)});
    if (progress.unended == 0)
        return;
    tasks.for_each([&](std::uint32_t k) {
        if (const auto task = state.find({array.id.value, k}); task && task->state == JobState::pending)
            outcome.events.push_back(JobEnded{task->id, task->incarnation, cancelled(cause), {}});
    });
}

// Tasks that an aftercorr has newly given up, and with them those that can never start.
void take_never(const State& state, const Job& array, const TasksReleased& event, Outcome& outcome)
{
    const auto& dependencies = *array.request->dependencies;
    auto never = event.never;
    if (dependencies.any) {
        if (other_may_hold(array, event.dependency))
            return; // and then all of them go
        for (const auto& [i, corr] : state.arrays.at(array.id.value).corr)
            if (i != event.dependency)
                never = common(never, corr.never);
    }
    end_tasks(state, array, never, never_text(state, dependencies.list[event.dependency]), outcome);
}

void take(const State& state, const Job& job, DependencyResolved event, Outcome& outcome)
{
    const auto& dependencies = *job.request->dependencies;
    const auto i = event.dependency;
    const bool ends = job.request->kill_on_invalid_dependency && event.outcome == DependencyOutcome::never &&
                      !(dependencies.any && other_may_hold(job, i));
    outcome.events.push_back(std::move(event));
    if (!ends)
        return;
    const auto cause = never_text(state, dependencies.list[i]);
    if (dependencies.any && job.is_array())
        if (const auto& progress = state.arrays.at(job.id.value); !progress.corr.empty()) // which let some tasks go all the same
            return end_tasks(state, job, given_up(progress), cause, outcome);
    end_job(state, job.id, *job.request, cause, outcome);
}

// One step for the dependents of `of`: at most so many, each once, the rest in the next step.
void take_dependents(const State& state, const Indexes::Dependents& dependents, JobId of, Instant now, std::set<JobId>& touched, Outcome& outcome)
{
    const auto found = dependents.find(of);
    if (found == dependents.end())
        return;
    for (const auto& [id, i] : found->second) {
        if (touched.size() >= dependents_per_step)
            return;
        const auto job = state.find(id);
        auto event = resolve(state, id, *job->request, i, now);
        if (event && touched.insert(id).second)
            take(state, *job, std::move(*event), outcome);
    }
}

// `of` is an array, or a task of one whose number alone is looked at.
void take_corr(const State& state, JobId of, std::set<JobId>& touched, Outcome& outcome)
{
    const auto found = state.index.corr.find(of.array());
    if (found == state.index.corr.end() || !state.arrays.contains(of.value))
        return; // nobody waits; or it is forgotten, and an array that had waited for it was opened again
    for (const auto& [id, i] : found->second) {
        if (touched.size() >= dependents_per_step)
            return;
        const auto array = state.find(id);
        const auto& tasks = array->request->array->tasks;
        if (of.is_task() && !tasks.contains(of.task))
            continue;
        auto event = released(state, id, i, of.is_task() ? IndexSet{of.task} : tasks, of.array(), &state.arrays.at(id.value).corr.at(i));
        if (!event || !touched.insert(id).second)
            continue;
        outcome.events.push_back(*event);
        if (array->request->kill_on_invalid_dependency && !event->never.empty())
            take_never(state, *array, *event, outcome);
    }
}

// A singleton that is the first of its name now.
void take_singleton(const State& state, const Job& job, Instant now, Outcome& outcome)
{
    const auto& list = job.request->dependencies->list;
    for (std::uint32_t i = 0; i < list.size(); ++i)
        if (list[i].kind == DependencyKind::singleton && job.waits->open.contains(i))
            if (auto event = resolve(state, job.id, *job.request, i, now))
                return take(state, job, std::move(*event), outcome);
}

std::string state_of(const State& state, JobId id)
{
    const auto job = state.find(id);
    if (job && job->ended)
        return std::string(name(job->state));
    return fate_of(state, id).well ? "COMPLETED" : "not well";
}

Result<void> check_dependency(const State& state, const JobRequest& request, const Dependency& dependency)
{
    if (dependency.kind == DependencyKind::singleton)
        return {};
    if (!fate_of(state, dependency.job).known) {
        const auto array = state.find(dependency.job.array());
        if (dependency.job.is_task() && array)
            return fail(Errc::not_found, "--dependency: job {} has no task {}", dependency.job.array(), dependency.job.task);
        return fail(Errc::not_found, "--dependency: no job {}; an ended job can be waited for only while jq knows it", dependency.job);
    }
    if (dependency.kind != DependencyKind::aftercorr)
        return {};
    const auto other = state.find(dependency.job);
    if (!other || !other->is_array() || !request.is_array())
        return fail(Errc::invalid, "--dependency: aftercorr stands between two arrays; {} is none",
                    request.is_array() ? fmt::format("job {}", dependency.job) : "this job");
    const auto& tasks = request.array->tasks;
    if (common(tasks, other->request->array->tasks).size() != tasks.size())
        return fail(Errc::invalid, "--dependency: aftercorr needs each task to have its like, and array {} has no task {}", dependency.job,
                    (tasks - other->request->array->tasks).first());
    return {};
}

} // namespace

Result<void> check_dependencies(const State& state, const JobRequest& request)
{
    for (const auto& dependency : request.dependencies->list)
        if (auto checked = check_dependency(state, request, dependency); !checked)
            return checked;
    return {};
}

void resolve_at_submit(const State& state, JobId id, const JobRequest& request, Instant now, Outcome& outcome)
{
    const auto& [any, list] = *request.dependencies;
    std::size_t never = 0;
    std::vector<std::pair<std::uint32_t, IndexSet>> dead; // tasks that an aftercorr gives up, by dependency
    for (std::uint32_t i = 0; i < list.size(); ++i) {
        if (list[i].kind == DependencyKind::aftercorr) {
            auto event = released(state, id, i, request.array->tasks, list[i].job, nullptr);
            dead.emplace_back(i, event ? event->never : IndexSet{});
            if (event)
                outcome.events.push_back(std::move(*event));
            continue;
        }
        const auto event = resolve(state, id, request, i, now);
        if (!event)
            continue;
        outcome.events.push_back(*event);
        if (event->outcome == DependencyOutcome::satisfied && any)
            return;
        never += event->outcome == DependencyOutcome::never;
        if (never == (any ? list.size() : 1)) {
            if (request.kill_on_invalid_dependency)
                end_job(state, id, request, never_text(state, list[i]), outcome);
            return;
        }
    }
    if (!request.kill_on_invalid_dependency || dead.empty())
        return;
    if (any) {
        if (never + dead.size() < list.size())
            return; // another one may hold
        auto tasks = request.array->tasks;
        for (const auto& [i, lost] : dead)
            tasks = common(tasks, lost);
        dead = {{dead.back().first, std::move(tasks)}};
    }
    IndexSet over;
    for (auto& [i, tasks] : dead) {
        tasks -= over;
        if (tasks.empty())
            continue;
        over |= tasks;
        outcome.events.push_back(TasksEnded{id, tasks, cancelled(never_text(state, list[i]))});
    }
}

Outcome decide(const State& state, const SettleJob& command, Instant now)
{
    Outcome outcome;
    const auto job = state.find(command.job);
    if (job && job->is_array() && job->state == JobState::pending) {
        const auto& progress = state.arrays.at(command.job.value);
        if (progress.done()) {
            outcome.events.push_back(JobEnded{job->id, job->incarnation, end_of_array(*job, progress), {}});
            return outcome;
        }
    }
    if (job && job->waits && job->state == JobState::pending)
        take_singleton(state, *job, now, outcome);
    std::set<JobId> touched;
    take_dependents(state, state.index.on_start, command.job, now, touched, outcome);
    take_dependents(state, state.index.on_end, command.job, now, touched, outcome);
    take_corr(state, command.job, touched, outcome);
    if (!job || !job->is_array())
        return outcome;
    // Tasks that ended without having been jobs of their own.
    for (auto it = state.index.on_end.upper_bound(command.job);
         it != state.index.on_end.end() && it->first.value == command.job.value && touched.size() < dependents_per_step; ++it)
        take_dependents(state, state.index.on_end, it->first, now, touched, outcome);
    return outcome;
}

std::string never_text(const State& state, const Dependency& dependency)
{
    const auto text = format_dependencies({false, {dependency}});
    if (dependency.kind == DependencyKind::aftercorr)
        return fmt::format("dependency {} can never hold: tasks of array {} did not end well", text, dependency.job);
    return fmt::format("dependency {} can never hold: job {} ended as {}", text, dependency.job, state_of(state, dependency.job));
}

std::string waits_text(const Job& job, std::size_t most)
{
    if (!job.waits)
        return {};
    Dependencies open{job.request->dependencies->any && job.waits->open.size() > 1, {}};
    bool more = false;
    job.waits->open.for_each([&](std::uint32_t i) {
        if (open.list.size() < most)
            open.list.push_back(job.request->dependencies->list[i]);
        else
            more = true;
    });
    return open.list.empty() ? std::string() : format_dependencies(open) + (more ? ",..." : "");
}

} // namespace jarvis::cluster
