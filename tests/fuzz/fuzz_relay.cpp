// Bytes as what a node relays of its users' connections. Each user's stream is cut into frames and answered with the same frames; what
// goes back stays within what the node has granted, whatever the node says.
#include "draw.hpp"
#include "node_relay.hpp"
#include "require.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

using namespace jarvis;
namespace asio = boost::asio;

namespace {

// The node's connection. What is sent to the node is looked at.
class NodeChannel final : public wire::Channel {
    asio::io_context& io_;
    bool open_ = true;
    std::map<std::uint64_t, std::uint64_t> room_; // that the node has granted
    std::set<std::uint64_t> closed_;

    void take(const wire::Relay& message)
    {
        const auto connection = message.connection();
        JARVIS_REQUIRE(room_.contains(connection) && !closed_.contains(connection) && !message.has_open());
        JARVIS_REQUIRE(message.data().size() <= wire::relay_piece && message.data().size() <= room_[connection]);
        room_[connection] -= message.data().size();
        if (message.closed())
            closed_.insert(connection);
    }

public:
    explicit NodeChannel(asio::io_context& io) : io_(io) {}

    void opened(std::uint64_t connection) { room_.emplace(connection, wire::relay_window); }
    void granted(std::uint64_t connection, std::uint64_t bytes)
    {
        if (const auto found = room_.find(connection); found != room_.end())
            found->second = std::min<std::uint64_t>(wire::relay_window, found->second + std::min<std::uint64_t>(bytes, wire::relay_window));
    }

    asio::any_io_executor executor() const override { return io_.get_executor(); }
    asio::awaitable<Result<std::optional<std::string>>> read_frame() override { co_return std::nullopt; }
    void set_max_frame(std::size_t) override {}
    using Channel::send;
    Result<void> send(std::string_view payload) override
    {
        const auto message = wire::parse<wire::ToNode>(payload);
        JARVIS_REQUIRE(message && message->has_relay());
        take(message->relay());
        return {};
    }
    asio::awaitable<Result<void>> send_when_room(std::string payload) override { co_return send(std::string_view(payload)); }
    asio::awaitable<Result<void>> flush() override { co_return Result<void>(); }
    std::size_t queued() const override { return 0; }
    void close() override { open_ = false; }
    bool is_open() const override { return open_; }
    std::optional<wire::PeerCredentials> credentials() const override { return std::nullopt; }
    int native_handle() const override { return -1; }
    std::string description() const override { return "a node"; }
};

asio::awaitable<void> echo(wire::ChannelPtr user)
{
    for (;;) {
        auto frame = co_await user->read_frame();
        if (!frame || !*frame || !user->send(std::string_view(**frame)))
            break;
    }
    user->close();
}

// Numbers around those that are in use, and some bytes or a whole frame.
wire::Relay some_message(fuzz::Draw& draw)
{
    wire::Relay message;
    if (draw.rarely(8)) {
        (void)message.ParseFromString(std::string(draw.text()));
        return message;
    }
    message.set_connection(draw.below(5));
    if (draw.flag())
        message.mutable_open()->set_uid(1000);
    if (draw.flag())
        message.set_taken(draw.pick<std::uint64_t>({1, 100, wire::relay_window, ~std::uint64_t{0}}));
    if (draw.flag())
        message.set_data(std::string(draw.text()));
    if (draw.flag())
        wire::append_frame(*message.mutable_data(), std::string(draw.byte() * std::size_t{256}, 'x'));
    message.set_ended(draw.rarely(8));
    message.set_closed(draw.rarely(8));
    return message;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    asio::io_context io;
    const auto channel = std::make_shared<NodeChannel>(io);
    const auto relay = std::make_shared<jctld::NodeRelay>("n1", channel);
    asio::co_spawn(io, jctld::NodeRelay::run(relay), asio::detached);
    for (fuzz::Draw draw(data, size); !draw.done();) {
        const auto message = some_message(draw);
        channel->granted(message.connection(), message.taken());
        const auto taken = relay->take(message, [&](wire::ChannelPtr user, std::uint32_t) {
            channel->opened(message.connection());
            asio::co_spawn(io, echo(std::move(user)), asio::detached);
        });
        io.poll();
        if (!taken)
            break; // as the controller does: the node's connection is closed
    }
    relay->close();
    io.poll();
    return 0;
}
