#include "wire/unix_channel.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <vector>

namespace jarvis::wire {

namespace {

using Socket = asio::local::stream_protocol::socket;
constexpr auto as_values = asio::as_tuple(asio::use_awaitable);

// Several of the usual messages at once, and one system call for each 64 KiB of a big one.
constexpr std::size_t read_at_once = std::size_t{64} << 10;
// A buffer that grew for a burst is given back.
constexpr std::size_t keep_capacity = std::size_t{1} << 20;

jarvis::Error io_error(const boost::system::error_code& error, std::string_view what)
{
    return {Errc::unavailable, fmt::format("{}: {}", what, error.message())};
}

// Writes are a chain of handlers that hold the channel, so they need no coroutine and no owner of one.
class UnixChannel final : public Channel, public std::enable_shared_from_this<UnixChannel> {
    Socket socket_;
    ChannelOptions options_;
    PeerCredentials credentials_;
    std::string path_;
    FrameReader reader_;
    std::vector<char> read_buffer_;
    std::string waiting_; // frames that the write in flight does not include
    std::string writing_;
    bool write_in_flight_ = false;
    asio::steady_timer stall_;
    asio::steady_timer progress_;              // never expires: a change of the queue cancels its waits
    std::optional<jarvis::Error> why_closed_;

    void start_write();
    void write_some(std::size_t offset);
    void finish_write();
    void watch_stall();
    void close_because(jarvis::Error why);
    asio::awaitable<Result<void>> wait_below(std::size_t bytes);

public:
    UnixChannel(Socket socket, const PeerCredentials& credentials, std::string path, const ChannelOptions& options)
        : socket_(std::move(socket)), options_(options), credentials_(credentials), path_(std::move(path)),
          reader_(options.max_frame), stall_(socket_.get_executor()),
          progress_(socket_.get_executor(), asio::steady_timer::time_point::max())
    {
    }

    asio::any_io_executor executor() const override { return const_cast<Socket&>(socket_).get_executor(); }
    asio::awaitable<Result<std::optional<std::string>>> read_frame() override;
    void set_max_frame(std::size_t bytes) override { reader_.set_max_payload(bytes); }
    using Channel::send;
    Result<void> send(std::string_view payload) override;
    asio::awaitable<Result<void>> send_when_room(std::string payload) override;
    asio::awaitable<Result<void>> flush() override;
    std::size_t queued() const override { return waiting_.size() + writing_.size(); }
    void close() override { close_because({Errc::unavailable, "the connection was closed here"}); }
    bool is_open() const override { return !why_closed_; }
    std::optional<PeerCredentials> credentials() const override { return credentials_; }
    int native_handle() const override { return is_open() ? const_cast<Socket&>(socket_).native_handle() : -1; }
    std::string description() const override
    {
        return fmt::format("uid {} pid {} on {}", credentials_.uid, credentials_.pid, path_);
    }
};

asio::awaitable<Result<std::optional<std::string>>> UnixChannel::read_frame()
{
    auto self = shared_from_this();
    while (true) {
        auto frame = reader_.next();
        if (!frame || *frame)
            co_return frame;
        if (why_closed_)
            co_return std::unexpected(*why_closed_);
        read_buffer_.resize(read_at_once);
        auto [error, n] = co_await socket_.async_read_some(asio::buffer(read_buffer_), as_values);
        reader_.feed({read_buffer_.data(), n});
        if (error == asio::error::eof && n == 0) {
            if (reader_.at_boundary())
                co_return std::nullopt;
            co_return fail(Errc::corrupt, "the connection ended in the middle of a message");
        }
        if (error && why_closed_)
            co_return std::unexpected(*why_closed_);
        if (error == asio::error::operation_aborted)
            co_return fail(Errc::unavailable, "receiving was cancelled");
        if (error)
            co_return std::unexpected(io_error(error, "cannot receive"));
    }
}

Result<void> UnixChannel::send(std::string_view payload)
{
    if (why_closed_)
        return std::unexpected(*why_closed_);
    if (queued() + payload.size() > options_.max_queued)
        return fail(Errc::unavailable, "{} bytes wait to be sent already; the peer does not keep up", queued());
    append_frame(waiting_, payload);
    start_write();
    return {};
}

void UnixChannel::start_write()
{
    if (write_in_flight_ || waiting_.empty())
        return;
    std::swap(waiting_, writing_);
    write_in_flight_ = true;
    watch_stall();
    write_some(0);
}

// Piece by piece and not by async_write, so that the stall limit is about progress and not about the whole queue.
void UnixChannel::write_some(std::size_t offset)
{
    auto rest = asio::buffer(writing_.data() + offset, writing_.size() - offset);
    socket_.async_write_some(rest, [self = shared_from_this(), offset](boost::system::error_code error, std::size_t n) {
        if (self->why_closed_) {
            self->finish_write();
            return;
        }
        if (error) {
            self->close_because(io_error(error, "cannot send"));
            self->finish_write();
            return;
        }
        if (offset + n < self->writing_.size()) {
            self->watch_stall();
            self->write_some(offset + n);
            return;
        }
        self->finish_write();
        self->start_write();
    });
}

void UnixChannel::finish_write()
{
    write_in_flight_ = false;
    writing_.clear();
    if (writing_.capacity() > keep_capacity)
        writing_.shrink_to_fit();
    stall_.cancel();
    progress_.cancel();
}

void UnixChannel::watch_stall()
{
    stall_.expires_after(options_.stall_limit);
    stall_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
        auto self = weak.lock();
        if (error || !self || !self->write_in_flight_)
            return;
        // A wait that had expired before it was cancelled by progress still gets here without an error.
        if (self->stall_.expiry() > std::chrono::steady_clock::now())
            return;
        self->close_because({Errc::unavailable, fmt::format("the peer has read nothing for {} ms",
                                                            self->options_.stall_limit.count())});
    });
}

