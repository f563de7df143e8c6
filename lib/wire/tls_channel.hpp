// Channels over TLS 1.3 with certificates on both sides. Who is there is what the certificate says (pki::Identity); host
// names and addresses do not matter. A connection lives on when a certificate ends meanwhile; the next one is refused.
#pragma once

#include "wire/channel.hpp"
#include "wire/tcp_listener.hpp"
#include "wire/tls_context.hpp"

#include <boost/asio/thread_pool.hpp>

#include <span>

namespace jarvis::wire {

// The handshake of a connection that came in, computed in the pool, within the limit. The channel is then of the socket's
// executor, which the caller runs on. A failure names what the peer said it is, and what was wrong.
asio::awaitable<Result<ChannelPtr>> accept_tls(TcpConnection connection, TlsContextPtr context, pki::Role expected, asio::thread_pool& pool,
                                               std::chrono::milliseconds limit, ChannelOptions options = {});

struct DialOptions {
    pki::Role expected = pki::Role::controller;
    std::chrono::milliseconds limit = std::chrono::seconds(5); // of each of: looking a name up, connecting to an address, the handshake
    ChannelOptions channel;
};

// The first of these addresses that answers, and answers right: names are looked up, and what each of them stands for,
// IPv6 and IPv4, is tried in turn. A failure says for each address why not. `denied`: the peer was reached, and one side
// refuses the other.
asio::awaitable<Result<ChannelPtr>> connect_tls(std::span<const HostPort> addresses, TlsContextPtr context, std::shared_ptr<TlsSessions> sessions, DialOptions options);

} // namespace jarvis::wire
