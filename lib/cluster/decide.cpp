// The controller's own commands: its start, its configuration, and time.
#include "cluster/decide.hpp"

#include <cstdlib>

namespace jarvis::cluster {

namespace {

// So much is done for the clock's sake in one command; the rest waits for the next one.
constexpr std::size_t batch_of_time = 500;

// Wall time that moved by less than this against elapsed time is left alone.
constexpr Duration wall_tolerance = std::chrono::seconds(1);

Duration offset_of(WallTime wall, Instant now) { return wall.time_since_epoch() - now.time_since_epoch(); }

} // namespace

Outcome decide(const State& state, const Command& command, Instant now)
{
    return std::visit([&](const auto& c) { return decide(state, c, now); }, command);
}

Outcome decide(const State& state, const CreateCluster& command, Instant)
{
    if (state.uuid != Uuid{})
        return {};
    return {.events = {ClusterCreated{command.uuid, command.name}}, .effects = {}, .advice = {}};
}

Outcome decide(const State& state, const StartController& command, Instant now)
{
    Outcome outcome;
    outcome.events.push_back(ControllerStarted{Epoch{state.epoch.value + 1}, command.clock});
    if (const auto offset = offset_of(command.wall, now); offset != state.wall_offset)
        outcome.events.push_back(WallClockSet{offset});
    return outcome;
}

Outcome decide(const State& state, const WallClock& command, Instant now)
{
    const auto offset = offset_of(command.wall, now);
    if (std::chrono::abs(offset - state.wall_offset) <= wall_tolerance)
        return {};
    return {.events = {WallClockSet{offset}}, .effects = {}, .advice = {}};
}

Outcome decide(const State& state, const Configure& command, Instant)
{
    Outcome outcome;
    if (command.settings != state.settings)
        outcome.events.push_back(Configured{command.settings});
    if (command.token != 0)
        outcome.effects.push_back(Reply{command.token, ReplyBody{}});
    return outcome;
}

Outcome decide(const State& state, const TimePassed&, Instant now)
{
    Outcome outcome;
    for (auto it = state.index.begins.begin();
         it != state.index.begins.end() && it->first <= state.wall(now) && outcome.events.size() < batch_of_time; ++it)
        outcome.events.push_back(BeginReached{it->second});
    for (auto it = state.index.ended.begin();
         it != state.index.ended.end() && it->first + state.keep_known() <= now && outcome.events.size() < batch_of_time; ++it)
        outcome.events.push_back(JobForgotten{it->second});
    decide_silence(state, now, outcome);
    return outcome;
}

std::optional<Instant> next_wake(const State& state)
{
    std::optional<Instant> wake;
    if (!state.index.begins.empty())
        wake = Instant(state.index.begins.begin()->first.time_since_epoch() - state.wall_offset);
    if (!state.index.ended.empty()) {
        const auto forget = state.index.ended.begin()->first + state.keep_known();
        wake = wake ? std::min(*wake, forget) : forget;
    }
    if (const auto silence = next_silence(state))
        wake = wake ? std::min(*wake, *silence) : *silence;
    return wake;
}

} // namespace jarvis::cluster
