// Frames on stream sockets: 4 bytes of length, most significant first, then that many bytes of one message.
// Pure: blocking clients, the launcher and the daemons' channels share it.
#pragma once

#include "base/result.hpp"
#include "wire/limits.hpp"

#include <google/protobuf/message_lite.h>

#include <array>
#include <cstdint>
#include <deque>
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

// Cuts a stream into frames. A length over the maximum is refused before anything is allocated for it, and memory grows
// with the bytes that arrive, not with the length that was announced.
class FrameReader {
    std::string partial_;              // of the frame that is being received, without its header
    std::array<char, frame_header_size> header_{};
    std::size_t header_have_ = 0;
    std::uint32_t size_ = 0;           // valid once the header is whole
    std::size_t max_payload_;
    std::deque<std::string> ready_;
    std::optional<jarvis::Error> failure_;

    void take_header(std::string_view& bytes);

public:
    explicit FrameReader(std::size_t max_payload) : max_payload_(max_payload) {}

    // Holds for headers that arrive from now on.
    void set_max_payload(std::size_t max_payload) { max_payload_ = max_payload; }

    // Takes bytes as they come. After a frame over the maximum the stream cannot be read further: more is ignored.
    void feed(std::string_view bytes);
    // The next whole frame's payload, in order; nothing when there is none yet. Fails with `corrupt` when all frames before
    // one over the maximum were taken.
    Result<std::optional<std::string>> next();
    // False in the middle of a frame: a stream that ends there was cut.
    bool at_boundary() const { return header_have_ == 0; }
};

} // namespace jarvis::wire
