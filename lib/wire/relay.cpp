#include "wire/relay.hpp"

#include <algorithm>
#include <utility>

namespace jarvis::wire {

namespace {

// What was taken is granted anew in portions, so that a message for it is rare.
constexpr std::uint64_t grant_portion = relay_window / 4;

} // namespace

bool RelaySender::has_something(const Stream& stream)
{
    return stream.open || stream.closed || stream.taken >= grant_portion || (stream.left() > 0 && stream.credit > 0) ||
           (stream.ended && !stream.told_end && stream.left() == 0);
}

void RelaySender::queue(std::uint64_t connection, Stream& stream)
{
    if (stream.in_turn || !has_something(stream))
        return;
    stream.in_turn = true;
    turns_.push_back(connection);
}

void RelaySender::add(std::uint64_t connection, std::optional<RelayOpen> open)
{
    auto& stream = streams_[connection];
    stream.open = std::move(open);
    queue(connection, stream);
}

void RelaySender::send(std::uint64_t connection, std::string_view bytes)
{
    const auto found = streams_.find(connection);
    if (found == streams_.end() || found->second.closed || found->second.ended)
        return;
    found->second.data += bytes;
    queue(connection, found->second);
}

void RelaySender::end(std::uint64_t connection)
{
    if (const auto found = streams_.find(connection); found != streams_.end()) {
        found->second.ended = true;
        queue(connection, found->second);
    }
}

void RelaySender::close(std::uint64_t connection)
{
    if (const auto found = streams_.find(connection); found != streams_.end()) {
        found->second.closed = true;
        found->second.data.clear();
        found->second.first = 0;
        queue(connection, found->second);
    }
}

void RelaySender::grant(std::uint64_t connection, std::uint64_t bytes)
{
    if (const auto found = streams_.find(connection); found != streams_.end()) {
        auto& credit = found->second.credit;
        credit += std::min<std::uint64_t>(bytes, relay_window - std::min<std::uint64_t>(credit, relay_window));
        queue(connection, found->second);
    }
}

void RelaySender::taken(std::uint64_t connection, std::size_t bytes)
{
    if (const auto found = streams_.find(connection); found != streams_.end()) {
        found->second.taken += bytes;
        queue(connection, found->second);
    }
}

std::size_t RelaySender::queued(std::uint64_t connection) const
{
    const auto found = streams_.find(connection);
    return found == streams_.end() ? 0 : found->second.left();
}

void RelaySender::fill(Stream& stream, Relay& message)
{
    if (stream.open)
        *message.mutable_open() = *std::exchange(stream.open, std::nullopt);
    if (stream.closed)
        return message.set_closed(true);
    message.set_taken(std::exchange(stream.taken, 0));
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>({stream.left(), stream.credit, relay_piece}));
    message.set_data(stream.data.data() + stream.first, size);
    stream.first += size;
    stream.credit -= size;
    if (stream.left() == 0) {
        std::string().swap(stream.data); // most streams are short, and idle for most of their time
        stream.first = 0;
        message.set_ended(stream.ended);
        stream.told_end = stream.ended;
    } else if (stream.first >= stream.data.size() / 2) { // each byte is moved once on average
        stream.data.erase(0, std::exchange(stream.first, 0));
    }
}

std::optional<Relay> RelaySender::next()
{
    while (!turns_.empty()) {
        const auto connection = turns_.front();
        turns_.pop_front();
        const auto found = streams_.find(connection);
        if (found == streams_.end())
            continue;
        auto& stream = found->second;
        stream.in_turn = false;
        Relay message;
        message.set_connection(connection);
        fill(stream, message);
        if (message.closed())
            streams_.erase(found);
        else
            queue(connection, stream);
        return message;
    }
    return std::nullopt;
}

} // namespace jarvis::wire
