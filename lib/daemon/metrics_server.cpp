#include "daemon/metrics_server.hpp"

#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "wire/as_values.hpp"
#include "wire/unix_socket.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <unistd.h>

namespace jarvis::daemon {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using namespace std::chrono_literals;

using Protocol = asio::generic::stream_protocol;
using Response = http::response<http::string_body>;
using wire::as_values;

// A scraper asks every few seconds and may keep its connection; a few of them look at one daemon.
constexpr std::size_t connections_at_once = 32;
constexpr auto idle_limit = 2min; // also for a request that does not come to its end
constexpr auto send_limit = 10s;
constexpr std::uint32_t header_limit = 8 << 10; // bytes
constexpr auto pause_after_failure = 100ms;     // without descriptors accept() fails at once, again and again

Response error_response(const http::request<http::empty_body>& request, http::status status, std::string text)
{
    Response response(status, request.version());
    response.set(http::field::content_type, "text/plain; charset=utf-8");
    response.body() = std::move(text);
    return response;
}

Response answer(const http::request<http::empty_body>& request, const Metrics& metrics)
{
    // What is behind a "?" asks for a part of the metrics, and all of them are given.
    const auto target = request.target().substr(0, request.target().find('?'));
    if (target != "/metrics")
        return error_response(request, http::status::not_found, "there is nothing but /metrics\n");
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
        auto response = error_response(request, http::status::method_not_allowed, "metrics can only be read\n");
        response.set(http::field::allow, "GET, HEAD");
        return response;
    }
    Response response(http::status::ok, request.version());
    response.set(http::field::content_type, metrics_content_type);
    response.body() = metrics.text();
    return response;
}

} // namespace

class MetricsServer::Connection {
public:
    beast::basic_stream<Protocol, asio::any_io_executor> stream;
    explicit Connection(Protocol::socket socket) : stream(std::move(socket)) {}
};

struct MetricsServer::Listener {
    asio::basic_socket_acceptor<Protocol, asio::any_io_executor> acceptor;
    std::string path; // of a UNIX socket
    explicit Listener(asio::any_io_executor executor) : acceptor(std::move(executor)) {}
};

MetricsServer::MetricsServer(asio::any_io_executor executor, const Metrics& metrics)
    : metrics_(metrics), tasks_(std::move(executor), "metrics")
{
}

MetricsServer::~MetricsServer() = default;

Result<void> MetricsServer::open(const MetricsPlaces& places)
{
    if (!places.socket.empty())
        if (auto listens = listen_unix(places.socket); !listens) {
            if (places.socket_asked)
                return fail(listens.error(), "metrics");
            log().warn("metrics: {}; they are not served there", listens.error().message);
        }
    for (const auto& text : places.listen) {
        const auto address = parse_host_port(text, places.default_port);
        if (!address)
            return fail(address.error(), "metrics");
        if (auto listens = listen_tcp(*address); !listens)
            return fail(listens.error(), "metrics");
    }
    return {};
}

Result<void> MetricsServer::listen_unix(const std::string& path)
{
    auto socket = wire::listen_unix({.path = path, .mode = 0666});
    if (!socket)
        return std::unexpected(socket.error());
    return listen(std::move(*socket), path);
}

// `path` is what is removed in the end, if it is not empty.
Result<void> MetricsServer::listen(Fd socket, std::string path)
{
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
        return std::unexpected(system_error(errno, "cannot look at a socket"));
    auto listener = std::make_unique<Listener>(tasks_.executor());
    listener->path = std::move(path);
    boost::system::error_code error;
    listener->acceptor.assign(Protocol(address.ss_family, 0), socket.get(), error);
    if (error)
        return fail(Errc::unavailable, "cannot listen: {}", error.message());
    socket.release(); // it is the acceptor's now
    tasks_.spawn("accept", accept(*listener));
    listeners_.push_back(std::move(listener));
    return {};
}

Result<void> MetricsServer::listen_tcp(const HostPort& address)
{
    boost::system::error_code error;
    const auto numeric = asio::ip::make_address(address.host, error);
    if (error)
        return fail(Errc::invalid, "cannot listen on {}: it is no numeric address", to_string(address));
    const asio::ip::tcp::endpoint endpoint(numeric, address.port);
    asio::ip::tcp::acceptor acceptor(tasks_.executor());
    if (acceptor.open(endpoint.protocol(), error); !error)
        acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error && numeric.is_v6())
        acceptor.set_option(asio::ip::v6_only(true), error);
    if (!error)
        acceptor.bind(endpoint, error);
    if (!error)
        acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error)
        return fail(Errc::unavailable, "cannot listen on {}: {}", to_string(address), error.message());
    log().info("metrics: http://{}/metrics", to_string(HostPort{address.host, acceptor.local_endpoint().port()}));
    return listen(Fd(acceptor.release()), "");
}

asio::awaitable<void> MetricsServer::accept(Listener& listener)
{
    while (listener.acceptor.is_open()) {
        auto [error, socket] = co_await listener.acceptor.async_accept(as_values);
        if (error) {
            if (const bool waited = co_await sleep_for(pause_after_failure); !waited)
                co_return;
            continue;
        }
        if (connections_.size() >= connections_at_once) {
            log().info("metrics: more than {} connections; one is closed", connections_at_once);
            continue;
        }
        auto connection = std::make_shared<Connection>(std::move(socket));
        connections_.insert(connection);
        tasks_.spawn("scrape", serve(std::move(connection)));
    }
}

asio::awaitable<void> MetricsServer::serve(std::shared_ptr<Connection> connection)
{
    struct Forget {
        MetricsServer& server;
        const std::shared_ptr<Connection>& connection;
        ~Forget() { server.connections_.erase(connection); }
    } forget{*this, connection};
    auto& stream = connection->stream;
    beast::flat_buffer buffer(header_limit * 2);
    for (;;) {
        http::request_parser<http::empty_body> parser;
        parser.header_limit(header_limit);
        stream.expires_after(idle_limit);
        auto [error, count] = co_await http::async_read(stream, buffer, parser, as_values);
        if (error == http::error::end_of_stream || error == beast::error::timeout || error == asio::error::operation_aborted)
            co_return;
        auto request = parser.release();
        auto response = error ? error_response(request, http::status::bad_request, "this is no request for metrics: " + error.message() + "\n")
                              : answer(request, metrics_);
        const bool last = error || !request.keep_alive();
        if (error)
            log().debug("metrics: a request that makes no sense: {}", error.message());
        response.keep_alive(!last);
        response.prepare_payload();
        if (request.method() == http::verb::head)
            response.body().clear(); // its length is told all the same
        stream.expires_after(send_limit);
        auto [failed, sent] = co_await http::async_write(stream, response, as_values);
        if (failed || last)
            break;
    }
    boost::system::error_code ignored; // the peer may be gone
    stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
}

void MetricsServer::close()
{
    for (auto& listener : listeners_) {
        boost::system::error_code ignored; // whether or not the kernel liked it, it is closed
        listener->acceptor.close(ignored);
        if (!listener->path.empty())
            ::unlink(listener->path.c_str());
        listener->path.clear();
    }
    for (const auto& connection : connections_)
        connection->stream.close();
    tasks_.cancel();
}

asio::awaitable<void> MetricsServer::stop()
{
    close();
    co_await tasks_.wait();
}

} // namespace jarvis::daemon
