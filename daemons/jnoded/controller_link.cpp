#include "controller_link.hpp"

#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "wire/clocks.hpp"
#include "wire/hello.hpp"
#include "wire/start_signature.hpp"
#include "wire/tls_channel.hpp"
#include "wire/unix_channel.hpp"

#include <algorithm>

namespace jarvis::noded {
namespace {

using namespace std::chrono_literals;
using daemon::log;

constexpr auto connect_limit = 5s;
constexpr auto hello_limit = 10s;
constexpr std::chrono::milliseconds first_pause = 100ms;
constexpr std::chrono::milliseconds longest_pause = 5s;
// After a refusal: nothing changes until somebody changes a configuration or a state folder.
constexpr std::chrono::milliseconds refused_pause = 10s;

} // namespace

// A quarter up or down.
std::chrono::milliseconds ControllerLink::jittered(std::chrono::milliseconds pause)
{
    const auto quarter = pause.count() / 4;
    return std::chrono::milliseconds(std::uniform_int_distribution(pause.count() - quarter, pause.count() + quarter)(random_));
}

// The same trouble is said once, however often it is met.
void ControllerLink::say_trouble(const Error& error)
{
    if (error.message == last_trouble_)
        return;
    log().warn("controller: {}; jobs go on, and it is dialled again", error.message);
    last_trouble_ = error.message;
}

asio::awaitable<Result<wire::ChannelPtr>> ControllerLink::connect()
{
    wire::ChannelOptions channel_options;
    channel_options.max_frame = wire::limits::hello_frame;
    controller_.reset();
    if (options_.addresses.empty()) {
        auto channel = co_await wire::connect_unix(options_.socket, connect_limit, channel_options);
        co_return channel;
    }
    wire::DialOptions dial;
    dial.limit = connect_limit;
    dial.channel = channel_options;
    auto channel = co_await wire::connect_tls(options_.addresses, options_.credentials->context(), sessions_, dial);
    if (!channel)
        co_return channel;
    auto certificate = pki::Certificate::from_der((*channel)->identity()->certificate);
    if (!certificate)
        co_return std::unexpected(certificate.error());
    controller_ = std::move(*certificate);
    co_return channel;
}

Result<void> ControllerLink::check_start(const wire::StartJob& start, Epoch epoch) const
{
    if (options_.addresses.empty())
        return {};
    if (!controller_)
        return fail(Errc::denied, "there is no controller whose signature it could have");
    return wire::check_start(start, epoch.value, options_.node_name, *controller_);
}

asio::awaitable<Result<node::Greeted>> ControllerLink::exchange_hello(wire::ChannelPtr channel)
{
    auto ours = wire::make_hello(wire::Hello::NODE, "jnoded", wall_now());
    ours.set_cluster_name(options_.cluster_name);
    ours.set_node_name(options_.node_name);
    if (auto sent = channel->send(ours); !sent)
        co_return std::unexpected(sent.error());
    auto frame = co_await daemon::within(hello_limit, "waiting for its Hello", channel->read_frame());
    if (!frame)
        co_return std::unexpected(frame.error());
    if (!*frame)
        co_return fail(Errc::unavailable, "it closed the connection instead of a Hello");
    auto theirs = wire::parse<wire::Hello>(**frame);
    if (!theirs)
        co_return fail(theirs.error(), "its Hello");
    std::string uuid; // not known, but for what our certificate says
    if (const auto& ours_certified = options_.credentials)
        uuid.assign(ours_certified->context()->identity().cluster.begin(), ours_certified->context()->identity().cluster.end());
    if (auto fine = wire::check_hello(*theirs, {options_.cluster_name, uuid}, "the controller"); !fine)
        co_return fail(Error{Errc::denied, fine.error().message}, "refused");
    if (auto skew = wire::clock_skew(*theirs, wall_now(), "the controller"))
        log().warn("{}", *skew);
    channel->set_max_frame(options_.max_frame);
    co_return node::Greeted{theirs->cluster_uuid(), Epoch{theirs->epoch()}};
}

asio::awaitable<Result<void>> ControllerLink::serve(wire::ChannelPtr channel)
{
    auto greeted = co_await exchange_hello(channel);
    if (!greeted)
        co_return std::unexpected(greeted.error());
    const auto epoch = greeted->epoch;
    bool heard = false;
    channel_ = channel;
    events_.greeted(std::move(*greeted));
    while (channel_) {
        auto frame = co_await channel->read_frame();
        if (!channel_)
            break; // refused meanwhile
        if (!frame)
            co_return std::unexpected(frame.error());
        if (!*frame)
            co_return fail(Errc::unavailable, "it closed the connection");
        auto message = wire::parse<wire::ToNode>(**frame);
        if (!message)
            co_return std::unexpected(message.error());
        if (message->body_case() == wire::ToNode::BODY_NOT_SET)
            if (auto hello = wire::parse<wire::Hello>(**frame); hello && hello->has_refused())
                co_return fail(Errc::denied, "{}", hello->refused().message()); // it knows us by now and will not have us
        if (!std::exchange(heard, true)) {
            log().info({{"epoch", epoch.value}}, "connected to the controller{}{}", channel->identity() ? ", " : " at ",
                       channel->identity() ? channel->description() : options_.socket);
            last_trouble_.clear();
        }
        events_.message(*message);
    }
    if (!again_.empty())
        co_return fail(Errc::unavailable, "{}", std::exchange(again_, {}));
    co_return fail(Errc::denied, "{}", last_trouble_); // as refuse() said it
}

asio::awaitable<void> ControllerLink::run()
{
    auto pause = first_pause;
    while (true) {
        auto channel = co_await connect();
        Error trouble;
        if (channel) {
            auto end = co_await serve(*channel);
            if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
                co_return;
            trouble = end.error();
            (*channel)->close();
            if (channel_)
                pause = first_pause;
            channel_.reset();
            events_.disconnected();
        } else {
            trouble = channel.error();
        }
        const bool refused = trouble.code == Errc::denied;
        say_trouble(trouble);
        co_await daemon::sleep_for(jittered(refused ? refused_pause : pause));
        pause = std::min(pause * 2, longest_pause);
    }
}

void ControllerLink::send(const wire::FromNode& message)
{
    if (!channel_)
        return;
    if (auto sent = channel_->send(message); !sent) {
        log().warn("cannot send to the controller: {}", sent.error().message);
        channel_->close(); // the next connection begins with a full report
    }
}

void ControllerLink::refuse(const std::string& reason)
{
    say_trouble({Errc::denied, reason});
    if (channel_)
        channel_->close();
    channel_.reset();
}

// Nothing of the old connection is listened to any more, also what has come already.
void ControllerLink::dial_again(std::string reason)
{
    if (!channel_)
        return;
    again_ = std::move(reason);
    channel_->close();
    channel_.reset();
}

} // namespace jarvis::noded