void UnixChannel::close_because(jarvis::Error why)
{
    if (why_closed_)
        return;
    why_closed_ = std::move(why);
    waiting_.clear();
    boost::system::error_code ignored; // closing a socket that is closed, or was reset, is what we want
    socket_.close(ignored);
    stall_.cancel();
    progress_.cancel();
}

asio::awaitable<Result<void>> UnixChannel::wait_below(std::size_t bytes)
{
    auto self = shared_from_this();
    while (!why_closed_ && queued() > bytes) {
        co_await progress_.async_wait(as_values);
        // Progress cancels the wait as well as a cancelled task does; only the latter is seen by the task's state.
        if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
            co_return fail(Errc::unavailable, "sending was cancelled");
    }
    if (why_closed_)
        co_return std::unexpected(*why_closed_);
    co_return Result<void>();
}

asio::awaitable<Result<void>> UnixChannel::send_when_room(std::string payload)
{
    auto self = shared_from_this();
    if (auto room = co_await wait_below(options_.room_below); !room)
        co_return room;
    co_return send(std::string_view(payload));
}

asio::awaitable<Result<void>> UnixChannel::flush()
{
    return wait_below(0);
}

} // namespace

Result<void> Channel::send(const google::protobuf::MessageLite& message)
{
    std::string payload;
    message.SerializeToString(&payload);
    return send(std::string_view(payload));
}

Result<ChannelPtr> make_unix_channel(asio::any_io_executor executor, Fd socket, std::string path,
                                     const ChannelOptions& options)
{
    auto credentials = peer_credentials(socket.get());
    if (!credentials)
        return std::unexpected(std::move(credentials.error()));
    Socket asio_socket(executor);
    boost::system::error_code error;
    asio_socket.assign(asio::local::stream_protocol(), socket.get(), error);
    if (error)
        return std::unexpected(io_error(error, "cannot use the socket"));
    socket.release(); // it is asio_socket's now
    return std::make_shared<UnixChannel>(std::move(asio_socket), *credentials, std::move(path), options);
}

asio::awaitable<Result<ChannelPtr>> connect_unix(std::string path, std::chrono::milliseconds limit, ChannelOptions options)
{
    using namespace asio::experimental::awaitable_operators;
    if (auto address = unix_address(path); !address)
        co_return std::unexpected(std::move(address.error()));
    auto executor = co_await asio::this_coro::executor;
    Socket socket(executor);
    asio::steady_timer deadline(executor, limit);
    auto first = co_await (socket.async_connect(asio::local::stream_protocol::endpoint(path), as_values) ||
                           deadline.async_wait(as_values));
    if (first.index() == 1)
        co_return fail(Errc::unavailable, "cannot connect to {} within {} ms", path, limit.count());
    if (auto [error] = std::get<0>(first); error)
        co_return std::unexpected(io_error(error, fmt::format("cannot connect to {}", path)));
    co_return make_unix_channel(executor, Fd(socket.release()), std::move(path), options);
}

} // namespace jarvis::wire
