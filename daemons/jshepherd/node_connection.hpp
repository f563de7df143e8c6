// The launcher's socket. One connection is the node daemon's: a new one takes the place of the old one when its first message
// has come, so that somebody who only looks whether the socket answers displaces nobody.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"

#include "shepherd.pb.h"

#include <functional>
#include <list>
#include <optional>
#include <poll.h>
#include <string>
#include <vector>

namespace jarvis::shepherd {

class NodeConnection {
    struct Peer {
        Fd socket;
        wire::FrameReader reader;
    };
    struct Message {
        wire::ToLauncher parsed;
        std::string bytes;
    };
    std::string path_;
    Fd listener_;
    std::list<Peer> peers_;   // the node daemon's first, when there is one; then those that have said nothing yet
    bool connected_ = false;
    std::string output_;      // for the node daemon
    std::size_t written_ = 0;

    void accept_peers();
    bool read_from(Peer& peer);
    static Result<std::optional<Message>> next_message(Peer& peer);
    void drop(std::list<Peer>::iterator peer);
    void make_current(std::list<Peer>::iterator peer);

public:
    using Take = std::function<void(wire::ToLauncher message, std::string bytes)>;
    // Called when a new connection has become the node daemon's, before its first message is handed over.
    using Connected = std::function<void()>;

    NodeConnection() = default;
    NodeConnection(const NodeConnection&) = delete;
    NodeConnection& operator=(const NodeConnection&) = delete;

    Result<void> listen(const std::string& path);
    // No new connections; the socket's file is removed.
    void stop_listening();

    bool connected() const { return connected_; }
    void send(const wire::FromLauncher& message);
    bool has_output() const { return connected_ && written_ < output_.size(); }
    bool flush();

    // What to wait for.
    void add_to(std::vector<pollfd>& waits) const;
    // Deals with what has happened, as `waits` says.
    void handle(const std::vector<pollfd>& waits, const Connected& connected, const Take& take);
};

} // namespace jarvis::shepherd
