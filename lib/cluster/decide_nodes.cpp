// What operators say of nodes: drain, resume, down.
#include "cluster/authorize.hpp"
#include "cluster/decide.hpp"
#include "cluster/silence.hpp"

namespace jarvis::cluster {

namespace {

// Runs `one(node)` for each named node that exists, and replies with how it went.
template <class CommandType, class One>
Outcome for_each_node(const State& state, const CommandType& command, One one)
{
    Outcome outcome;
    Result<ReplyBody> body;
    if (auto allowed = may_change_nodes(command.caller); !allowed) {
        body = std::unexpected(allowed.error());
    } else {
        std::vector<ItemResult> items;
        for (const auto& name : command.nodes) {
            const auto* node = state.find_node(name);
            Result<void> result;
            if (node)
                one(*node, outcome);
            else
                result = fail(Errc::not_found, "no node \"{}\"", name);
            items.push_back({{}, name, std::move(result)});
        }
        body = ReplyBody{std::move(items)};
    }
    if (command.token != 0)
        outcome.effects.push_back(Reply{command.token, std::move(body)});
    return outcome;
}

} // namespace

Outcome decide(const State& state, const NodeDisconnected& command, Instant)
{
    const auto* node = state.find_node(command.name);
    if (!node || !node->connected)
        return {};
    return {.events = {NodeLost{node->id}}, .effects = {}, .advice = {}};
}

Outcome decide(const State& state, const DrainNodes& command, Instant now)
{
    return for_each_node(state, command, [&](const Node& node, Outcome& outcome) {
        if (!node.drain || node.drain->reason != command.reason)
            outcome.events.push_back(NodeDrained{node.id, {command.reason, command.caller.user, state.wall(now)}});
    });
}

Outcome decide(const State& state, const ResumeNodes& command, Instant)
{
    return for_each_node(state, command, [&](const Node& node, Outcome& outcome) {
        if (node.drain || node.down)
            outcome.events.push_back(NodeResumed{node.id});
    });
}

// Its jobs end at once; what of them still runs there is stopped now, or when the node is heard of again.
Outcome decide(const State& state, const DownNodes& command, Instant now)
{
    return for_each_node(state, command, [&, ends = std::optional<RunEnds>()](const Node& node, Outcome& outcome) mutable {
        if (node.down && !node.down->by.empty() && node.down->reason == command.reason && node.down->confirmed == command.confirmed)
            return;
        if (!ends)
            ends.emplace(state, now, outcome);
        const auto& by = command.caller.user;
        down_node(state, node, {command.reason, by, state.wall(now), command.confirmed}, fmt::format("node {} was set down by {}: {}", node.name, by, command.reason),
                  command.confirmed || state.settings.requeue_on_silence, *ends, outcome);
    });
}

} // namespace jarvis::cluster
