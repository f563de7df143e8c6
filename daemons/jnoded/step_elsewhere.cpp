// The part of the step server that deals with the other nodes of the jobs whose first node this is.
#include "step_server.hpp"

#include "base/hostlist.hpp"
#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "splice.hpp"
#include "wire/as_values.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/hello.hpp"
#include "wire/job_id.hpp"

#include <algorithm>

namespace jarvis::noded {
namespace {

using namespace std::chrono_literals;
using daemon::log;

constexpr auto answer_limit = 10s;
constexpr auto end_answer_limit = 60s; // what the step left is killed before
constexpr int try_again_seconds = 10;
constexpr std::chrono::milliseconds longest_end_pause = 5s;

std::string envelope(const wire::PeerRequest& request)
{
    wire::FromRun message;
    message.set_peer(request.SerializeAsString());
    return message.SerializeAsString();
}

} // namespace

struct StepServer::Gathering {
    std::size_t left;
    asio::steady_timer done; // cancelled when nothing is left

    static asio::awaitable<void> one(std::shared_ptr<Gathering> gathering, asio::awaitable<void> work)
    {
        co_await std::move(work);
        if (--gathering->left == 0)
            gathering->done.cancel();
    }
};

// All at once, until the last one is through.
asio::awaitable<void> StepServer::gather(std::vector<asio::awaitable<void>> all)
{
    const auto gathering = std::make_shared<Gathering>(all.size(), asio::steady_timer(io_, asio::steady_timer::time_point::max()));
    for (auto& work : all)
        if (!tasks_.spawn("ask a node", Gathering::one(gathering, std::move(work))))
            co_return; // the daemon stops
    if (gathering->left > 0)
        co_await gathering->done.async_wait(wire::as_values);
}

wire::PeerRequest StepServer::peer_request(const node::JobKey& key) const
{
    wire::PeerRequest request;
    *request.mutable_hello() = wire::make_hello(wire::Hello::NODE, "jnoded", wall_now());
    request.mutable_hello()->set_node_name(around_.node_name);
    wire::put_job_id(key.job, request);
    request.set_incarnation(key.incarnation.value);
    return request;
}

asio::awaitable<Result<wire::PeerAnswer>> StepServer::ask_peer(std::string node, wire::PeerRequest request)
{
    auto channel = co_await around_.dial(node);
    if (!channel)
        co_return std::unexpected(channel.error());
    (**channel).set_max_frame(longest_step_frame);
    if (auto sent = (**channel).send(std::string_view(envelope(request))); !sent)
        co_return fail(sent.error(), "node {}", node);
    auto frame = co_await daemon::within(request.has_end() ? end_answer_limit : answer_limit, "waiting for its answer",
                                         (**channel).read_frame());
    (**channel).close();
    auto answer = !frame    ? std::unexpected(frame.error())
                  : !*frame ? fail(Errc::unavailable, "it closed the connection")
                            : wire::parse<wire::PeerAnswer>(**frame);
    if (!answer)
        co_return fail(answer.error(), "node {}", node);
    co_return answer;
}

// ---- What the job has there

asio::awaitable<void> StepServer::learn(node::JobKey key)
{
    const auto job = jobs_.find(key);
    if (job == jobs_.end() || unreached_.contains(key))
        co_return;
    std::vector<asio::awaitable<void>> all;
    for (const auto& node : job->second.unknown_nodes())
        all.push_back(learn_of(key, node));
    if (!all.empty())
        co_await gather(std::move(all));
}

asio::awaitable<void> StepServer::learn_of(node::JobKey key, std::string node)
{
    auto request = peer_request(key);
    request.mutable_offer();
    const auto answer = co_await ask_peer(node, std::move(request));
    const auto job = jobs_.find(key);
    if (job == jobs_.end())
        co_return;
    if (answer && answer->has_offer() && answer->offer().numa_size() > 0) {
        std::vector<CoreSet> numa;
        for (const auto& part : answer->offer().numa())
            numa.push_back(core_set(part.cores()));
        give(key, job->second.learn(node, std::move(numa)));
        co_return;
    }
    auto why = !answer ? answer.error().message : fmt::format("node {}: {}", node, answer->refused().message());
    log().warn({{"job", key.job}}, "its steps cannot use {}", why);
    unreached_[key] = {std::move(why), try_again_seconds};
}

// ---- Its tasks there

Result<wire::PeerRequest> StepServer::stream_request(const wire::Channel& channel, const wire::StepStream& stream, std::string& node)
{
    if (auto good = wire::check_hello(stream.hello(), {}, "jrun"); !good)
        return std::unexpected(good.error());
    const auto id = wire::job_id_of(stream);
    const auto peer = channel.credentials();
    const auto key = id && peer ? around_.running(*id) : std::nullopt;
    const auto job = key ? jobs_.find(*key) : jobs_.end();
    if (job == jobs_.end())
        return fail(Errc::not_found, "no such job runs here");
    for (const auto& [number, running] : job->second.running()) {
        const auto& grant = running.started.grant();
        if (running.started.request().token() != stream.token() || running.started.pid() != peer->pid || running.ending)
            continue;
        const auto nodes = expand_hostlist(grant.node_list());
        if (!nodes || stream.node() >= nodes->size() || stream.node() == grant.here())
            break;
        node = (*nodes)[stream.node()];
        auto request = peer_request(*key);
        auto& tasks = *request.mutable_tasks();
        tasks.set_step(number);
        tasks.set_cpu_binding(running.started.request().cpu_binding());
        tasks.set_memory_binding(running.started.request().memory_binding());
        for (int rank = 0; rank < grant.tasks_size(); ++rank) {
            const auto& task = grant.tasks(rank);
            if (task.node() != stream.node())
                continue;
            auto& placed = *tasks.add_tasks();
            placed.set_rank(static_cast<std::uint32_t>(rank));
            placed.set_local(task.local());
            *placed.mutable_cores() = task.cores();
        }
        return request;
    }
    return fail(Errc::not_found, "no such step of job {} runs", key->job);
}

asio::awaitable<void> StepServer::stream(wire::ChannelPtr channel, wire::StepStream stream)
{
    std::string node;
    auto request = stream_request(*channel, stream, node);
    Result<wire::ChannelPtr> there = fail(Errc::unavailable, "not dialled");
    if (request)
        there = co_await around_.dial(node);
    else
        there = std::unexpected(request.error());
    if (there && !stream_request(*channel, stream, node)) // it ended meanwhile
        there = fail(Errc::unavailable, "the step is over");
    if (!there) {
        wire::FromAgent message;
        *message.mutable_refused() = wire::to_message(there.error());
        (void)channel->send(message);
        (void)co_await channel->flush();
        co_return channel->close();
    }
    channel->set_max_frame(longest_step_frame);
    (**there).set_max_frame(longest_step_frame);
    (void)(**there).send(std::string_view(envelope(*request)));
    co_await splice(channel, *there);
}

// ---- Its end there

// The cores there are not free before the node has said that nothing of the step is left; so it is asked for as long as it takes.
asio::awaitable<std::vector<wire::Usage>> StepServer::end_elsewhere(node::JobKey key, std::uint32_t step)
{
    const auto usage = std::make_shared<std::vector<wire::Usage>>();
    std::vector<asio::awaitable<void>> all;
    if (const auto* running = find_running(key, step))
        for (const auto& node : other_nodes(running->started.grant()))
            all.push_back(end_on(key, step, node, usage));
    if (!all.empty())
        co_await gather(std::move(all));
    co_return std::move(*usage);
}

asio::awaitable<void> StepServer::end_on(node::JobKey key, std::uint32_t step, std::string node,
                                         std::shared_ptr<std::vector<wire::Usage>> usage)
{
    for (std::chrono::milliseconds pause = 100ms; find_running(key, step); pause = std::min(pause * 2, longest_end_pause)) {
        auto request = peer_request(key);
        request.mutable_end()->set_step(step);
        const auto answer = co_await ask_peer(node, std::move(request));
        if (answer && answer->has_ended()) {
            if (wire::from_message(answer->ended().usage()))
                usage->push_back(answer->ended().usage());
            co_return;
        }
        if (answer && answer->refused().code() == static_cast<std::uint32_t>(Errc::not_found))
            co_return; // the job is no more there, and so is the step
        log().warn({{"job", key.job}}, "step {} is not over yet: {}", step,
                   answer ? fmt::format("node {}: {}", node, answer->refused().message()) : answer.error().message);
        if (!co_await daemon::sleep_for(pause))
            co_return;
    }
}

} // namespace jarvis::noded
