// Connections of node daemons. What a node says becomes commands; effects for a node leave on its current session, each
// stamped so that late and doubled ones are known as such.
#pragma once

#include "cluster/outcome.hpp"
#include "front.hpp"
#include "node.pb.h"

#include <deque>

namespace jarvis::jctld {

class NodeSession {
public:
    NodeSession(Front& front, wire::ChannelPtr channel);
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
    // Runs `reading` to its end, and then ends what is being sent.
    asio::awaitable<void> around(asio::awaitable<void> reading) { return tasks_.around(std::move(reading)); }

private:
    Front& front_;
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

class NodeSessions {
    Front& front_;
    cluster::SessionId last_session_ = 0;
    std::map<cluster::SessionId, NodeSession*> sessions_;
    std::map<NodeId, NodeSession*> current_;                // the welcome one of each node
    std::map<std::string, cluster::SessionId> claims_;      // the newest Register of each name

    asio::awaitable<void> read_frames(NodeSession& session);
    // False for what does not count: it is of an earlier session, or doubled.
    Result<bool> take_frame(NodeSession& session, const std::string& frame);
    Result<void> take_register(NodeSession& session, const wire::FromNode& message);
    // That no other daemon is connected under its name.
    Result<void> check_only_one(const NodeSession& session) const;
    void forget(NodeSession& session);
    void welcome(const cluster::WelcomeNode& effect);

public:
    explicit NodeSessions(Front& front) : front_(front) {}

    // One connection, to its end. The peer's Hello was checked, ours was not sent.
    asio::awaitable<void> serve(wire::ChannelPtr channel, std::string node_name);
    void take(cluster::Effect effect);
    // Says to the owner which nodes it takes to be connected and are not: it may have forgotten that with what was void after a
    // storage failure.
    asio::awaitable<void> report_absent();
};

} // namespace jarvis::jctld
