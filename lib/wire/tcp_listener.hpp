// TCP: listening, and connections before TLS.
#pragma once

#include "base/host_port.hpp"
#include "base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>

namespace jarvis::wire {

namespace asio = boost::asio;

struct TcpConnection {
    asio::ip::tcp::socket socket;
    std::string peer; // "[fd00::7]:40122"
};

// What every connection between daemons has: small messages leave at once, and a peer that is gone without a word is
// noticed within about half a minute.
void set_tcp_options(asio::ip::tcp::socket& socket);
// "10.0.0.7:6820", "[fd00::7]:6820"
std::string to_string(const asio::ip::tcp::endpoint& endpoint);

class TcpListener {
    asio::ip::tcp::acceptor acceptor_;
    asio::steady_timer pause_;
    std::string address_;

    explicit TcpListener(asio::any_io_executor executor) : acceptor_(executor), pause_(executor) {}

public:
    // A numeric address, IPv6 ones for IPv6 alone; port 0 is a free one.
    static Result<std::unique_ptr<TcpListener>> open(asio::any_io_executor executor, const HostPort& address);

    // Like UnixListener::accept.
    asio::awaitable<Result<TcpConnection>> accept(asio::any_io_executor executor);
    const std::string& address() const { return address_; } // with the port that it got
    bool is_open() const { return acceptor_.is_open(); }
    void close();
};

} // namespace jarvis::wire
