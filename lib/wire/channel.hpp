// A connection of a daemon, whatever it runs over: frames in, frames out, who is there.
//
// All calls are made on the channel's executor (a strand, or a loop with one thread), which is also where everything
// completes. A channel lives at least as long as its pending reads and writes: they hold it.
#pragma once

#include "base/result.hpp"
#include "pki/identity.hpp"
#include "wire/frame.hpp"
#include "wire/unix_socket.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace jarvis::wire {

namespace asio = boost::asio;

struct ChannelOptions {
    std::size_t max_frame = limits::hello_frame;                 // until set_max_frame: before Hello little is believed
    std::size_t max_queued = std::size_t{32} << 20;              // bytes waiting to be written, over which send refuses
    std::size_t room_below = std::size_t{4} << 20;               // send_when_room waits until fewer are waiting
    std::chrono::milliseconds stall_limit = std::chrono::seconds(30); // a peer that reads nothing for so long is dropped
};

// Who a certificate says is there.
struct PeerIdentity {
    pki::Identity identity;
    std::string certificate; // DER
};

class Channel {
public:
    virtual ~Channel() = default;

    virtual asio::any_io_executor executor() const = 0;

    // The next frame's payload, or nothing when the peer closed between two frames. One read at a time. Cancelling it
    // loses nothing: a partly received frame is kept for the next read.
    virtual asio::awaitable<Result<std::optional<std::string>>> read_frame() = 0;
    // For all frames that have not been read yet, also those that have arrived.
    virtual void set_max_frame(std::size_t bytes) = 0;

    // Queues a frame and returns at once. Fails when the queue is full (the caller drops the peer or the frame), and when
    // the channel is closed.
    virtual Result<void> send(std::string_view payload) = 0;
    Result<void> send(const google::protobuf::MessageLite& message);

    // For streams of frames: waits until the queue is short, then queues. Fails when the channel is or gets closed, so also
    // when the peer reads nothing for the stall limit.
    virtual asio::awaitable<Result<void>> send_when_room(std::string payload) = 0;
    // Waits until everything queued has left; fails like send_when_room.
    virtual asio::awaitable<Result<void>> flush() = 0;
    virtual std::size_t queued() const = 0;

    // Drops what is queued; pending reads and waits fail. Again is fine.
    virtual void close() = 0;
    virtual bool is_open() const = 0;

    // From the kernel; a channel that has none (TLS) answers nothing.
    virtual std::optional<PeerCredentials> credentials() const = 0;
    // From the peer's certificate, which was checked; a channel that has none (UNIX) answers nothing.
    virtual std::optional<PeerIdentity> identity() const { return std::nullopt; }
    // The socket, for an auth plugin to ask the kernel about; it stays the channel's. -1 after close.
    virtual int native_handle() const = 0;
    // For logs: "uid 1000 pid 4711 on /run/jarvis/jctld.sock".
    virtual std::string description() const = 0;
};

using ChannelPtr = std::shared_ptr<Channel>;

} // namespace jarvis::wire
