// The events of arrays, dependencies and retries.
#include "cluster/apply_relations.hpp"

#include "cluster/derived.hpp"
#include "cluster/relations.hpp"

namespace jarvis::cluster {

namespace {

// So many ends of tasks that never started are told apart; what comes then is put to the last of them.
constexpr std::size_t max_unstarted = 64;

IndexSet& ends_of(ArrayProgress& progress, JobState state)
{
    return state == JobState::completed ? progress.succeeded : state == JobState::cancelled ? progress.cancelled : progress.failed;
}

void note_unstarted(ArrayProgress& progress, const TasksEnded& event, Instant at, WallTime wall)
{
    auto& list = progress.unstarted;
    const bool same = !list.empty() && list.back().end == event.end && list.back().at == at;
    if (same || list.size() >= max_unstarted)
        list.back().tasks |= event.tasks;
    else
        list.push_back({event.tasks, event.end, at, wall});
}

// Tasks that were split off before dependencies let them go, such as held ones.
void update_ready(State& state, const Job& array)
{
    auto& progress = state.arrays.at(array.id.value);
    if (progress.known == 0)
        return;
    for (auto it = state.jobs.upper_bound(array.id); it != state.jobs.end() && it->first.value == array.id.value; ++it)
        if (it->second->eligible() && lets_go(array, progress, it->first.task))
            progress.ready.insert(it->first.task);
}

} // namespace

void begin_relations(State& state, Job& job)
{
    const auto& list = job.request->dependencies->list;
    if (!list.empty())
        job.waits = Waits{.open = IndexSet::range(0, static_cast<std::uint32_t>(list.size() - 1)), .never = {}, .due = {}};
    if (!job.is_array())
        return;
    auto& progress = state.arrays[job.id.value];
    progress.waiting = job.request->array->tasks;
    for (std::uint32_t i = 0; i < list.size(); ++i)
        if (list[i].kind == DependencyKind::aftercorr)
            progress.corr.emplace(i, CorrTasks{});
}

void note_task_end(State& state, const Job& task)
{
    auto& progress = state.arrays.at(task.id.value);
    const auto& end = task.ended->end;
    ends_of(progress, end.state).insert(task.id.task);
    if (end.state != JobState::completed)
        progress.highest_exit = std::max(progress.highest_exit, end.signal != 0 ? 128 + end.signal : end.exit_code.value_or(0));
}

void note_task_revived(State& state, const Job& task)
{
    auto& progress = state.arrays.at(task.id.value);
    ends_of(progress, task.ended->end.state).erase(task.id.task);
}

void apply_event(State& state, const TasksSplit& event, Instant)
{
    const auto array = state.jobs.at(event.array);
    auto& progress = state.arrays.at(event.array.value);
    progress.waiting -= event.tasks;
    progress.released -= event.tasks;
    event.tasks.for_each([&](std::uint32_t k) {
        auto task = std::make_shared<Job>();
        task->id = {event.array.value, k};
        task->request = array->request;
        task->request_id = array->request_id;
        task->digest = array->digest;
        task->priority = array->priority;
        task->submitted = array->submitted;
        task->submitted_wall = array->submitted_wall;
        const auto place = state.jobs.emplace(task->id, std::move(task)).first;
        ++state.index.active_jobs;
        count_task(state, *place->second, 1);
        task_enters(state, *place->second);
    });
    update_array_queue(state, event.array);
}

void apply_event(State& state, const TasksEnded& event, Instant at)
{
    auto& progress = state.arrays.at(event.array.value);
    progress.waiting -= event.tasks;
    progress.released -= event.tasks;
    ends_of(progress, event.end.state) |= event.tasks;
    note_unstarted(progress, event, at, state.wall(at));
    update_array_queue(state, event.array);
}

void apply_event(State& state, const DependencyResolved& event, Instant)
{
    const auto before = state.jobs.at(event.job);
    if (!before->waits || !before->waits->open.contains(event.dependency))
        return;
    const bool any = before->request->dependencies->any;
    const bool over = event.outcome == DependencyOutcome::satisfied ? any : event.outcome == DependencyOutcome::never && !any;
    if (over)
        leave_dependents(state, *before); // whatever becomes of the others
    else
        leave_dependent(state, *before, event.dependency);
    leave_queues(state, *before);
    const auto after = replace(state, event.job, [&](Job& job) {
        auto& waits = *job.waits;
        waits.due.erase(event.dependency);
        if (event.outcome == DependencyOutcome::delayed) {
            waits.due.emplace(event.dependency, event.due);
            return;
        }
        waits.open.erase(event.dependency);
        if (over) {
            waits.open = {};
            waits.due.clear();
        }
        const bool corr = job.is_array() && !state.arrays.at(job.id.value).corr.empty();
        if (event.outcome == DependencyOutcome::never && (over || (waits.open.empty() && !corr)))
            waits.never = event.dependency;
        else if (event.outcome == DependencyOutcome::satisfied && (any || (waits.open.empty() && !corr)))
            job.waits.reset();
    });
    if (event.outcome == DependencyOutcome::delayed)
        state.index.delays.insert({event.due, event.job, event.dependency});
    if (after->is_array() && !after->waits)
        update_ready(state, *after);
    enter_queues(state, *after);
}

void apply_event(State& state, const TasksReleased& event, Instant)
{
    auto array = state.jobs.at(event.array);
    auto& progress = state.arrays.at(event.array.value);
    const auto corr = progress.corr.find(event.dependency);
    if (corr == progress.corr.end() || !array->waits)
        return;
    corr->second.ok |= event.ok;
    corr->second.never |= event.never;
    if (corr->second.ok.size() + corr->second.never.size() == array->request->array->tasks.size() &&
        array->waits->open.contains(event.dependency)) {
        leave_dependent(state, *array, event.dependency);
        array = replace(state, event.array, [&](Job& job) { job.waits->open.erase(event.dependency); });
    }
    release_tasks(progress, *array, event.ok);
    if (progress.known > 0)
        event.ok.for_each([&](std::uint32_t k) {
            if (const auto task = state.find({event.array.value, k}); task && task->eligible() && lets_go(*array, progress, k))
                progress.ready.insert(k);
        });
    update_array_queue(state, event.array);
}

void apply_event(State& state, const RetryDue& event, Instant)
{
    leave_queues(state, *state.jobs.at(event.job));
    enter_queues(state, *replace(state, event.job, [](Job& job) { job.not_before.reset(); }));
}

} // namespace jarvis::cluster
