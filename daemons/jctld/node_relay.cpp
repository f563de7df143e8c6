#include "node_relay.hpp"

#include "wire/as_values.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <vector>

namespace jarvis::jctld {

namespace {

using wire::as_values;

// The options of all relayed channels. Little waits here: the node's connection takes it on as fast as its user reads.
wire::ChannelOptions channel_options()
{
    wire::ChannelOptions options;
    options.room_below = wire::relay_window;
    return options;
}

} // namespace

class RelayChannel final : public wire::Channel, public std::enable_shared_from_this<RelayChannel> {
    std::weak_ptr<NodeRelay> relay_;
    asio::any_io_executor executor_;
    std::uint64_t connection_;
    std::string description_;
    wire::ChannelOptions options_ = channel_options();
    wire::FrameReader reader_;
    std::string arrived_; // not given to the reader yet: the node's window bounds it
    bool ended_ = false;  // the user's side sends no more
    asio::steady_timer readable_; // these never expire: what is waited for cancels them
    asio::steady_timer progress_;
    asio::steady_timer stall_;
    std::optional<Error> why_closed_;

    std::size_t queued_in(const NodeRelay& relay) const { return relay.pump_.sender.queued(connection_); }

    void watch_stall()
    {
        stall_.expires_after(options_.stall_limit);
        stall_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            auto self = weak.lock();
            if (error || !self || self->queued() == 0 || self->stall_.expiry() > std::chrono::steady_clock::now())
                return;
            self->close_because({Errc::unavailable,
                                 fmt::format("the peer has read nothing for {} ms", self->options_.stall_limit.count())});
        });
    }

    asio::awaitable<Result<void>> wait_below(std::size_t bytes)
    {
        auto self = shared_from_this();
        while (!why_closed_ && queued() > bytes) {
            co_await progress_.async_wait(as_values);
            if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
                co_return fail(Errc::unavailable, "sending was cancelled");
        }
        if (why_closed_)
            co_return std::unexpected(*why_closed_);
        co_return Result<void>();
    }

public:
    RelayChannel(const std::shared_ptr<NodeRelay>& relay, asio::any_io_executor executor, std::uint64_t connection,
                 std::string description)
        : relay_(relay), executor_(executor), connection_(connection), description_(std::move(description)),
          reader_(options_.max_frame), readable_(executor, asio::steady_timer::time_point::max()),
          progress_(executor, asio::steady_timer::time_point::max()), stall_(executor)
    {
    }
    ~RelayChannel() override { close(); }

    asio::any_io_executor executor() const override { return executor_; }

    asio::awaitable<Result<std::optional<std::string>>> read_frame() override
    {
        auto self = shared_from_this();
        while (true) {
            auto frame = reader_.next();
            if (!frame || *frame)
                co_return frame;
            if (why_closed_)
                co_return std::unexpected(*why_closed_);
            if (!arrived_.empty()) {
                reader_.feed(arrived_);
                if (auto relay = relay_.lock()) {
                    relay->pump_.sender.taken(connection_, arrived_.size());
                    relay->pump_.wake();
                }
                arrived_.clear();
                continue;
            }
            if (ended_ && reader_.at_boundary())
                co_return std::nullopt;
            if (ended_)
                co_return fail(Errc::corrupt, "the connection ended in the middle of a message");
            co_await readable_.async_wait(as_values);
            if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
                co_return fail(Errc::unavailable, "receiving was cancelled");
        }
    }

    void set_max_frame(std::size_t bytes) override { reader_.set_max_payload(bytes); }

    using Channel::send;
    Result<void> send(std::string_view payload) override
    {
        auto relay = relay_.lock();
        if (why_closed_ || !relay)
            return std::unexpected(why_closed_.value_or(Error{Errc::unavailable, "the node's connection is over"}));
        const auto before = queued_in(*relay);
        if (before + payload.size() > options_.max_queued)
            return fail(Errc::unavailable, "{} bytes wait to be sent already; the peer does not keep up", before);
        const auto header = wire::frame_header(static_cast<std::uint32_t>(payload.size()));
        relay->pump_.sender.send(connection_, {header.data(), header.size()});
        relay->pump_.sender.send(connection_, payload);
        relay->pump_.wake();
        if (before == 0)
            watch_stall();
        return {};
    }

    asio::awaitable<Result<void>> send_when_room(std::string payload) override
    {
        auto self = shared_from_this();
        if (auto room = co_await wait_below(options_.room_below); !room)
            co_return room;
        co_return send(std::string_view(payload));
    }
    asio::awaitable<Result<void>> flush() override { return wait_below(0); }
    std::size_t queued() const override
    {
        const auto relay = relay_.lock();
        return relay ? queued_in(*relay) : 0;
    }

    void close() override { close_because({Errc::unavailable, "the connection was closed here"}); }
    bool is_open() const override { return !why_closed_; }
    std::optional<wire::PeerCredentials> credentials() const override { return std::nullopt; } // by a kernel that is not ours
    int native_handle() const override { return -1; }
    std::string description() const override { return description_; }

    // ---- For NodeRelay

    void close_because(Error why)
    {
        if (why_closed_)
            return;
        why_closed_ = std::move(why);
        arrived_.clear();
        if (auto relay = relay_.lock())
            relay->closed_here(connection_);
        readable_.cancel();
        progress_.cancel();
        stall_.cancel();
    }

    Result<void> arrive(const std::string& bytes)
    {
        if (arrived_.size() + bytes.size() > wire::relay_window)
            return fail(Errc::corrupt, "{} bytes of a relayed connection, where {} may be under way",
                        arrived_.size() + bytes.size(), wire::relay_window);
        arrived_ += bytes;
        readable_.cancel();
        return {};
    }
    void end_arriving()
    {
        ended_ = true;
        readable_.cancel();
    }
    // Some of what was queued has left.
    void made_progress()
    {
        progress_.cancel();
        watch_stall();
    }
};

