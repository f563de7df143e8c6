#include "step_peers.hpp"

#include "base/hostlist.hpp"
#include "cgroup_tree.hpp"
#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "peer_link.hpp"
#include "processes.hpp"
#include "splice.hpp"
#include "step_cgroup.hpp"
#include "wire/as_values.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/hello.hpp"
#include "wire/job_id.hpp"

#include <algorithm>
#include <csignal>
#include <random>

namespace jarvis::noded {
namespace {

using namespace std::chrono_literals;
using daemon::log;

// For the shepherd to start an agent, and for that to come.
constexpr auto agent_limit = 20s;
constexpr auto wake_again = 1s;
constexpr auto agent_look = 10ms;
// For what a step left to end; whoever asked asks again.
constexpr auto peer_kill_limit = 20s;
constexpr std::size_t most_tasks_here = 8192;
constexpr std::size_t most_ended_kept = 1024;

wire::FromAgent agent_refusal(const Error& error)
{
    wire::FromAgent message;
    *message.mutable_refused() = wire::to_message(error);
    return message;
}

wire::PeerAnswer refused(const Error& error)
{
    wire::PeerAnswer message;
    *message.mutable_refused() = wire::to_message(error);
    return message;
}

// The last message, made before the co_await: g++ 12 destroys twice what braces or a condition made inside of one.
asio::awaitable<void> say(wire::ChannelPtr channel, std::string message)
{
    (void)channel->send(message);
    (void)co_await channel->flush();
    channel->close();
}

bool is_among(const std::string& node_list, const std::string& name)
{
    const auto names = expand_hostlist(node_list);
    return names && std::ranges::find(*names, name) != names->end();
}

} // namespace

// A token of an earlier daemon means nothing to this one.
StepPeers::StepPeers(PeerSurroundings around) : around_(std::move(around)), last_token_(std::uint64_t{std::random_device{}()} << 32) {}

// ---- The job's first node

Result<wire::LaunchOrder> StepPeers::check(const wire::Channel& channel, const wire::PeerRequest& request, const node::JobKey& key) const
{
    if (auto good = wire::check_hello(request.hello(), {}, "the node daemon"); !good)
        return std::unexpected(good.error());
    if (auto good = check_peer(channel, request.hello().node_name()); !good)
        return std::unexpected(good.error());
    auto order = around_.is_member(key) ? around_.order(key) : fail(Errc::not_found, "job {} does not run here", key.job);
    if (!order)
        return std::unexpected(order.error());
    if (!*order || !is_among((**order).node_list(), request.hello().node_name()))
        return fail(Errc::denied, "node {} is none of job {}", request.hello().node_name(), key.job);
    return std::move(**order);
}

asio::awaitable<void> StepPeers::serve(wire::ChannelPtr channel, Result<wire::PeerRequest> request)
{
    channel->set_max_frame(longest_step_frame);
    const auto id = request ? wire::job_id_of(*request) : std::unexpected(request.error());
    if (!id) {
        log().warn("{}: {}", channel->description(), id.error().message);
        co_return channel->close();
    }
    const node::JobKey key{*id, Incarnation{request->incarnation()}};
    auto order = check(*channel, *request, key);
    if (order) {
        co_await answer(channel, std::move(*request), key, std::move(*order));
        co_return;
    }
    log().debug({{"job", key.job}}, "{}: {}", channel->description(), order.error().message);
    auto refusal = request->has_tasks() ? agent_refusal(order.error()).SerializeAsString() : refused(order.error()).SerializeAsString();
    co_await say(channel, std::move(refusal));
}

asio::awaitable<void> StepPeers::answer(wire::ChannelPtr channel, wire::PeerRequest request, node::JobKey key, wire::LaunchOrder order)
{
    StepPlace place(order, around_.topology());
    if (request.has_tasks()) {
        co_await run_tasks(channel, key, std::move(place), std::move(*request.mutable_tasks()));
        co_return;
    }
    wire::PeerAnswer message;
    if (request.has_offer()) {
        for (const auto& numa : place.numa()) {
            auto& part = *message.mutable_offer()->add_numa();
            numa.for_each([&](std::uint32_t core) { part.add_cores(core); });
        }
    } else if (request.has_end()) {
        message = co_await end_step(key, std::move(place), request.end().step());
    } else {
        const Error why{Errc::invalid, "it asks for nothing that is known here"};
        message = refused(why);
    }
    auto text = message.SerializeAsString();
    co_await say(channel, std::move(text));
}

// ---- Agents

Result<node::JobKey> StepPeers::key_of_agent(const wire::Channel& channel, const wire::StepAgent& agent,
                                             const std::function<std::optional<node::JobKey>(JobId)>& find) const
{
    const auto peer = channel.credentials();
    const auto id = wire::job_id_of(agent);
    const auto key = peer && id ? find(*id) : std::nullopt;
    if (!key)
        return fail(Errc::not_found, "it is of no job that is here");
    auto order = around_.order(*key);
    if (!order || !*order)
        return fail(Errc::not_found, "job {} is not known here", key->job);
    const StepPlace place(**order, around_.topology());
    if (peer->uid != place.owner() || !place.is_inside(peer->pid, around_.shepherd(*key)))
        return fail(Errc::denied, "process {} is not inside job {}", peer->pid, key->job);
    return *key;
}

asio::awaitable<void> StepPeers::serve_agent(wire::ChannelPtr channel, wire::StepAgent agent,
                                             std::function<std::optional<node::JobKey>(JobId)> find)
{
    const auto key = key_of_agent(*channel, agent, find);
    if (!key) {
        log().warn("an agent is refused: {}", key.error().message);
        co_return channel->close();
    }
    if (agent.token() != 0) {
        const auto called = awaited_.find(agent.token());
        if (called == awaited_.end() || called->second->key != *key || called->second->channel) {
            log().warn({{"job", key->job}}, "an agent is refused: nobody called it");
            co_return channel->close();
        }
        channel->set_max_frame(longest_step_frame);
        called->second->channel = channel;
        called->second->arrival.cancel();
        co_return;
    }
    agents_[*key] = channel;
    while (true) { // it says nothing
        auto frame = co_await channel->read_frame();
        if (!frame || !*frame)
            break;
    }
    channel->close();
    if (const auto found = agents_.find(*key); found != agents_.end() && found->second == channel)
        agents_.erase(found);
}

// The one that waits is told to send another one.
asio::awaitable<Result<wire::ChannelPtr>> StepPeers::call_agent(node::JobKey key)
{
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(agent_limit);
    for (auto since = wake_again + 0ms; left > 0ms && !agents_.contains(key); left -= agent_look, since += agent_look) {
        const auto shepherd = around_.shepherd(key);
        if (!around_.is_member(key) || shepherd == 0)
            co_return fail(Errc::unavailable, "job {} ends", key.job);
        if (since >= wake_again) {
            since = 0ms;
            if (const auto process = open_process(shepherd); process && around_.shepherd(key) == shepherd)
                (void)send_signal(process, SIGUSR2);
        }
        co_await daemon::sleep_for(agent_look);
    }
    const auto agent = agents_.find(key);
    if (agent == agents_.end())
        co_return fail(Errc::unavailable, "no agent of job {} came", key.job);
    const auto token = ++last_token_;
    auto awaited = std::make_shared<Awaited>(key, wire::ChannelPtr(), asio::steady_timer(agent->second->executor(), agent_limit));
    awaited_[token] = awaited;
    wire::ToRun message;
    message.mutable_fork()->set_token(token);
    (void)agent->second->send(message);
    if (!awaited->channel)
        co_await awaited->arrival.async_wait(wire::as_values);
    awaited_.erase(token);
    if (!awaited->channel)
        co_return fail(Errc::unavailable, "the agent of job {} started no other one", key.job);
    co_return awaited->channel;
}

// ---- Tasks

void StepPeers::Ended::insert(std::uint32_t step)
{
    steps_.insert(step);
    while (steps_.size() > most_ended_kept) {
        below_ = *steps_.begin() + 1;
        steps_.erase(steps_.begin());
    }
}

bool StepPeers::is_over(const node::JobKey& key, std::uint32_t step) const
{
    const auto ended = ended_.find(key);
    return ended != ended_.end() && ended->second.contains(step);
}

asio::awaitable<void> StepPeers::run_tasks(wire::ChannelPtr first, node::JobKey key, StepPlace place, wire::PeerTasks request)
{
    const auto step = request.step();
    const StepKey live{key, step};
    wire::ToAgent to_agent;
    auto& message = *to_agent.mutable_place();
    message.set_step(step);
    message.set_cgroup(place.step_group(step));
    CoreSet all;
    for (const auto& numa : place.numa())
        all |= numa;
    std::vector<TaskHere> tasks;
    bool good = request.tasks_size() > 0 && request.tasks_size() <= static_cast<int>(most_tasks_here) && !live_.contains(live) &&
                !is_over(key, step);
    message.mutable_tasks()->Reserve(request.tasks_size());
    for (const auto& placed : request.tasks()) {
        auto& task = *message.add_tasks();
        task.set_rank(placed.rank());
        task.mutable_task()->set_local(placed.local());
        *task.mutable_task()->mutable_cores() = placed.cores();
        tasks.push_back({placed.rank(), core_set(placed.cores()), task.mutable_task()});
        good = good && (tasks.back().cores - all).empty();
    }
    if (!good) {
        const Error why{Errc::invalid, "it is over already, or has cores that the job does not have there"};
        auto refusal = agent_refusal(why).SerializeAsString();
        co_await say(first, std::move(refusal));
        co_return;
    }
    live_[live] = {.first = first, .agent = nullptr};
    auto agent = co_await call_agent(key);
    Result<void> prepared;
    if (!live_.contains(live) || is_over(key, step))
        prepared = fail(Errc::unavailable, "it is over already");
    else if (!agent)
        prepared = std::unexpected(agent.error());
    else
        prepared = place.prepare(step, tasks, request.cpu_binding(), request.memory_binding());
    if (!prepared) {
        if (agent)
            (**agent).close();
        auto refusal = agent_refusal(prepared.error()).SerializeAsString();
        co_await say(first, std::move(refusal));
    } else {
        live_[live].agent = *agent;
        (void)(**agent).send(to_agent);
        co_await splice(first, *agent);
    }
    co_await kill_step(key, place, step);
    live_.erase(live);
}

// Everything of it, until nothing is left; false when that takes too long. Without cgroups it is what the agent has below it.
asio::awaitable<bool> StepPeers::kill_step(node::JobKey key, StepPlace place, std::uint32_t step)
{
    const auto group = place.step_group(step);
    const auto found = live_.find({key, step});
    const auto agent = found != live_.end() && found->second.agent ? found->second.agent->credentials() : std::nullopt;
    const auto members = [&] {
        std::vector<pid_t> pids;
        if (agent && place.is_inside(agent->pid, around_.shepherd(key))) {
            pids = descendants(agent->pid);
            pids.push_back(agent->pid);
        }
        return pids;
    };
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(peer_kill_limit);
    for (auto pause = 1ms; group.empty() ? signal_members(members, SIGKILL) > 0 : cgroup_kill(group);
         pause = std::min<std::chrono::milliseconds>(pause * 2, 500ms)) {
        if (left <= 0ms)
            co_return false;
        co_await daemon::sleep_for(pause);
        left -= pause;
    }
    co_return true;
}

asio::awaitable<wire::PeerAnswer> StepPeers::end_step(node::JobKey key, StepPlace place, std::uint32_t step)
{
    ended_[key].insert(step);
    if (const auto live = live_.find({key, step}); live != live_.end()) {
        live->second.first->close();
        if (live->second.agent)
            live->second.agent->close();
    }
    if (!co_await kill_step(key, place, step))
        co_return refused({Errc::unavailable, "something of the step does not end"});
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(peer_kill_limit);
    for (; live_.contains({key, step}) && left > 0ms; left -= agent_look)
        co_await daemon::sleep_for(agent_look);
    if (live_.contains({key, step}))
        co_return refused({Errc::unavailable, "the step does not end"});
    wire::PeerAnswer message;
    auto& ended = *message.mutable_ended();
    if (const auto group = place.step_group(step); !group.empty()) {
        add_step_usage(group, *ended.mutable_usage());
        if (!remove_step_groups(group))
            log().debug({{"job", key.job}}, "step {}: {} is removed with its job", step, group);
    }
    co_return message;
}

void StepPeers::forget(const node::JobKey& key)
{
    ended_.erase(key);
    if (const auto agent = agents_.extract(key))
        agent.mapped()->close();
}

} // namespace jarvis::noded
