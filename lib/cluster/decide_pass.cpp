// The scheduling pass. One step starts the job that is next in a partition, or says why it has to wait.
#include "cluster/decide.hpp"
#include "cluster/reasons.hpp"
#include "cluster/relations.hpp"
#include "cluster/submit.hpp"

namespace jarvis::cluster {

namespace {

// What starts when it is a job's turn: of an array the next task, which becomes a job of its own if it is none yet.
JobRef start_of(const State& state, const Job& job, Outcome& outcome)
{
    if (!job.is_array())
        return {job.id, job.incarnation};
    const auto& progress = state.arrays.at(job.id.value);
    const JobId id{job.id.value, *next_task(job, progress)};
    if (progress.ready.contains(id.task))
        return {id, state.jobs.at(id)->incarnation};
    outcome.events.push_back(TasksSplit{job.id, {id.task}});
    return {id, Incarnation{1}};
}

// What is held when it cannot run: of an array the task whose turn it is, if that is a job of its own, since a hold on the
// array keeps only those back that are not.
JobId in_turn(const State& state, const Job& job)
{
    if (!job.is_array())
        return job.id;
    const auto& progress = state.arrays.at(job.id.value);
    const JobId task{job.id.value, *next_task(job, progress)};
    return progress.ready.contains(task.task) ? task : job.id;
}

} // namespace

Outcome decide(const State& state, const ContinuePass& command, Instant)
{
    Outcome outcome;
    if (command.partition >= state.settings.partitions.size())
        return outcome; // the configuration changed since
    const auto& partition = state.settings.partitions[command.partition];
    const auto next = state.index.queues[command.partition].next();
    if (!next) {
        outcome.advice = PartitionAdvice{command.partition, {}, {}, {}};
        return outcome;
    }

    const auto job = state.find(*next);
    auto placement = partition.up ? find_place(state, partition, *job->request) : std::nullopt;
    if (!placement) {
        // Taken while the nodes were not yet known, or they have shrunk since: it must not keep others from starting.
        if (auto never = never_runs(state, partition, *job->request, "it"); !never.empty()) {
            outcome.events.push_back(JobHeld{in_turn(state, *job), {"the scheduler: " + never, false}});
            return outcome;
        }
        outcome.advice = why_not(state, command.partition, *job);
        return outcome;
    }
    const auto starts = start_of(state, *job, outcome);
    // Of several nodes the first starts last, when the others are prepared.
    const auto orders = placement->nodes.size();
    const auto shared = std::make_shared<const Placement>(*placement);
    for (std::size_t i = orders == 1 ? 0 : 1; i < orders; ++i)
        outcome.effects.push_back(StartOnNode{placement->nodes[i].node, starts, job->request, shared, i > 0});
    outcome.events.push_back(JobStarted{starts.job, starts.incarnation, std::move(*placement)});
    return outcome;
}

} // namespace jarvis::cluster
