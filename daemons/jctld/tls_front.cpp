#include "tls_front.hpp"

#include "base/host_port.hpp"
#include "daemon/log.hpp"

namespace jarvis::jctld {

namespace {

// A handshake is about half a millisecond of arithmetic: a thousand nodes that come back at once are in within a second.
constexpr std::size_t handshake_threads = 2;
// More wait in the kernel's queue. A peer that stalls holds one of these until the limit, which is shorter while many are held:
// nodes answer within milliseconds, and do not wait long behind peers that never do.
constexpr std::size_t handshakes_at_once = 128;
constexpr std::chrono::milliseconds handshake_limit = std::chrono::seconds(10);
constexpr std::chrono::milliseconds crowded_limit = std::chrono::seconds(2);

} // namespace

Result<std::shared_ptr<wire::TlsCredentials>> load_credentials(const config::Config& config)
{
    if (config.controller.listen.empty())
        return std::shared_ptr<wire::TlsCredentials>();
    const auto files = config::tls_files(config);
    auto credentials = wire::TlsCredentials::open({files.ca, files.certificate, files.key}, pki::Role::controller);
    if (!credentials)
        return fail(credentials.error(), "controller.listen needs a certificate");
    const auto name = (*credentials)->context()->cluster_name();
    if (name != config.cluster.name)
        return fail(Errc::invalid, "{} is a certificate of cluster \"{}\", and the configuration names \"{}\"", files.certificate, name, config.cluster.name);
    return credentials;
}

TlsFront::TlsFront(asio::any_io_executor executor, std::shared_ptr<wire::TlsCredentials> credentials, std::function<void(wire::ChannelPtr)> take)
    : executor_(executor), credentials_(std::move(credentials)), take_(std::move(take)), pool_(handshake_threads),
      ended_(executor, asio::steady_timer::time_point::max()), tasks_(executor, "tls")
{
}

TlsFront::~TlsFront() { pool_.join(); }

Result<std::unique_ptr<TlsFront>> TlsFront::open(asio::any_io_executor executor, const config::Config& config,
                                                 std::shared_ptr<wire::TlsCredentials> credentials, std::function<void(wire::ChannelPtr)> take)
{
    std::unique_ptr<TlsFront> front(new TlsFront(executor, std::move(credentials), std::move(take)));
    // As for the socket: room for a frame of the largest size behind another one.
    const auto frame = static_cast<std::size_t>(config.limits.message_size.bytes);
    front->channel_options_.max_queued = std::max(front->channel_options_.max_queued, 2 * frame);
    for (const auto& text : config.controller.listen) {
        auto address = parse_host_port(text, config::default_port);
        if (!address)
            return std::unexpected(address.error());
        auto listener = wire::TcpListener::open(executor, *address);
        if (!listener)
            return std::unexpected(listener.error());
        front->listeners_.push_back(std::move(*listener));
    }
    return front;
}

void TlsFront::start()
{
    for (auto& listener : listeners_)
        tasks_.spawn("accept " + listener->address(), accept_loop(*listener));
    tasks_.spawn("certificate", wire::TlsCredentials::watch(credentials_, [](const wire::TlsCredentials::Note& note) {
        if (note.warning)
            daemon::log().warn("{}", note.text);
        else
            daemon::log().info("{}", note.text);
    }));
}

asio::awaitable<void> TlsFront::accept_loop(wire::TcpListener& listener)
{
    while (listener.is_open()) {
        if (handshakes_ >= handshakes_at_once) {
            (void)co_await ended_.async_wait(asio::as_tuple(asio::use_awaitable));
            continue;
        }
        auto connection = co_await listener.accept(executor_);
        if (!connection) {
            if (listener.is_open())
                daemon::log().warn("{}", connection.error().message);
            continue;
        }
        ++handshakes_;
        auto name = "handshake with " + connection->peer;
        if (!tasks_.spawn(std::move(name), handshake(std::move(*connection))))
            co_return;
    }
}

asio::awaitable<void> TlsFront::handshake(wire::TcpConnection connection)
{
    struct Count {
        TlsFront& front;
        ~Count()
        {
            --front.handshakes_;
            front.ended_.cancel();
        }
    } count{*this};
    const auto limit = handshakes_ > handshakes_at_once / 2 ? crowded_limit : handshake_limit;
    auto channel = co_await wire::accept_tls(std::move(connection), credentials_->context(), pki::Role::node, pool_, limit, channel_options_);
    if (!channel) {
        daemon::log().warn("{}", channel.error().message);
        co_return;
    }
    daemon::log().debug("connection of {}", (*channel)->description());
    take_(std::move(*channel));
}

void TlsFront::close()
{
    for (auto& listener : listeners_)
        listener->close();
}

asio::awaitable<void> TlsFront::stop()
{
    close();
    tasks_.cancel();
    co_await tasks_.wait();
}

std::string TlsFront::addresses() const
{
    std::string text;
    for (const auto& listener : listeners_)
        text += (text.empty() ? "" : ", ") + listener->address();
    return text;
}

} // namespace jarvis::jctld
