#include "step_meetings.hpp"

#include "base/hostlist.hpp"
#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "peer_link.hpp"
#include "splice.hpp"
#include "step_peers.hpp"
#include "wire/as_values.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/hello.hpp"
#include "wire/job_id.hpp"
#include "wire/same_secret.hpp"

namespace jarvis::noded {
namespace {

using namespace std::chrono_literals;
using daemon::log;

constexpr std::size_t token_size = 16;
// A job that is said to run may not have got so far here; after that whoever calls may call again.
constexpr auto inner_limit = 5s;
constexpr auto inner_look = 20ms;

// A user says it, and it is dialled by this daemon: no path, no port.
bool is_node_name(const std::string& text)
{
    const auto names = expand_hostlist(text, 1);
    return names && names->size() == 1 && names->front() == text;
}

asio::awaitable<void> refuse(wire::ChannelPtr channel, Error why)
{
    wire::FromAgent message;
    *message.mutable_refused() = wire::to_message(why);
    (void)channel->send(message);
    (void)co_await channel->flush();
    channel->close();
}

} // namespace

// ---- The one inside

Result<node::JobKey> StepMeetings::check(const wire::Channel& channel, const wire::StepInner& inner) const
{
    if (auto good = wire::check_hello(inner.hello(), {}, "jrun"); !good)
        return std::unexpected(good.error());
    const auto job = wire::job_id_of(inner);
    if (!job)
        return std::unexpected(job.error());
    const auto key = around_.admit(channel, *job);
    if (!key)
        return std::unexpected(key.error());
    if (inner.token().size() != token_size)
        return fail(Errc::invalid, "its token has {} bytes, and not {}", inner.token().size(), token_size);
    if (inners_.contains(*key))
        return fail(Errc::invalid, "job {} has a jrun already that waits for its caller, or has met it", key->job);
    return key;
}

asio::awaitable<void> StepMeetings::wait(wire::ChannelPtr channel, wire::StepInner inner)
{
    using namespace asio::experimental::awaitable_operators;
    const auto key = check(*channel, inner);
    if (!key) {
        log().warn("a jrun that waits for its caller is refused: {}", key.error().message);
        co_return channel->close(); // it comes again, or gives up
    }
    channel->set_max_frame(longest_step_frame);
    const auto waiting = std::make_shared<Inner>(
        Inner{inner.token(), asio::steady_timer(channel->executor(), asio::steady_timer::time_point::max()), nullptr});
    inners_[*key] = waiting;
    log().debug({{"job", key->job}}, "its jrun waits for its caller");
    // It says nothing before it is called, so a frame or an end is the end of its wait.
    const auto first = co_await (channel->read_frame() || waiting->called.async_wait(wire::as_values));
    const Error gone{Errc::unavailable, fmt::format("the jrun of job {} is gone", key->job)};
    if (waiting->caller && first.index() == 1)
        co_await splice(waiting->caller, channel);
    else if (waiting->caller)
        co_await refuse(waiting->caller, gone);
    channel->close();
    if (const auto found = inners_.find(*key); found != inners_.end() && found->second == waiting)
        inners_.erase(found);
}

// ---- The one outside

asio::awaitable<void> StepMeetings::call(wire::ChannelPtr channel, wire::StepCaller caller)
{
    const auto peer = channel->credentials();
    const auto hello = wire::check_hello(caller.hello(), {}, "jrun");
    const auto job = hello ? wire::job_id_of(caller) : std::unexpected(hello.error());
    if (!job || !peer || caller.token().size() != token_size || !is_node_name(caller.node())) {
        const auto why = job ? Error{Errc::invalid, "it does not say whom it calls"} : job.error();
        co_await refuse(channel, why);
        co_return;
    }
    channel->set_max_frame(longest_step_frame);
    if (caller.node() == around_.node_name)
        co_await bring(channel, *job, caller.token(), peer->uid);
    else
        co_await pass_on(channel, *job, caller.token(), peer->uid, caller.node());
}

// The daemon there knows whose job it is: it is told who asks.
asio::awaitable<void> StepMeetings::pass_on(wire::ChannelPtr caller, JobId job, std::string token, uid_t uid, std::string node)
{
    auto there = co_await around_.dial(node);
    if (!there) {
        co_await refuse(caller, there.error());
        co_return;
    }
    wire::PeerRequest request;
    *request.mutable_hello() = wire::make_hello(wire::Hello::NODE, "jnoded", wall_now());
    request.mutable_hello()->set_node_name(around_.node_name);
    wire::put_job_id(job, request);
    request.mutable_caller()->set_token(token);
    request.mutable_caller()->set_uid(uid);
    wire::FromRun envelope;
    envelope.set_peer(request.SerializeAsString());
    (**there).set_max_frame(longest_step_frame);
    (void)(**there).send(envelope);
    co_await splice(caller, *there);
}

asio::awaitable<void> StepMeetings::call_from_node(wire::ChannelPtr channel, wire::PeerRequest request)
{
    const auto hello = wire::check_hello(request.hello(), {}, "the node daemon");
    const auto peer = hello ? check_peer(*channel, request.hello().node_name()) : hello;
    const auto job = peer ? wire::job_id_of(request) : std::unexpected(peer.error());
    if (!job || request.caller().token().size() != token_size) {
        const auto why = job ? Error{Errc::invalid, "it does not say whom it calls"} : job.error();
        log().warn("{}: a call for a jrun is refused: {}", channel->description(), why.message);
        co_await refuse(channel, why);
        co_return;
    }
    channel->set_max_frame(longest_step_frame);
    co_await bring(channel, *job, request.caller().token(), request.caller().uid());
}

asio::awaitable<void> StepMeetings::bring(wire::ChannelPtr caller, JobId job, std::string token, uid_t uid)
{
    for (auto left = std::chrono::milliseconds(inner_limit);; left -= inner_look) {
        const auto met = hand_over(caller, job, token, uid);
        if (met && *met)
            co_return;
        if (!met) {
            log().info({{"job", job}}, "{}: a jrun outside is refused: {}", caller->description(), met.error().message);
            co_await refuse(caller, met.error());
            co_return;
        }
        if (left <= 0ms) {
            const Error why{Errc::unavailable, fmt::format("no jrun of job {} waits there for this one", job)};
            co_await refuse(caller, why);
            co_return;
        }
        co_await daemon::sleep_for(inner_look);
    }
}

// False: it is not there yet.
Result<bool> StepMeetings::hand_over(const wire::ChannelPtr& caller, JobId job, const std::string& token, uid_t uid)
{
    const auto key = around_.running(job);
    if (!key)
        return false;
    const auto owner = around_.owner(*key);
    if (!owner)
        return std::unexpected(owner.error());
    if (uid != *owner && uid != 0)
        return fail(Errc::denied, "job {} belongs to uid {}, and not to {}", job, *owner, uid);
    const auto found = inners_.find(*key);
    if (found == inners_.end())
        return false;
    auto& inner = *found->second;
    if (!wire::same_secret(inner.token, token))
        return fail(Errc::denied, "the jrun of job {} waits for another one than this", job);
    if (inner.caller)
        return fail(Errc::denied, "the jrun of job {} has met its caller already", job);
    inner.caller = caller;
    inner.called.cancel();
    return true;
}

} // namespace jarvis::noded
