// The frames of a channel over any stream of Asio's: reading, the queue of what is to be written, the stall limit. What a
// kind of connection adds (who is there, what its errors mean, how it ends) is its `Connection`:
//
//     struct Connection {
//         Stream& stream();                      // async_read_some, async_write_some, get_executor
//         void close();
//         int native_handle();
//         std::optional<PeerCredentials> credentials() const;
//         std::optional<PeerIdentity> identity() const;
//         std::string description() const;
//         static bool is_end(const boost::system::error_code&); // the peer has closed
//         Error error(const boost::system::error_code&, std::string_view what) const;
//     };
//
// For the files that implement Channel.
#pragma once

#include "wire/as_values.hpp"
#include "wire/channel.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <vector>

namespace jarvis::wire {

// Thousands of connections are open at once and say nothing, so each has little. It reads as much at once as it last found there:
// several of the usual messages, and one system call for each 64 KiB of a big one.
inline constexpr std::size_t read_least = std::size_t{4} << 10;
inline constexpr std::size_t read_most = std::size_t{64} << 10;
// A buffer that grew for a burst is given back.
inline constexpr std::size_t keep_capacity = std::size_t{64} << 10;

// Writes are a chain of handlers that hold the channel, so they need no coroutine and no owner of one.
template <class Connection>
class StreamChannel final : public Channel, public std::enable_shared_from_this<StreamChannel<Connection>> {
    Connection connection_;
    ChannelOptions options_;
    FrameReader reader_;
    std::vector<char> read_buffer_ = std::vector<char>(read_least);
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
    void fit_read_buffer(std::size_t last_read);
    asio::awaitable<Result<void>> wait_below(std::size_t bytes);

public:
    StreamChannel(Connection connection, const ChannelOptions& options)
        : connection_(std::move(connection)), options_(options), reader_(options.max_frame),
          stall_(connection_.stream().get_executor()),
          progress_(connection_.stream().get_executor(), asio::steady_timer::time_point::max())
    {
    }

    asio::any_io_executor executor() const override { return const_cast<Connection&>(connection_).stream().get_executor(); }
    asio::awaitable<Result<std::optional<std::string>>> read_frame() override;
    void set_max_frame(std::size_t bytes) override { reader_.set_max_payload(bytes); }
    using Channel::send;
    Result<void> send(std::string_view payload) override;
    asio::awaitable<Result<void>> send_when_room(std::string payload) override;
    asio::awaitable<Result<void>> flush() override;
    std::size_t queued() const override { return waiting_.size() + writing_.size(); }
    void close() override { close_because({Errc::unavailable, "the connection was closed here"}); }
    bool is_open() const override { return !why_closed_; }
    std::optional<PeerCredentials> credentials() const override { return connection_.credentials(); }
    std::optional<PeerIdentity> identity() const override { return connection_.identity(); }
    int native_handle() const override { return is_open() ? const_cast<Connection&>(connection_).native_handle() : -1; }
    std::string description() const override { return connection_.description(); }
};

template <class Connection>
asio::awaitable<Result<std::optional<std::string>>> StreamChannel<Connection>::read_frame()
{
    auto self = this->shared_from_this();
    while (true) {
        auto frame = reader_.next();
        if (!frame || *frame)
            co_return frame;
        if (why_closed_)
            co_return std::unexpected(*why_closed_);
        auto [error, n] = co_await connection_.stream().async_read_some(asio::buffer(read_buffer_), as_values);
        reader_.feed({read_buffer_.data(), n});
        fit_read_buffer(n);
        if (n == 0 && Connection::is_end(error)) {
            if (reader_.at_boundary())
                co_return std::nullopt;
            co_return fail(Errc::corrupt, "the connection ended in the middle of a message");
        }
        if (error && why_closed_)
            co_return std::unexpected(*why_closed_);
        if (error == asio::error::operation_aborted)
            co_return fail(Errc::unavailable, "receiving was cancelled");
        if (error)
            co_return std::unexpected(connection_.error(error, "cannot receive"));
    }
}

template <class Connection>
void StreamChannel<Connection>::fit_read_buffer(std::size_t last_read)
{
    if (last_read == read_buffer_.size() && last_read < read_most)
        read_buffer_.resize(read_most);
    else if (last_read < read_least && read_buffer_.size() > read_least)
        read_buffer_ = std::vector<char>(read_least);
}

template <class Connection>
Result<void> StreamChannel<Connection>::send(std::string_view payload)
{
    if (why_closed_)
        return std::unexpected(*why_closed_);
    if (queued() + payload.size() > options_.max_queued)
        return fail(Errc::unavailable, "{} bytes wait to be sent already; the peer does not keep up", queued());
    append_frame(waiting_, payload);
    start_write();
    return {};
}

template <class Connection>
void StreamChannel<Connection>::start_write()
{
    if (write_in_flight_ || waiting_.empty())
        return;
    std::swap(waiting_, writing_);
    write_in_flight_ = true;
    watch_stall();
    write_some(0);
}

// Piece by piece and not by async_write, so that the stall limit is about progress and not about the whole queue.
template <class Connection>
void StreamChannel<Connection>::write_some(std::size_t offset)
{
    auto rest = asio::buffer(writing_.data() + offset, writing_.size() - offset);
    connection_.stream().async_write_some(rest, [self = this->shared_from_this(), offset](boost::system::error_code error, std::size_t n) {
        if (self->why_closed_) {
            self->finish_write();
            return;
        }
        if (error) {
            self->close_because(self->connection_.error(error, "cannot send"));
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

template <class Connection>
void StreamChannel<Connection>::finish_write()
{
    write_in_flight_ = false;
    writing_.clear();
    if (writing_.capacity() > keep_capacity)
        writing_.shrink_to_fit();
    stall_.cancel();
    progress_.cancel();
}

template <class Connection>
void StreamChannel<Connection>::watch_stall()
{
    stall_.expires_after(options_.stall_limit);
    stall_.async_wait([weak = this->weak_from_this()](boost::system::error_code error) {
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

template <class Connection>
void StreamChannel<Connection>::close_because(jarvis::Error why)
{
    if (why_closed_)
        return;
    why_closed_ = std::move(why);
    waiting_.clear();
    connection_.close();
    stall_.cancel();
    progress_.cancel();
}

template <class Connection>
asio::awaitable<Result<void>> StreamChannel<Connection>::wait_below(std::size_t bytes)
{
    auto self = this->shared_from_this();
    while (!why_closed_ && queued() > bytes) {
        co_await progress_.async_wait(as_values);
        // Progress cancels the wait as well as a cancelled task does; only the latter is seen by the task's state.
        const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            co_return fail(Errc::unavailable, "sending was cancelled");
    }
    if (why_closed_)
        co_return std::unexpected(*why_closed_);
    co_return Result<void>();
}

template <class Connection>
asio::awaitable<Result<void>> StreamChannel<Connection>::send_when_room(std::string payload)
{
    auto self = this->shared_from_this();
    if (auto room = co_await wait_below(options_.room_below); !room)
        co_return room;
    co_return send(std::string_view(payload));
}

template <class Connection>
asio::awaitable<Result<void>> StreamChannel<Connection>::flush()
{
    return wait_below(0);
}

} // namespace jarvis::wire
