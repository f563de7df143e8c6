// Channels over UNIX sockets, and the listener that makes them.
#pragma once

#include "wire/channel.hpp"
#include "wire/unix_socket.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/stat.h>

namespace jarvis::wire {

// Takes a connected socket.
Result<ChannelPtr> make_unix_channel(asio::any_io_executor executor, Fd socket, std::string path,
                                     const ChannelOptions& options = {});

// Connects within the limit.
asio::awaitable<Result<ChannelPtr>> connect_unix(std::string path, std::chrono::milliseconds limit,
                                                 ChannelOptions options = {});

// Listens on a path. The path stays when it goes: it tells users that a daemon belongs here, which is away for a moment.
class UnixListener {
    asio::local::stream_protocol::acceptor acceptor_;
    asio::steady_timer pause_;
    std::string path_;

    UnixListener(asio::any_io_executor executor, std::string path);

public:
    static Result<std::unique_ptr<UnixListener>> open(asio::any_io_executor executor, const ListenOptions& options);
    UnixListener(const UnixListener&) = delete;
    UnixListener& operator=(const UnixListener&) = delete;
    ~UnixListener();

    // The next connection, its channel on `executor`. When the process is out of descriptors or memory it waits a little
    // before it says so: the caller logs the failure and calls again. A failure with is_open() false is the end.
    asio::awaitable<Result<ChannelPtr>> accept(asio::any_io_executor executor, ChannelOptions options = {});
    // The same as a bare socket, which does not block.
    asio::awaitable<Result<Fd>> accept_socket(asio::any_io_executor executor);
    const std::string& path() const { return path_; }
    bool is_open() const { return acceptor_.is_open(); }
    // Stops accepting.
    void close();
};

} // namespace jarvis::wire
