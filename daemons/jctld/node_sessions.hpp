// The connections of all node daemons. What a node says becomes commands; effects for a node go to its current session.
#pragma once

#include "cluster/outcome.hpp"
#include "front.hpp"
#include "node.pb.h"

#include <map>

namespace jarvis::jctld {

class NodeSession;

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
    asio::awaitable<void> serve(wire::ChannelPtr channel, wire::Hello theirs);
    void take(cluster::Effect effect);
    // The connection of a node that is welcome; null: it has none.
    NodeSession* current(NodeId node) const;
    // Says to the owner which nodes it takes to be connected and are not: it may have forgotten that with what was void after a
    // storage failure.
    asio::awaitable<void> report_absent();
};

} // namespace jarvis::jctld
