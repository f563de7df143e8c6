// Connections of a node's local users, carried over the node's own connection to the controller. Each is a stream of bytes in
// either direction: the very frames that a command and the controller exchange when they meet on a socket.
//
// A side sends no more of a stream than the other has room for: relay_window at first, and then what was granted by
// `taken`. So one reader that stalls holds up nothing but itself, and what waits for it is bounded.
#pragma once

#include "node.pb.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace jarvis::wire {

// Bytes of one stream that may be under way in one direction.
constexpr std::size_t relay_window = std::size_t{256} << 10;
// Bytes in one message: what an order to the node waits for at most is a few of these.
constexpr std::size_t relay_piece = std::size_t{32} << 10;
// Relayed connections of one node at once.
constexpr std::size_t relay_connections = 1024;

// One side's outgoing half of all relayed connections. Pure: next() gives the messages in the order in which they should
// leave, each stream in turn.
class RelaySender {
    struct Stream {
        std::string data; // from `first` on
        std::size_t first = 0;
        std::uint64_t credit = relay_window;
        std::uint64_t taken = 0; // of the other side's bytes, not yet granted anew
        bool in_turn = false;
        bool ended = false;      // no more data comes
        bool told_end = false;
        bool closed = false;
        std::optional<RelayOpen> open;

        std::size_t left() const { return data.size() - first; }
    };

    std::map<std::uint64_t, Stream> streams_;
    std::deque<std::uint64_t> turns_;

    void queue(std::uint64_t connection, Stream& stream);
    static bool has_something(const Stream& stream);
    static void fill(Stream& stream, Relay& message);

public:
    // With `open` the first message says whose connection it is.
    void add(std::uint64_t connection, std::optional<RelayOpen> open = {});
    // The rest does nothing for a connection that is not there (any more).
    void send(std::uint64_t connection, std::string_view bytes);
    // No more bytes follow.
    void end(std::uint64_t connection);
    // Forgets what is queued; the other side is told, and the number is not used again.
    void close(std::uint64_t connection);
    // The other side has closed it.
    void forget(std::uint64_t connection) { streams_.erase(connection); }
    // The other side has room for so many more.
    void grant(std::uint64_t connection, std::uint64_t bytes);
    // So many of the other side's bytes have left here.
    void taken(std::uint64_t connection, std::size_t bytes);

    // Bytes that wait to leave by next().
    std::size_t queued(std::uint64_t connection) const;
    // Nothing: all that may leave has left.
    std::optional<Relay> next();
};

} // namespace jarvis::wire
