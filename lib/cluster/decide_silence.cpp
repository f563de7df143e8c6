// Nodes that have not been heard of for too long.
#include "base/units.hpp"
#include "cluster/decide.hpp"
#include "cluster/silence.hpp"

namespace jarvis::cluster {

namespace {

// So many events come of one command; nodes that are still due are the next command's.
constexpr std::size_t batch_of_silence = 500;

} // namespace

void down_node(const State& state, const Node& node, Down down, const std::string& cause, bool may_requeue, RunEnds& ends, Outcome& outcome)
{
    outcome.events.push_back(NodeDowned{node.id, std::move(down)});
    for (JobId id : node.jobs) {
        const auto job = state.find(id);
        if (ends.over(*job, node.id))
            continue;
        if (node.connected)
            outcome.effects.push_back(StopOnNode{node.id, {id, job->incarnation}, StopWhy::unknown, cause});
        ends.part_lost(*job, node.id, cause, may_requeue);
    }
}

void decide_silence(const State& state, Instant now, Outcome& outcome)
{
    RunEnds ends(state, now, outcome);
    const auto limit = state.settings.down_after;
    for (const auto& [since, id] : state.index.silent) {
        if (since + limit > now || outcome.events.size() >= batch_of_silence)
            return;
        const auto& node = state.nodes[id.value];
        const auto reason = fmt::format("silent for {}", format_duration_exact(limit));
        down_node(state, node, {reason, {}, state.wall(now), false}, fmt::format("node {} is down: {}", node.name, reason),
                  state.settings.requeue_on_silence, ends, outcome);
    }
}

std::optional<Instant> next_silence(const State& state)
{
    if (state.index.silent.empty())
        return std::nullopt;
    return state.index.silent.begin()->first + state.settings.down_after;
}

} // namespace jarvis::cluster
