// Frames on stream sockets: 4 bytes of length, most significant first, then that many bytes of one message.
// Pure: blocking clients, the launcher and the daemons' channels share it.
#pragma once

#include "base/result.hpp"
#include "wire/limits.hpp"

#include <google/protobuf/message_lite.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jarvis::wire {

constexpr std::size_t frame_header_size = 4;

std::array<char, frame_header_size> frame_header(std::uint32_t payload_size);

// Appends the frame of a payload (below 4 GiB) or of a message to `out`.
void append_frame(std::string& out, std::string_view payload);
void append_frame(std::string& out, const google::protobuf::MessageLite& message);

// The message in a frame's payload; fails with `corrupt`.
Result<void> parse_into(google::protobuf::MessageLite& message, std::string_view payload);
template <class Message>
Result<Message> parse(std::string_view payload)
{
    Message message;
    if (auto parsed = parse_into(message, payload); !parsed)
        return std::unexpected(std::move(parsed.error()));
    return message;
}

// Cuts a stream into frames. A frame's header is examined when it is the next to be taken, by the maximum of that moment: what
// a peer sends behind its Hello is measured by what was agreed in the Hello, also when both arrive at once. Memory grows with
// the bytes that arrive, never with a length that was announced; whoever feeds only when nothing is left to take holds one
// frame and one piece at most.
class FrameReader {
    std::string held_;           // from the first byte that is kept
    std::size_t taken_ = 0;      // so many of them were given out
    std::size_t max_payload_;
    std::optional<jarvis::Error> failure_;

public:
    explicit FrameReader(std::size_t max_payload) : max_payload_(max_payload) {}

    // Holds for every frame that has not been taken yet.
    void set_max_payload(std::size_t max_payload) { max_payload_ = max_payload; }

    // Takes bytes as they come. After a frame over the maximum the stream cannot be read further: more is ignored.
    void feed(std::string_view bytes);
    // The next whole frame's payload, in order; nothing when there is none yet. Fails with `corrupt` when the next one is over
    // the maximum.
    Result<std::optional<std::string>> next();
    // After next() gave nothing: false in the middle of a frame, so that a stream that ends there was cut.
    bool at_boundary() const { return taken_ == held_.size(); }
};

} // namespace jarvis::wire
