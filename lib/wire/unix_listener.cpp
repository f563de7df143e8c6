#include "wire/unix_channel.hpp"

#include "wire/as_values.hpp"
#include "wire/out_of_resources.hpp"

namespace jarvis::wire {

UnixListener::UnixListener(asio::any_io_executor executor, std::string path)
    : acceptor_(executor), pause_(executor), path_(std::move(path))
{
}

Result<std::unique_ptr<UnixListener>> UnixListener::open(asio::any_io_executor executor, const ListenOptions& options)
{
    auto socket = listen_unix(options);
    if (!socket)
        return std::unexpected(std::move(socket.error()));
    std::unique_ptr<UnixListener> listener(new UnixListener(executor, options.path));
    boost::system::error_code error;
    listener->acceptor_.assign(asio::local::stream_protocol(), socket->get(), error);
    if (error)
        return fail(Errc::unavailable, "cannot listen on {}: {}", options.path, error.message());
    socket->release(); // it is the acceptor's now
    return listener;
}

asio::awaitable<Result<Fd>> UnixListener::accept_socket(asio::any_io_executor executor)
{
    auto [error, socket] = co_await acceptor_.async_accept(executor, as_values);
    if (error) {
        if (out_of_resources(error)) {
            pause_.expires_after(pause_when_out_of_resources);
            co_await pause_.async_wait(as_values);
        }
        co_return fail(Errc::unavailable, "cannot accept a connection on {}: {}", path_, error.message());
    }
    co_return Fd(socket.release());
}

asio::awaitable<Result<ChannelPtr>> UnixListener::accept(asio::any_io_executor executor, ChannelOptions options)
{
    auto socket = co_await accept_socket(executor);
    if (!socket)
        co_return std::unexpected(std::move(socket.error()));
    co_return make_unix_channel(executor, std::move(*socket), path_, options);
}

void UnixListener::close()
{
    if (!acceptor_.is_open())
        return;
    boost::system::error_code ignored; // whether or not the kernel liked it, it is closed
    acceptor_.close(ignored);
    pause_.cancel();
}

UnixListener::~UnixListener() { close(); }

} // namespace jarvis::wire
