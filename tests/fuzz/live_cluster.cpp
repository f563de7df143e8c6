#include "live_cluster.hpp"

#include "cluster/apply.hpp"
#include "cluster_input.hpp"
#include "journal/codec.hpp"
#include "journal/older_version.hpp"
#include "require.hpp"
#include "snapshot.hpp"

#include <map>

namespace jarvis::fuzz {

using namespace std::chrono_literals;
using namespace cluster;

namespace {

constexpr WallTime first_wall{1'800'000'000s};
constexpr int most_slices = 10'000; // a pass that needs more does not end

// The tokens of commands that are waited for.
std::map<Token, int> tokens_of(const std::vector<Command>& commands)
{
    std::map<Token, int> tokens;
    for (const auto& command : commands)
        std::visit(
            [&](const auto& c) {
                if constexpr (requires { c.token; })
                    tokens.emplace(c.token, 0);
            },
            command);
    return tokens;
}

void check_effects(const State& state, const std::vector<Command>& commands, const std::vector<Effect>& effects)
{
    auto tokens = tokens_of(commands);
    for (const auto& effect : effects) {
        if (const auto* reply = std::get_if<Reply>(&effect))
            ++tokens[reply->token];
        if (const auto* start = std::get_if<StartOnNode>(&effect))
            JARVIS_REQUIRE(start->request && start->placement && start->node.value < state.nodes.size());
    }
    for (const auto& [token, replies] : tokens)
        JARVIS_REQUIRE(replies == 1);
}

// No core is held twice.
void check_cores(const State& state)
{
    for (const auto& node : state.nodes) {
        CoreSet held;
        for (JobId id : node.jobs)
            for (const auto& part : state.find(id)->run->placement.nodes)
                if (part.node == node.id) {
                    JARVIS_REQUIRE(!held.intersects(part.cores));
                    held |= part.cores;
                }
    }
}

} // namespace

LiveCluster::LiveCluster(Draw& draw)
{
    std::vector<Command> commands{CreateCluster{.uuid = {1}, .name = "fuzz"}, StartController{first_wall, {"boot", Duration{}}},
                                  Configure{some_settings(draw), ++last_token_}};
    run(commands, true, {});
    commands.clear();
    for (const auto& name : state().settings.nodes)
        if (!draw.rarely(8))
            commands.push_back(RegisterNode{1, name, some_machine(draw), {}, false});
    run(commands, true, {});
}

void LiveCluster::keep(Batch batch, std::vector<Effect>& effects)
{
    if (!batch.group.events.empty()) {
        groups_.push_back(journal::encode_group(batch.group));
        const auto stored = journal::decode_group(groups_.back());
        JARVIS_REQUIRE_OK(stored);
        JARVIS_REQUIRE(journal::encode_group(*stored) == groups_.back());
        for (const auto& event : stored->events) {
            const auto fits = journal::check_event(replayed_, event);
            JARVIS_REQUIRE_OK(fits);
            apply(replayed_, event, stored->at);
        }
        replayed_.sequence = stored->sequence;
    }
    std::move(batch.effects.begin(), batch.effects.end(), std::back_inserter(effects));
    for (auto& advice : batch.advice)
        board_[advice.partition] = std::move(advice);
}

void LiveCluster::check() const
{
    JARVIS_REQUIRE(replayed_ == state());
    auto rebuilt = state();
    rebuild_derived(rebuilt);
    JARVIS_REQUIRE(rebuilt == state());
    check_cores(state());
    if (const auto wake = next_wake(state()))
        JARVIS_REQUIRE(*wake >= Instant{} - 24h * 365 * 300);
    for (const auto& [id, job] : state().jobs)
        if (job->state == JobState::pending)
            JARVIS_REQUIRE(!wait_reason(state(), board_, *job).code.empty());
}

void LiveCluster::run(const std::vector<Command>& commands, bool may_start, Owner::Slice slice)
{
    std::vector<Effect> effects;
    keep(owner_.run(commands, now_, may_start, slice), effects);
    for (int slices = 0; may_start && owner_.unfinished(); ++slices) {
        JARVIS_REQUIRE(slices < most_slices);
        keep(owner_.run({}, now_, true, slice), effects);
    }
    check_effects(state(), commands, effects);
    if (state().sequence != checked_)
        check();
    checked_ = state().sequence;
}

// From the journal's replay or from a snapshot, which are the same.
void LiveCluster::restart(Draw& draw)
{
    auto read = read_snapshot(snapshot_of(state()), draw.pick({1u << 20, 1u, 100u}));
    JARVIS_REQUIRE_OK(read);
    JARVIS_REQUIRE(*read == state());
    for (const auto version : journal::older_versions())
        JARVIS_REQUIRE(journal::fitness_for(state(), version));
    owner_ = Owner(draw.flag() ? std::move(*read) : replayed_);
    board_.clear();
    run({StartController{state().wall(now_) + draw.pick<Duration>({0s, 1h, -1h}), state().clock}}, true, {});
}

void LiveCluster::step(Draw& draw)
{
    now_ += draw.pick<Duration>({0s, 1us, 1s, 15s, 1min, 10min, 1h, 24h});
    const auto mode = draw.below(16);
    if (mode == 15)
        return restart(draw);
    std::vector<Command> commands;
    for (std::size_t count = 1 + mode / 4; count > 0; --count)
        if (auto command = some_command(draw, state(), ++last_token_, now_))
            commands.push_back(std::move(*command));
    run(commands, !draw.rarely(8), draw.rarely(4) ? Owner::Slice{.starts = 1, .settles = 1} : Owner::Slice{});
}

} // namespace jarvis::fuzz
