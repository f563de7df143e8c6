// What users of a node say to the controller over the node's own connection: each of their connections becomes a channel
// here, and is served like any other client's.
#pragma once

#include "wire/channel.hpp"
#include "wire/relay_pump.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace jarvis::jctld {

namespace asio = boost::asio;

// Who asks, by a node's word.
struct Vouched {
    std::uint32_t uid = 0;
    std::string node;
    Result<void> allowed; // whether this node's word is taken; if not, why, which the client is told
};

class RelayChannel;

// The relayed connections of one node's connection. Its channels outlive it, closed.
class NodeRelay : public std::enable_shared_from_this<NodeRelay> {
public:
    using Accept = std::function<void(wire::ChannelPtr channel, std::uint32_t uid)>;

private:
    std::string node_;
    wire::RelayPump pump_;
    std::map<std::uint64_t, std::weak_ptr<RelayChannel>> channels_;
    std::uint64_t last_ = 0; // the highest number of a connection so far

    friend class RelayChannel;
    std::string envelope(wire::Relay&& message);
    Result<void> open(const wire::Relay& message, const Accept& accept);
    void closed_here(std::uint64_t connection);

public:
    NodeRelay(std::string node, wire::ChannelPtr channel);
    ~NodeRelay();

    // What the node sent. `accept` is given each new connection. A failure is the node's breach of the protocol.
    Result<void> take(const wire::Relay& message, const Accept& accept);
    // Sends what the channels have to say, until the node's connection ends.
    static asio::awaitable<void> run(std::shared_ptr<NodeRelay> relay);
    // The node's connection is over: all channels end.
    void close();
};

} // namespace jarvis::jctld