NodeRelay::NodeRelay(std::string node, wire::ChannelPtr channel)
    : node_(std::move(node)), pump_(std::move(channel), [this](wire::Relay&& message) { return envelope(std::move(message)); })
{
}

NodeRelay::~NodeRelay() { close(); }

std::string NodeRelay::envelope(wire::Relay&& message)
{
    if (const auto found = channels_.find(message.connection()); found != channels_.end())
        if (const auto channel = found->second.lock())
            channel->made_progress();
    wire::ToNode frame;
    *frame.mutable_relay() = std::move(message);
    return frame.SerializeAsString();
}

Result<void> NodeRelay::open(const wire::Relay& message, const Accept& accept)
{
    const auto connection = message.connection();
    if (connection <= last_)
        return fail(Errc::corrupt, "relayed connection {} is opened after {}", connection, last_);
    if (channels_.size() >= wire::relay_connections)
        return fail(Errc::corrupt, "more than {} relayed connections at once", wire::relay_connections);
    last_ = connection;
    pump_.sender.add(connection);
    const auto& who = message.open();
    auto channel = std::make_shared<RelayChannel>(
        shared_from_this(), pump_.executor(), connection, fmt::format("uid {} pid {} on node {}", who.uid(), who.pid(), node_));
    channels_.emplace(connection, channel);
    accept(std::move(channel), who.uid());
    return {};
}

Result<void> NodeRelay::take(const wire::Relay& message, const Accept& accept)
{
    if (message.has_open())
        if (auto opened = open(message, accept); !opened)
            return opened;
    const auto found = channels_.find(message.connection());
    const auto channel = found == channels_.end() ? nullptr : found->second.lock();
    if (!channel)
        return {}; // closed here, which the node has not heard yet
    if (message.closed()) {
        pump_.sender.forget(message.connection());
        channels_.erase(found);
        channel->close_because({Errc::unavailable, "the peer closed the connection"});
        return {};
    }
    if (message.taken() > 0) {
        pump_.sender.grant(message.connection(), message.taken());
        pump_.wake();
    }
    if (!message.data().empty())
        if (auto arrived = channel->arrive(message.data()); !arrived)
            return arrived;
    if (message.ended())
        channel->end_arriving();
    return {};
}

void NodeRelay::closed_here(std::uint64_t connection)
{
    if (channels_.erase(connection) == 0)
        return;
    pump_.sender.close(connection);
    pump_.wake();
}

asio::awaitable<void> NodeRelay::run(std::shared_ptr<NodeRelay> relay) { co_await relay->pump_.run(); }

void NodeRelay::close()
{
    pump_.stop();
    auto channels = std::move(channels_);
    channels_.clear();
    for (const auto& [connection, weak] : channels)
        if (const auto channel = weak.lock())
            channel->close_because({Errc::unavailable, fmt::format("the connection of node {} is over", node_)});
}

} // namespace jarvis::jctld
