// What is derived of arrays and dependencies.
#include "cluster/derived.hpp"
#include "cluster/relations.hpp"

namespace jarvis::cluster {

namespace {

using Dependents = Indexes::Dependents;

void erase_dependent(Dependents& dependents, JobId of, JobId job, std::uint32_t dependency)
{
    auto found = dependents.find(of);
    if (found == dependents.end())
        return;
    found->second.erase({job, dependency});
    if (found->second.empty())
        dependents.erase(found);
}

} // namespace

void update_array_queue(State& state, JobId id)
{
    const auto& array = *state.jobs.at(id);
    auto& progress = state.arrays.at(id.value);
    auto* queue = queue_of(state, array);
    const bool wanted = queue && wants_queue(state, array);
    if (wanted == progress.queued)
        return;
    progress.queued = wanted;
    if (wanted)
        queue->insert(array.queue_key());
    else if (queue)
        queue->erase(array.queue_key());
}

void task_enters(State& state, const Job& task)
{
    const auto id = task.id.array();
    auto& progress = state.arrays.at(id.value);
    if (task.eligible() && lets_go(*state.jobs.at(id), progress, task.id.task))
        progress.ready.insert(task.id.task);
    update_array_queue(state, id);
}

void task_leaves(State& state, const Job& task)
{
    auto& progress = state.arrays.at(task.id.value);
    progress.ready.erase(task.id.task);
    update_array_queue(state, task.id.array());
}

void release_tasks(ArrayProgress& progress, const Job& array, const IndexSet& tasks)
{
    if (progress.corr.empty())
        return;
    auto going = common(tasks, progress.waiting);
    if (!array.request->dependencies->any)
        for (const auto& [index, corr] : progress.corr)
            going = common(going, corr.ok);
    progress.released |= going;
}

void count_task(State& state, const Job& task, int by)
{
    auto& progress = state.arrays.at(task.id.value);
    const auto add = [by](std::uint64_t& count) { count += static_cast<std::uint64_t>(static_cast<std::int64_t>(by)); };
    add(progress.known);
    if (!is_final(task.state))
        add(progress.unended);
    if (holds_resources(task.state))
        add(progress.holding);
}

void rebuild_arrays(State& state)
{
    for (auto& [id, progress] : state.arrays) {
        progress.released = {};
        progress.known = progress.unended = progress.holding = 0;
        for (const auto& [index, corr] : progress.corr)
            release_tasks(progress, *state.jobs.at({id}), corr.ok);
    }
    for (const auto& [id, job] : state.jobs)
        if (id.is_task())
            count_task(state, *job, 1);
}

void enter_dependents(State& state, const Job& job)
{
    if (!job.waits || job.id.is_task() || is_final(job.state))
        return;
    const auto& list = job.request->dependencies->list;
    job.waits->open.for_each([&](std::uint32_t i) {
        const auto& dependency = list[i];
        if (auto due = job.waits->due.find(i); due != job.waits->due.end()) {
            state.index.delays.insert({due->second, job.id, i});
            return;
        }
        switch (dependency.kind) {
        case DependencyKind::singleton: break; // found by name
        case DependencyKind::aftercorr: state.index.corr[dependency.job].insert({job.id, i}); break;
        case DependencyKind::after: state.index.on_start[dependency.job].insert({job.id, i}); [[fallthrough]];
        default: state.index.on_end[dependency.job].insert({job.id, i});
        }
    });
}

void leave_dependent(State& state, const Job& job, std::uint32_t i)
{
    const auto& dependency = job.request->dependencies->list[i];
    if (auto due = job.waits->due.find(i); due != job.waits->due.end()) {
        state.index.delays.erase({due->second, job.id, i});
        return;
    }
    if (dependency.kind == DependencyKind::aftercorr)
        return erase_dependent(state.index.corr, dependency.job, job.id, i);
    erase_dependent(state.index.on_start, dependency.job, job.id, i);
    erase_dependent(state.index.on_end, dependency.job, job.id, i);
}

void leave_dependents(State& state, const Job& job)
{
    if (job.waits && !job.id.is_task() && !is_final(job.state))
        job.waits->open.for_each([&](std::uint32_t i) { leave_dependent(state, job, i); });
}

void enter_names(State& state, const Job& job)
{
    if (!job.id.is_task() && !is_final(job.state))
        state.index.names.insert(NamedJob(job));
}

void leave_names(State& state, const Job& job)
{
    if (!job.id.is_task())
        state.index.names.erase(NamedJob(job));
}

// Sorted first, as requests are.
void rebuild_names(State& state)
{
    std::vector<NamedJob> names;
    names.reserve(state.index.active_jobs);
    for (const auto& [id, job] : state.jobs)
        if (!id.is_task() && !is_final(job->state))
            names.emplace_back(*job);
    std::ranges::sort(names, ByName{});
    state.index.names = {names.begin(), names.end()};
}

} // namespace jarvis::cluster
