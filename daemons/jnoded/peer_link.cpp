#include "peer_link.hpp"

#include "base/host_port.hpp"
#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "wire/unix_channel.hpp"

#include <unistd.h>

namespace jarvis::noded {
namespace {

using namespace std::chrono_literals;
using daemon::log;

constexpr std::chrono::milliseconds dial_limit = 5s;
constexpr std::chrono::milliseconds handshake_limit = 5s;
// More wait in the kernel's queue.
constexpr std::size_t handshakes_at_once = 64;
constexpr auto crowded_pause = 10ms;

} // namespace

PeerLink::PeerLink(asio::any_io_executor executor, const config::Config& config, std::shared_ptr<wire::TlsCredentials> credentials)
    : executor_(executor), config_(config), credentials_(std::move(credentials)), tasks_(executor, "peers")
{
}

PeerLink::~PeerLink() { pool_.join(); }

Result<void> PeerLink::listen(std::function<void(wire::ChannelPtr)> take)
{
    if (!credentials_)
        return {};
    take_ = std::move(take);
    for (const auto& text : config_.jnoded.listen) {
        const auto address = parse_host_port(text, config::default_peer_port);
        if (!address)
            return std::unexpected(address.error());
        auto listener = wire::TcpListener::open(executor_, *address);
        if (!listener)
            return std::unexpected(listener.error());
        log().info("other nodes of jobs reach this one at {}", (**listener).address());
        listeners_.push_back(std::move(*listener));
    }
    for (const auto& listener : listeners_)
        tasks_.spawn("accept", accept(*listener));
    return {};
}

asio::awaitable<void> PeerLink::accept(wire::TcpListener& listener)
{
    while (listener.is_open()) {
        if (handshakes_ >= handshakes_at_once) {
            co_await daemon::sleep_for(crowded_pause);
            continue;
        }
        auto connection = co_await listener.accept(executor_);
        if (connection)
            tasks_.spawn("handshake", handshake(std::move(*connection)));
        else if (listener.is_open())
            log().warn("{}", connection.error().message);
    }
}

asio::awaitable<void> PeerLink::handshake(wire::TcpConnection connection)
{
    struct Count {
        std::size_t& handshakes;
        explicit Count(std::size_t& counted) : handshakes(counted) { ++handshakes; }
        ~Count() { --handshakes; }
    } const count(handshakes_);
    auto channel = co_await wire::accept_tls(std::move(connection), credentials_->context(), pki::Role::node, pool_, handshake_limit);
    if (channel)
        take_(std::move(*channel));
    else
        log().warn("{}", channel.error().message);
}

asio::awaitable<Result<wire::ChannelPtr>> PeerLink::dial(std::string node)
{
    std::string where = node;
    if (const auto settings = config::settings_of_node(config_, node); settings && !settings->address.empty())
        where = settings->address;
    if (const auto at = where.find("%n"); at != std::string::npos)
        where.replace(at, 2, node);
    if (where.starts_with('/')) {
        auto channel = co_await wire::connect_unix(where, dial_limit);
        if (!channel)
            co_return fail(channel.error(), "node {}", node);
        const auto peer = (**channel).credentials();
        if (!peer || peer->uid != ::geteuid())
            co_return fail(Errc::denied, "node {}: {} is another user's", node, where);
        co_return channel;
    }
    if (!credentials_)
        co_return fail(Errc::unavailable, "node {}: this node has no certificate to show to it, and the configuration names no socket of it "
                                          "(node.address)", node);
    const auto address = parse_host_port(where, config::default_peer_port);
    if (!address)
        co_return fail(address.error(), "node {}", node);
    wire::DialOptions options;
    options.expected = pki::Role::node;
    options.limit = dial_limit;
    const std::vector addresses{*address};
    auto channel = co_await wire::connect_tls(addresses, credentials_->context(), sessions_, options);
    if (!channel)
        co_return fail(channel.error(), "node {}", node);
    const auto identity = (**channel).identity();
    if (!identity || identity->identity.name != node) {
        (**channel).close();
        co_return fail(Errc::denied, "{} is not node {} but {}", where, node, identity ? identity->identity.name : "unknown");
    }
    co_return channel;
}

void PeerLink::stop()
{
    for (const auto& listener : listeners_)
        listener->close();
    tasks_.cancel();
}

Result<void> check_peer(const wire::Channel& channel, const std::string& said_name)
{
    if (const auto identity = channel.identity()) {
        if (identity->identity.name != said_name)
            return fail(Errc::denied, "the certificate is of node {}, and it says that it is {}", identity->identity.name, said_name);
        return {};
    }
    const auto peer = channel.credentials();
    if (!peer || peer->uid != ::geteuid())
        return fail(Errc::denied, "it is no node daemon of this machine");
    return {};
}

} // namespace jarvis::noded
