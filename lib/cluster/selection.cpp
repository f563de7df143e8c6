#include "cluster/selection.hpp"

namespace jarvis::cluster {

namespace {

// Those of the tasks that are jobs of their own, by the shorter way.
void collect_tasks(const State& state, const ArrayProgress& progress, std::uint64_t array, const IndexSet& tasks, std::vector<JobPtr>& jobs)
{
    if (tasks.size() < progress.known) {
        tasks.for_each([&](std::uint32_t k) {
            if (auto job = state.find({array, k}))
                jobs.push_back(std::move(job));
        });
        return;
    }
    for (auto it = state.jobs.upper_bound({array}); it != state.jobs.end() && it->first.value == array; ++it)
        if (tasks.contains(it->first.task))
            jobs.push_back(it->second);
}

} // namespace

Result<Selected> select(const State& state, const JobSelection& selection)
{
    Selected selected{.named = state.find({selection.job}), .jobs = {}, .waiting = {}, .whole = false, .is_one = false};
    if (!selected.named)
        return fail(Errc::not_found, "no job {} (ended jobs are in jacct)", selection.job);
    const auto& named = *selected.named;
    if (!named.is_array()) {
        if (selection.tasks)
            return fail(Errc::not_found, "job {} is no array and has no tasks", selection.job);
        selected.jobs.push_back(selected.named);
        selected.is_one = true;
        return selected;
    }
    const auto& progress = state.arrays.at(selection.job);
    const auto& all = named.request->array->tasks;
    if (!selection.tasks) {
        selected.whole = true;
        selected.waiting = progress.waiting;
        collect_tasks(state, progress, selection.job, all, selected.jobs);
        return selected;
    }
    const auto& tasks = *selection.tasks;
    if (const auto there = common(tasks, all); there.size() != tasks.size())
        return fail(Errc::not_found, "array {} has no task {}{}", selection.job, (tasks - there).first(),
                    tasks.size() - there.size() > 1 ? fmt::format(" (nor {} others that were named)", tasks.size() - there.size() - 1) : "");
    selected.is_one = tasks.size() == 1;
    selected.waiting = common(tasks, progress.waiting);
    collect_tasks(state, progress, selection.job, tasks, selected.jobs);
    return selected;
}

} // namespace jarvis::cluster
