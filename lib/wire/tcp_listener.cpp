#include "wire/tcp_listener.hpp"

#include "wire/as_values.hpp"
#include "wire/out_of_resources.hpp"

#include <boost/asio/ip/v6_only.hpp>

#include <netinet/tcp.h>

namespace jarvis::wire {

namespace {

using asio::ip::tcp;
// tcp(7). Data that nobody acknowledges, or a peer that does not answer though nothing is sent, ends the connection.
constexpr int user_timeout_ms = 30'000;
constexpr int keepalive_idle_s = 15, keepalive_interval_s = 5, keepalive_count = 3;

} // namespace

void set_tcp_options(tcp::socket& socket)
{
    const int fd = socket.native_handle(), on = 1;
    const auto set = [fd](int level, int option, int value) { (void)::setsockopt(fd, level, option, &value, sizeof value); };
    set(IPPROTO_TCP, TCP_NODELAY, on);
    set(SOL_SOCKET, SO_KEEPALIVE, on);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
    set(IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
    set(IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
    set(IPPROTO_TCP, TCP_KEEPCNT, keepalive_count);
}

std::string to_string(const tcp::endpoint& endpoint)
{
    return jarvis::to_string(HostPort{endpoint.address().to_string(), endpoint.port()});
}

Result<std::unique_ptr<TcpListener>> TcpListener::open(asio::any_io_executor executor, const HostPort& address)
{
    boost::system::error_code error;
    const auto host = asio::ip::make_address(address.host, error);
    if (error)
        return fail(Errc::invalid, "cannot listen on {}: that is no numeric address; 0.0.0.0 and :: are all of this machine", jarvis::to_string(address));
    const tcp::endpoint endpoint(host, address.port);
    std::unique_ptr<TcpListener> listener(new TcpListener(executor));
    auto& acceptor = listener->acceptor_;
    acceptor.open(endpoint.protocol(), error);
    if (!error && host.is_v6())
        acceptor.set_option(asio::ip::v6_only(true), error); // so that 0.0.0.0 and :: can have the same port
    if (!error)
        acceptor.set_option(tcp::acceptor::reuse_address(true), error); // of a connection that the last process left behind
    if (!error)
        acceptor.bind(endpoint, error);
    if (!error)
        acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error)
        return fail(Errc::unavailable, "cannot listen on {}: {}", jarvis::to_string(address), error.message());
    listener->address_ = to_string(acceptor.local_endpoint(error));
    return listener;
}

asio::awaitable<Result<TcpConnection>> TcpListener::accept(asio::any_io_executor executor)
{
    tcp::endpoint peer;
    auto [error, socket] = co_await acceptor_.async_accept(executor, peer, as_values);
    if (error) {
        if (out_of_resources(error)) {
            pause_.expires_after(pause_when_out_of_resources);
            co_await pause_.async_wait(as_values);
        }
        co_return fail(Errc::unavailable, "cannot accept a connection on {}: {}", address_, error.message());
    }
    set_tcp_options(socket);
    TcpConnection connection{std::move(socket), to_string(peer)};
    co_return connection;
}

void TcpListener::close()
{
    boost::system::error_code ignored; // whether or not the kernel liked it, it is closed
    acceptor_.close(ignored);
    pause_.cancel();
}

} // namespace jarvis::wire
