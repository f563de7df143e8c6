// Steps that have ended, as the node daemon of a job's first node tells them. The cluster decides nothing by them: they are journaled
// for the accounting history, and counted.
#include "cluster/decide.hpp"

#include <algorithm>

namespace jarvis::cluster {

namespace {

// The run that these steps are of; null: it is over, or was never the node's.
const Run* run_of(const State& state, const StepsReported& command)
{
    const auto job = state.find(command.job.job);
    if (!job || job->incarnation != command.job.incarnation || !holds_resources(job->state))
        return nullptr;
    return job->run->placement.nodes.front().node == command.node ? &*job->run : nullptr;
}

} // namespace

// What comes twice is journaled once. All is acknowledged, so that the node can forget it; also what nobody asks for any more.
Outcome decide(const State& state, const StepsReported& command, Instant)
{
    Outcome outcome;
    if (command.steps.empty())
        return outcome;
    const auto last = command.first + command.steps.size() - 1;
    const auto* run = run_of(state, command);
    if (run && last > run->steps.through) {
        const auto known = run->steps.through < command.first ? 0 : run->steps.through - command.first + 1;
        const auto news = command.steps.begin() + static_cast<std::ptrdiff_t>(known);
        outcome.events.push_back(StepsEnded{command.job.job, command.job.incarnation, command.first + known, {news, command.steps.end()}});
    }
    outcome.effects.push_back(AckStepsOnNode{command.node, command.job, last});
    return outcome;
}

} // namespace jarvis::cluster
