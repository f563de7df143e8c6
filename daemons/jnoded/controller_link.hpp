// The connection to the controller: dialled again and again, with Hello exchanged; what comes over it becomes input.
#pragma once

#include "base/host_port.hpp"
#include "base/result.hpp"
#include "node.pb.h"
#include "node/node_core.hpp"
#include "wire/channel.hpp"
#include "wire/tls_context.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <random>
#include <string>

namespace jarvis::noded {

namespace asio = boost::asio;

struct ControllerLinkOptions {
    std::string socket;
    std::vector<HostPort> addresses; // over TLS, in the place of the socket
    std::shared_ptr<wire::TlsCredentials> credentials; // with addresses
    std::string cluster_name;
    std::string node_name;
    std::size_t max_frame = wire::limits::default_frame;
};

struct ControllerEvents {
    std::function<void(node::Greeted greeted)> greeted;
    std::function<void(const wire::ToNode& message)> message;
    std::function<void()> disconnected;
};

class ControllerLink {
    ControllerLinkOptions options_;
    ControllerEvents events_;
    wire::ChannelPtr channel_;
    std::shared_ptr<wire::TlsSessions> sessions_ = std::make_shared<wire::TlsSessions>();
    std::optional<pki::Certificate> controller_; // over TLS: whom the connection is with
    std::minstd_rand random_{std::random_device{}()}; // jitter: many nodes must not dial at the same moment
    std::string last_trouble_;
    std::string again_; // why the connection is made anew

    asio::awaitable<Result<wire::ChannelPtr>> connect();
    asio::awaitable<Result<void>> serve(wire::ChannelPtr channel);
    asio::awaitable<Result<node::Greeted>> exchange_hello(wire::ChannelPtr channel);
    void say_trouble(const Error& error);
    std::chrono::milliseconds jittered(std::chrono::milliseconds pause);

public:
    ControllerLink(ControllerLinkOptions options, ControllerEvents events)
        : options_(std::move(options)), events_(std::move(events))
    {
    }
    ControllerLink(const ControllerLink&) = delete;
    ControllerLink& operator=(const ControllerLink&) = delete;

    // Runs until it is cancelled.
    asio::awaitable<void> run();
    const wire::ChannelPtr& channel() const { return channel_; } // null: none that has greeted us
    // Dropped while there is no connection.
    void send(const wire::FromNode& message);
    // Over TLS: that the controller of this connection signed it.
    Result<void> check_start(const wire::StartJob& start, Epoch epoch) const;
    // This controller is not to be followed; dialled again after a while.
    void refuse(const std::string& reason);
    // Ends this connection and dials at once: the next one begins with a new registration.
    void dial_again(std::string reason);
};

} // namespace jarvis::noded
