#include "dependency_witness.hpp"

#include "world.hpp"

#include <algorithm>

namespace jarvis::sim {

void DependencyWitness::note_end(JobId id, bool well)
{
    ended_.insert(id);
    (well ? well_ : badly_).insert(id);
}

bool DependencyWitness::held(const cluster::State& before, JobId id, const Dependency& dependency) const
{
    const auto other = dependency.job;
    switch (dependency.kind) {
    case DependencyKind::after: return started_.contains(other) || ended_.contains(other);
    case DependencyKind::afterok: return well_.contains(other);
    case DependencyKind::afterany: return ended_.contains(other);
    case DependencyKind::afternotok: return badly_.contains(other);
    case DependencyKind::aftercorr: return well_.contains({other.value, id.task});
    case DependencyKind::singleton: {
        // One that had ended may have been requeued since: it counted then.
        const auto& request = *before.find(id.array())->request;
        return std::ranges::none_of(before.jobs, [&](const auto& entry) {
            const auto& [earlier, job] = entry;
            return earlier.value < id.value && !earlier.is_task() && !is_final(job->state) && job->incarnation.value == 1 &&
                   job->request->account->uid == request.account->uid && job->request->name == request.name;
        });
    }
    }
    return true;
}

void DependencyWitness::check_start(const cluster::State& before, JobId id) const
{
    const auto& [any, list] = *before.find(id.array())->request->dependencies;
    const auto holds = [&](const Dependency& dependency) { return held(before, id, dependency); };
    if (list.empty() || (any ? std::ranges::any_of(list, holds) : std::ranges::all_of(list, holds)))
        return;
    broken("job {} starts, and does not wait for {}", id, format_dependencies({any, list}));
}

void DependencyWitness::see(const cluster::State& before, const cluster::Event& event)
{
    if (const auto* e = std::get_if<cluster::JobStarted>(&event)) {
        check_start(before, e->job);
        started_.insert(e->job);
        started_.insert(e->job.array());
    }
    if (const auto* e = std::get_if<cluster::JobEnded>(&event))
        note_end(e->job, e->end.state == JobState::completed);
    if (const auto* e = std::get_if<cluster::TasksEnded>(&event))
        e->tasks.for_each([&](std::uint32_t k) { note_end({e->array.value, k}, e->end.state == JobState::completed); });
}

void check_arrays(const cluster::State& state)
{
    std::map<std::uint64_t, std::pair<IndexSet, std::uint64_t>> seen; // tasks that are jobs and have not ended; how many hold something
    for (const auto& [id, job] : state.jobs) {
        if (!id.is_task())
            continue;
        const auto array = state.arrays.find(id.value);
        if (array == state.arrays.end())
            broken("task {} has no array", id);
        const auto& progress = array->second;
        if (progress.waiting.contains(id.task))
            broken("task {} is a job of its own, and waits as if it were not", id);
        if (is_final(job->state) == !(progress.succeeded.contains(id.task) || progress.failed.contains(id.task) || progress.cancelled.contains(id.task)))
            broken("task {} is {}, and its array says otherwise", id, name(job->state));
        if (!is_final(job->state))
            seen[id.value].first.insert(id.task);
        seen[id.value].second += holds_resources(job->state);
    }
    for (const auto& [number, progress] : state.arrays) {
        const auto& array = *state.find({number});
        const auto throttle = array.request->array->throttle;
        if (throttle != 0 && seen[number].second > throttle)
            broken("{} tasks of array {} run, and its limit is {}", seen[number].second, number, throttle);
        auto all = progress.waiting;
        std::uint64_t count = all.size();
        for (const IndexSet* part : std::initializer_list<const IndexSet*>{&progress.succeeded, &progress.failed, &progress.cancelled, &seen[number].first}) {
            all |= *part;
            count += part->size();
        }
        if (all != array.request->array->tasks || count != all.size())
            broken("array {} has the tasks {}, and in its books are {} ({} times)", number, format_index_set(array.request->array->tasks),
                   format_index_set(all), count);
        if (is_final(array.state) && (!progress.waiting.empty() || !seen[number].first.empty()))
            broken("array {} ended before its tasks", number);
    }
}

} // namespace jarvis::sim
