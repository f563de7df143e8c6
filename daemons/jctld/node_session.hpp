// One connection of a node daemon: effects for the node leave on it, each stamped so that late and doubled ones are known
// as such.
#pragma once

#include "cluster/outcome.hpp"
#include "front.hpp"
#include "node.pb.h"
#include "wire/hello.hpp"

#include <deque>

namespace jarvis::jctld {

class NodeSession {
public:
    NodeSession(Front& front, wire::ChannelPtr channel, std::uint32_t protocol_minor);
    ~NodeSession();
    NodeSession(const NodeSession&) = delete;
    NodeSession& operator=(const NodeSession&) = delete;

    wire::ChannelPtr channel;
    cluster::SessionId id = 0;      // of its last Register
    std::string name;               // as in its Register
    std::string instance;           // the same after a restart of the node's daemon; empty: it does not say
    std::optional<NodeId> node;     // once it is welcome
    std::uint64_t last_serial = 0;  // taken from the node
    Duration heartbeat{};           // as its Welcome said; 0 before that
    std::shared_ptr<NodeRelay> relay; // of its users' connections; null before the first

    // In their order: a start whose script has to be read from the storage holds up what comes after it.
    void send(cluster::Effect effect);
    // A part of a connection of one of the node's users. Only once the node is welcome.
    Result<void> take_relay(const wire::Relay& message);
    // A question: dropped with an error where much is queued already. Neither serial nor session count.
    Result<void> ask(wire::NodeQuestion question);
    bool answers_questions() const { return protocol_minor_ >= wire::minor_with_steps; }
    // Runs `reading` to its end, and then ends what is being sent.
    asio::awaitable<void> around(asio::awaitable<void> reading) { return tasks_.around(std::move(reading)); }

private:
    Front& front_;
    const std::uint32_t protocol_minor_; // as its Hello said
    wire::TlsContextPtr signer_;    // what its handshake was made with; none: not over TLS
    std::deque<cluster::Effect> outbox_;
    bool draining_ = false;
    std::uint64_t serial_ = 0;
    std::shared_ptr<const JobRequest> last_array_; // of the newest start of a task
    ArrayShape last_shape_;
    daemon::TaskGroup tasks_;

    asio::awaitable<void> drain();
    asio::awaitable<void> write(wire::ToNode message);
    asio::awaitable<void> write_start(cluster::StartOnNode start);
    // The names of all nodes of the job, in their order, and the tasks of each. False when nobody could tell.
    asio::awaitable<bool> list_nodes(const Placement& placement, wire::StartJob& order);
    void put_array(const std::shared_ptr<const JobRequest>& request, wire::ArrayShape& message);
    // The job ends here: what it needs to start is gone.
    void fail_start(const cluster::StartOnNode& start, const std::string& cause);
};

} // namespace jarvis::jctld
