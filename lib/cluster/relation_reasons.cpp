#include "cluster/relation_reasons.hpp"

#include "base/units.hpp"
#include "cluster/dependencies.hpp"
#include "cluster/relations.hpp"

namespace jarvis::cluster {

namespace {

constexpr std::size_t named = 5; // dependencies in one line

std::optional<WaitReason> dependency_reason(const State& state, const Job& job)
{
    if (!dependencies_block(state, job))
        return std::nullopt;
    if (job.waits->never)
        return WaitReason{"DependencyNeverSatisfied", never_text(state, job.request->dependencies->list[*job.waits->never])};
    for (const auto& [index, due] : job.waits->due)
        if (job.waits->open.size() == 1)
            return WaitReason{"Dependency", fmt::format("waits for {}, which holds from {} on", waits_text(job, named),
                                                        format_rfc3339(state.wall(due)))};
    return WaitReason{"Dependency", fmt::format("waits for {}", waits_text(job, named))};
}

// Whether a task of an array with aftercorr can never start; `tasks` of those that wait, if it is asked of the array.
std::optional<WaitReason> corr_reason(const Job& array, const ArrayProgress& progress, const IndexSet& tasks)
{
    if (!array.waits || progress.corr.empty() || tasks.empty())
        return std::nullopt;
    const auto& dependencies = *array.request->dependencies;
    if (dependencies.any && !other_may_hold(array, {}) && common(tasks, given_up(progress)).size() == tasks.size())
        return WaitReason{"DependencyNeverSatisfied", "none of its dependencies can hold any more: tasks of the same number did not end well"};
    for (const auto& [index, corr] : progress.corr)
        if (!dependencies.any && common(tasks, corr.never).size() == tasks.size())
            return WaitReason{"DependencyNeverSatisfied", fmt::format("dependency {} can never hold: its task did not end well",
                                                                      format_dependencies({false, {dependencies.list[index]}}))};
    const auto all = waits_text(array, named);
    return WaitReason{"Dependency", all.empty() ? "waits for tasks of the same number" : fmt::format("waits for {}", all)};
}

} // namespace

std::optional<WaitReason> relation_reason(const State& state, const Job& job)
{
    if (job.not_before)
        return WaitReason{"RetryBackoff", fmt::format("starts again at {}: {} of {} retries used", format_rfc3339(state.wall(*job.not_before)),
                                                      job.failed_attempts, job.request->retry ? job.request->retry->times : 0)};
    const auto array = job.request->is_array() ? state.find(job.id.array()) : nullptr;
    if (!array)
        return dependency_reason(state, job);
    if (auto reason = dependency_reason(state, *array))
        return reason;
    const auto& progress = state.arrays.at(job.id.value);
    if (job.id.is_task() && !lets_go(*array, progress, job.id.task))
        return corr_reason(*array, progress, {job.id.task});
    if (!job.id.is_task() && progress.released.empty())
        if (auto reason = corr_reason(*array, progress, progress.waiting))
            return reason;
    if (array->waits_for_begin)
        return WaitReason{"BeginTime", fmt::format("begins at {}", format_rfc3339(*job.request->begin))};
    if (is_throttled(*array, progress))
        return WaitReason{"ArrayTaskLimit", fmt::format("{} tasks of array {} run, its limit (%{} in --array)", progress.holding, array->id,
                                                        job.request->array->throttle)};
    return std::nullopt;
}

} // namespace jarvis::cluster
