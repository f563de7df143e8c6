// The scheduling pass. One step starts the job that is next in a partition, or says why it has to wait.
#include "cluster/decide.hpp"
#include "cluster/reasons.hpp"
#include "cluster/submit.hpp"

namespace jarvis::cluster {

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
        if (auto never = never_runs(state, partition, *job->request); !never.empty()) {
            outcome.events.push_back(JobHeld{job->id, {fmt::format("the scheduler: no node of partition {} can ever run it: it asks for {}",
                                                                   partition.name, never), false}});
            return outcome;
        }
        outcome.advice = why_not(state, command.partition, *job);
        return outcome;
    }
    Placement whole{{std::move(*placement)}};
    outcome.effects.push_back(StartOnNode{whole.nodes.front().node, {job->id, job->incarnation}, job->request, whole});
    outcome.events.push_back(JobStarted{job->id, job->incarnation, std::move(whole)});
    return outcome;
}

} // namespace jarvis::cluster
