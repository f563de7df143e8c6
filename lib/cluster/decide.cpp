// The controller's own commands: its start, its configuration, and time.
#include "cluster/decide.hpp"

#include <cstdlib>

namespace jarvis::cluster {

namespace {

// So much is done for the clock's sake in one command; the rest waits for the next one.
constexpr std::size_t batch_of_time = 500;

// Wall time that moved by less than this against elapsed time is left alone.
constexpr Duration wall_tolerance = std::chrono::seconds(1);

// What others still wait for is not forgotten before they know of its end, nor an array before its tasks.
bool may_forget(const State& state, JobId id)
{
    if (state.index.on_end.contains(id) || state.index.corr.contains(id))
        return false;
    const auto array = id.is_task() ? state.arrays.end() : state.arrays.find(id.value);
    return array == state.arrays.end() || array->second.known == 0;
}

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
    auto& events = outcome.events;
    const auto& index = state.index;
    for (auto it = index.begins.begin(); it != index.begins.end() && it->first <= state.wall(now) && events.size() < batch_of_time; ++it)
        events.push_back(BeginReached{it->second});
    for (auto it = index.retries.begin(); it != index.retries.end() && it->first <= now && events.size() < batch_of_time; ++it)
        events.push_back(RetryDue{it->second});
    for (auto it = index.delays.begin(); it != index.delays.end() && std::get<Instant>(*it) <= now && events.size() < batch_of_time; ++it)
        events.push_back(DependencyResolved{std::get<JobId>(*it), std::get<std::uint32_t>(*it), DependencyOutcome::satisfied, {}});
    std::size_t looked_at = 0;
    for (auto it = index.ended.begin(); it != index.ended.end() && it->first + state.keep_known() <= now && events.size() < batch_of_time &&
                                        ++looked_at <= 2 * batch_of_time; ++it)
        if (may_forget(state, it->second))
            events.push_back(JobForgotten{it->second});
    decide_silence(state, now, outcome);
    return outcome;
}

std::optional<Instant> next_wake(const State& state)
{
    std::optional<Instant> wake;
    const auto at = [&](Instant when) { wake = wake ? std::min(*wake, when) : when; };
    if (!state.index.begins.empty())
        at(Instant(state.index.begins.begin()->first.time_since_epoch() - state.wall_offset));
    if (!state.index.retries.empty())
        at(state.index.retries.begin()->first);
    if (!state.index.delays.empty())
        at(std::get<Instant>(*state.index.delays.begin()));
    if (!state.index.ended.empty())
        at(state.index.ended.begin()->first + state.keep_known());
    if (const auto silence = next_silence(state))
        at(*silence);
    return wake;
}

} // namespace jarvis::cluster
