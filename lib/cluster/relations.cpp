#include "cluster/relations.hpp"

#include <algorithm>

namespace jarvis::cluster {

IndexSet common(const IndexSet& few, const IndexSet& many)
{
    IndexSet both;
    const auto& ranges = many.ranges();
    for (auto [first, last] : few.ranges()) {
        auto at = ranges.upper_bound(first);
        if (at != ranges.begin() && std::prev(at)->second >= first)
            --at;
        for (; at != ranges.end() && at->first <= last; ++at)
            both.insert_range(std::max(first, at->first), std::min(last, at->second));
    }
    return both;
}

bool dependencies_block(const State& state, const Job& job)
{
    if (!job.waits)
        return false;
    if (!job.is_array() || job.waits->never)
        return true;
    const auto& corr = state.arrays.at(job.id.value).corr;
    if (corr.empty())
        return true;
    if (job.request->dependencies->any)
        return false;
    std::size_t others = job.waits->open.size();
    for (const auto& [index, tasks] : corr)
        others -= job.waits->open.contains(index);
    return others > 0;
}

bool lets_go(const Job& array, const ArrayProgress& progress, std::uint32_t task)
{
    if (!array.waits || progress.corr.empty())
        return true;
    const auto ok = [task](const auto& corr) { return corr.second.ok.contains(task); };
    return array.request->dependencies->any ? std::ranges::any_of(progress.corr, ok) : std::ranges::all_of(progress.corr, ok);
}

bool other_may_hold(const Job& job, std::optional<std::uint32_t> but)
{
    const auto& list = job.request->dependencies->list;
    bool other = false;
    if (job.waits)
        job.waits->open.for_each([&](std::uint32_t i) { other = other || (i != but && list[i].kind != DependencyKind::aftercorr); });
    return other;
}

IndexSet given_up(const ArrayProgress& progress)
{
    std::optional<IndexSet> tasks;
    for (const auto& [index, corr] : progress.corr)
        tasks = tasks ? common(*tasks, corr.never) : corr.never;
    return tasks.value_or(IndexSet{});
}

std::optional<std::uint32_t> next_task(const Job& array, const ArrayProgress& progress)
{
    std::optional<std::uint32_t> next;
    const auto& waiting = array.waits && !progress.corr.empty() ? progress.released : progress.waiting;
    if (!array.hold && !waiting.empty())
        next = waiting.first();
    if (!progress.ready.empty())
        next = next ? std::min(*next, progress.ready.first()) : progress.ready.first();
    return next;
}

bool is_throttled(const Job& array, const ArrayProgress& progress)
{
    const auto throttle = array.request->array->throttle;
    return throttle != 0 && progress.holding >= throttle;
}

bool wants_queue(const State& state, const Job& array)
{
    const auto& progress = state.arrays.at(array.id.value);
    return array.state == JobState::pending && !array.waits_for_begin && !dependencies_block(state, array) &&
           !is_throttled(array, progress) && next_task(array, progress);
}

Fate fate_of(const State& state, JobId id)
{
    const auto array = id.is_task() ? state.find(id.array()) : nullptr;
    if (id.is_task() && (!array || !array->is_array() || !array->request->array->tasks.contains(id.task)))
        return {};
    if (const auto job = state.find(id)) {
        Fate fate{.known = true, .started = job->run || job->incarnation.value > 1, .start = {}, .over = is_final(job->state),
                  .well = job->state == JobState::completed};
        if (job->run)
            fate.start = job->run->started;
        if (job->is_array()) {
            fate.start = state.arrays.at(id.value).first_start;
            fate.started = fate.start.has_value();
        }
        return fate;
    }
    if (!array)
        return {};
    const auto& progress = state.arrays.at(id.value);
    const bool well = progress.succeeded.contains(id.task);
    const bool over = well || progress.failed.contains(id.task) || progress.cancelled.contains(id.task);
    return {.known = true, .started = well || progress.failed.contains(id.task), .start = {}, .over = over, .well = well};
}

JobEnd end_of_array(const Job& array, const ArrayProgress& progress)
{
    JobEnd end{.state = JobState::completed, .end_class = EndClass::none, .exit_code = 0, .signal = 0, .cause = {}};
    const auto all = array.request->array->tasks.size();
    if (!progress.failed.empty()) {
        end.state = JobState::failed;
        end.end_class = EndClass::user;
        end.exit_code = progress.highest_exit;
        end.cause = fmt::format("{} of {} tasks failed", progress.failed.size(), all);
    } else if (!progress.cancelled.empty()) {
        end.state = JobState::cancelled;
        end.end_class = EndClass::user;
        end.exit_code.reset();
        end.cause = fmt::format("{} of {} tasks were cancelled", progress.cancelled.size(), all);
    }
    return end;
}

JobPtr unsplit_task(const Job& array, const ArrayProgress& progress, std::uint32_t task)
{
    auto job = std::make_shared<Job>(array);
    job->id = {array.id.value, task};
    job->state = JobState::pending;
    job->ended.reset();
    if (progress.waiting.contains(task))
        return job;
    for (const auto& unstarted : progress.unstarted)
        if (unstarted.tasks.contains(task)) {
            job->state = unstarted.end.state;
            job->ended = Ended{.end = unstarted.end, .usage = {}, .at = unstarted.at, .wall = unstarted.wall};
            return job;
        }
    return nullptr;
}

} // namespace jarvis::cluster
