#include "wire/tls_channel.hpp"

#include "base/units.hpp"
#include "wire/clocks.hpp"
#include "wire/resolve.hpp"
#include "wire/stream_channel.hpp"
#include "wire/tls_handshake.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/strand.hpp>

namespace jarvis::wire {

namespace {

using asio::ip::tcp;
using Stream = asio::ssl::stream<tcp::socket>;

// A peer that was refused gets the time to read why, before the connection is closed over what it sent.
constexpr std::chrono::milliseconds last_words{500};

// What the peer's alert says of our certificate; tls_handshake.cpp chooses them.
std::string_view refusal(int alert)
{
    switch (alert) {
    case SSL_AD_CERTIFICATE_EXPIRED: return "by its clock it has expired";
    case SSL_AD_BAD_CERTIFICATE: return "by its clock it is not valid yet; are the clocks apart?";
    case SSL_AD_UNSUPPORTED_CERTIFICATE: return "it expects another role";
    case SSL_AD_UNKNOWN_CA: return "it is of another cluster, or of another authority";
    default: return {};
    }
}

jarvis::Error tls_error(const boost::system::error_code& error, std::string_view what, const TlsContext& ours)
{
    if (error == asio::ssl::error::stream_truncated || error == asio::error::eof)
        return {Errc::unavailable, fmt::format("{}: the peer closed the connection", what)};
    if (error.category() != asio::error::get_ssl_category())
        return {Errc::unavailable, fmt::format("{}: {}", what, error.message())};
    const int reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()));
    const int alert = reason - SSL_AD_REASON_OFFSET;
    if (alert < 0)
        return {Errc::corrupt, fmt::format("{}: this is no TLS 1.3 as it should be: {}", what, error.message())};
    const auto& certificate = ours.certificate();
    if (const auto why = refusal(alert); !why.empty())
        return {Errc::denied, fmt::format("the peer refuses the {} (valid from {} to {}): {}", pki::describe(certificate),
                                          format_rfc3339(certificate.not_before()), format_rfc3339(certificate.not_after()), why)};
    return {Errc::denied, fmt::format("{}: the peer refuses the connection: {}", what, SSL_alert_desc_string_long(alert))};
}

// Everything of one connection, in the order of destruction: the stream goes before what OpenSSL's callbacks look at.
class TlsConnection {
    TlsContextPtr context_;
    std::unique_ptr<TlsHandshake> handshake_;
    std::unique_ptr<Stream> stream_;
    std::string peer_;
    PeerIdentity identity_;
    bool resumed_ = false;

public:
    TlsConnection(TcpConnection connection, TlsContextPtr context, pki::Role expected)
        : context_(std::move(context)), handshake_(std::make_unique<TlsHandshake>(context_->expect(expected))), peer_(std::move(connection.peer))
    {
        SSL* ssl = SSL_new(context_->get());
        if (!ssl)
            throw std::bad_alloc();
        attach(ssl, handshake_.get());
        stream_ = std::make_unique<Stream>(std::move(connection.socket), ssl);
    }

    Stream& stream() { return *stream_; }
    SSL* ssl() { return stream_->native_handle(); }
    TlsHandshake& handshake() { return *handshake_; }
    const TlsContextPtr& context() const { return context_; }
    void close()
    {
        boost::system::error_code ignored;
        stream_->lowest_layer().close(ignored);
    }
    int native_handle() { return stream_->lowest_layer().native_handle(); }
    std::optional<PeerCredentials> credentials() const { return std::nullopt; }
    std::optional<PeerIdentity> identity() const { return identity_; }
    std::string description() const { return fmt::format("{} at {} ({}{})", pki::describe(identity_.identity), peer_, "TLS", resumed_ ? ", resumed" : ""); }
    // Frames say where they end, so an end without TLS's farewell tells no lie.
    static bool is_end(const boost::system::error_code& error) { return error == asio::error::eof || error == asio::ssl::error::stream_truncated; }
    jarvis::Error error(const boost::system::error_code& error, std::string_view what) const { return tls_error(error, what, *context_); }

    // After the handshake, also of one that took up an older session: the certificate is that of the session then.
    Result<void> learn_peer()
    {
        auto* certificate = SSL_get0_peer_certificate(ssl());
        if (!certificate)
            return fail(Errc::denied, "the peer shows no certificate");
        const auto peer = pki::Certificate::share(certificate);
        if (auto checked = pki::check_peer(peer, handshake_->expected, wall_now()); !checked)
            return checked;
        identity_ = {*peer.identity(), peer.to_der()};
        resumed_ = SSL_session_reused(ssl()) == 1;
        return {};
    }
};

// Closes the socket when time is over; on the executor of whoever waits. Cancelling an operation might come between two
// steps of a handshake and be lost.
class Deadline {
    struct State {
        tcp::socket::lowest_layer_type* socket;
        bool passed = false;
    };
    std::shared_ptr<State> state_;
    asio::steady_timer timer_;

public:
    Deadline(asio::any_io_executor executor, tcp::socket::lowest_layer_type& socket, std::chrono::milliseconds limit)
        : state_(std::make_shared<State>(&socket)), timer_(executor, limit)
    {
        timer_.async_wait([state = state_](const boost::system::error_code& error) {
            if (error || !state->socket)
                return;
            state->passed = true;
            boost::system::error_code ignored;
            state->socket->close(ignored);
        });
    }
    ~Deadline() { state_->socket = nullptr; }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    bool passed() const { return state_->passed; }
};

