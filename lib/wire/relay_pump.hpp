// Sends what a RelaySender has over the connection between node and controller, without getting in the way of what that
// connection is for.
#pragma once

#include "wire/channel.hpp"
#include "wire/relay.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>

namespace jarvis::wire {

class RelayPump {
    ChannelPtr channel_;
    std::function<std::string(Relay&&)> envelope_;
    asio::steady_timer wake_; // cancelled when there is something to send
    bool stopped_ = false;

public:
    RelaySender sender;

    // `envelope` makes a frame's payload of a message.
    RelayPump(ChannelPtr channel, std::function<std::string(Relay&&)> envelope);
    RelayPump(const RelayPump&) = delete;
    RelayPump& operator=(const RelayPump&) = delete;

    // After every call of `sender` that may have made something to send.
    void wake() { wake_.cancel(); }
    void stop();
    bool stopped() const { return stopped_; }
    const ChannelPtr& channel() const { return channel_; }
    asio::any_io_executor executor() const { return channel_->executor(); }
    // Until stop(), or until the channel is closed. The caller keeps the pump alive.
    asio::awaitable<void> run();
};

} // namespace jarvis::wire