asio::awaitable<void> say_last_words(Stream& stream)
{
    auto& socket = stream.lowest_layer();
    Deadline deadline(co_await asio::this_coro::executor, socket, last_words);
    boost::system::error_code ignored;
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    std::array<char, 4096> drop;
    for (;;) {
        auto [error, n] = co_await stream.next_layer().async_read_some(asio::buffer(drop), as_values);
        if (error)
            co_return;
    }
}

asio::awaitable<Result<void>> shake_hands(TlsConnection& connection, Stream::handshake_type type, std::chrono::milliseconds limit)
{
    auto& stream = connection.stream();
    Result<void> result;
    {
        Deadline deadline(co_await asio::this_coro::executor, stream.lowest_layer(), limit);
        auto [error] = co_await stream.async_handshake(type, as_values);
        if (deadline.passed())
            co_return fail(Errc::unavailable, "no TLS handshake within {} ms", limit.count());
        if (connection.handshake().refused)
            result = std::unexpected(*connection.handshake().refused);
        else if (error)
            result = std::unexpected(connection.error(error, "TLS handshake"));
        else
            result = connection.learn_peer();
    }
    if (!result && stream.lowest_layer().is_open())
        co_await say_last_words(stream);
    co_return result;
}

ChannelPtr make_channel(TlsConnection connection, const ChannelOptions& options)
{
    return std::make_shared<StreamChannel<TlsConnection>>(std::move(connection), options);
}

// A connection to one address, TLS and all.
asio::awaitable<Result<ChannelPtr>> dial(const tcp::endpoint& endpoint, const std::string& address, const TlsContextPtr& context, const std::shared_ptr<TlsSessions>& sessions,
                                         const DialOptions& options)
{
    tcp::socket socket(co_await asio::this_coro::executor);
    {
        Deadline deadline(socket.get_executor(), socket, options.limit);
        auto [error] = co_await socket.async_connect(endpoint, as_values);
        if (deadline.passed())
            co_return fail(Errc::unavailable, "no answer within {} ms", options.limit.count());
        if (error)
            co_return fail(Errc::unavailable, "{}", error.message());
    }
    set_tcp_options(socket);
    TcpConnection tcp_connection{std::move(socket), to_string(endpoint)};
    TlsConnection connection(std::move(tcp_connection), context, options.expected);
    if (const auto session = sessions->find(address, *context))
        SSL_set_session(connection.ssl(), session.get());
    connection.handshake().on_session = [sessions, address, context](std::shared_ptr<SSL_SESSION> session) {
        sessions->keep(address, std::move(session), context);
    };
    if (auto shaken = co_await shake_hands(connection, Stream::client, options.limit); !shaken)
        co_return std::unexpected(shaken.error());
    co_return make_channel(std::move(connection), options.channel);
}

} // namespace

asio::awaitable<Result<ChannelPtr>> accept_tls(TcpConnection tcp_connection, TlsContextPtr context, pki::Role expected, asio::thread_pool& pool,
                                               std::chrono::milliseconds limit, ChannelOptions options)
{
    const auto peer = tcp_connection.peer;
    TlsConnection connection(std::move(tcp_connection), std::move(context), expected);
    // The handshake's operations complete on this strand, so what they compute is computed there; the socket stays that of
    // the caller's loop.
    auto shaken = co_await asio::co_spawn(asio::make_strand(pool.get_executor()), shake_hands(connection, Stream::server, limit), asio::use_awaitable);
    if (!shaken)
        co_return fail(shaken.error(), "connection from {}", peer);
    co_return make_channel(std::move(connection), options);
}

asio::awaitable<Result<ChannelPtr>> connect_tls(std::span<const HostPort> addresses, TlsContextPtr context, std::shared_ptr<TlsSessions> sessions, DialOptions options)
{
    jarvis::Error all{Errc::unavailable, ""};
    const auto add = [&all](std::string_view address, const jarvis::Error& why) {
        all.message += fmt::format("{}{}: {}", all.message.empty() ? "" : "; ", address, why.message);
        if (why.code != Errc::unavailable)
            all.code = Errc::denied;
    };
    for (const auto& address : addresses) {
        const auto name = jarvis::to_string(address);
        auto endpoints = co_await resolve(address, options.limit);
        if (!endpoints) {
            add(name, endpoints.error());
            continue;
        }
        for (const auto& endpoint : *endpoints) {
            auto channel = co_await dial(endpoint, name, context, sessions, options);
            if (channel)
                co_return channel;
            const auto tried = to_string(endpoint);
            add(tried == name ? name : fmt::format("{} ({})", name, tried), channel.error());
        }
    }
    co_return std::unexpected(all);
}

} // namespace jarvis::wire
