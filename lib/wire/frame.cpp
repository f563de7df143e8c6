#include "wire/frame.hpp"

#include <cassert>
#include <limits>
#include <utility>

namespace jarvis::wire {

namespace {

// A buffer that grew for a big frame is given back.
constexpr std::size_t keep_capacity = std::size_t{16} << 10;

} // namespace

std::array<char, frame_header_size> frame_header(std::uint32_t payload_size)
{
    return {static_cast<char>(payload_size >> 24), static_cast<char>(payload_size >> 16),
            static_cast<char>(payload_size >> 8), static_cast<char>(payload_size)};
}

void append_frame(std::string& out, std::string_view payload)
{
    assert(payload.size() <= std::numeric_limits<std::uint32_t>::max());
    auto header = frame_header(static_cast<std::uint32_t>(payload.size()));
    out.append(header.data(), header.size());
    out.append(payload);
}

void append_frame(std::string& out, const google::protobuf::MessageLite& message)
{
    auto size = message.ByteSizeLong();
    assert(size <= std::numeric_limits<std::int32_t>::max()); // protobuf's own limit for a message
    auto header = frame_header(static_cast<std::uint32_t>(size));
    out.append(header.data(), header.size());
    message.AppendToString(&out);
}

Result<void> parse_into(google::protobuf::MessageLite& message, std::string_view payload)
{
    // ParseFromArray takes an int.
    if (payload.size() > std::numeric_limits<int>::max() ||
        !message.ParseFromArray(payload.data(), static_cast<int>(payload.size())))
        return fail(Errc::corrupt, "{} bytes that are no {}", payload.size(), message.GetTypeName());
    return {};
}

void FrameReader::feed(std::string_view bytes)
{
    if (failure_)
        return;
    // What was taken goes when it is at least half of what is held, so that each byte moves once on the average.
    if (taken_ > 0 && taken_ >= held_.size() - taken_) {
        held_.erase(0, taken_);
        taken_ = 0;
        if (held_.capacity() > keep_capacity && held_.size() + bytes.size() <= keep_capacity)
            held_.shrink_to_fit();
    }
    held_.append(bytes);
}

Result<std::optional<std::string>> FrameReader::next()
{
    if (failure_)
        return std::unexpected(*failure_);
    const auto left = held_.size() - taken_;
    if (left == 0 && held_.capacity() > keep_capacity) {
        held_ = {};
        taken_ = 0;
    }
    if (left < frame_header_size)
        return std::nullopt;
    std::uint32_t size = 0;
    for (std::size_t i = 0; i < frame_header_size; ++i)
        size = size << 8 | static_cast<unsigned char>(held_[taken_ + i]);
    if (size > max_payload_) {
        failure_ = jarvis::Error{Errc::corrupt, fmt::format("a message of {} bytes was announced; at most {} are taken",
                                                           size, max_payload_)};
        held_ = {};
        taken_ = 0;
        return std::unexpected(*failure_);
    }
    if (left - frame_header_size < size)
        return std::nullopt;
    const auto start = taken_ + frame_header_size;
    if (start + size == held_.size() && size > keep_capacity) { // a big frame alone: its memory goes with it
        held_.erase(0, start);
        taken_ = 0;
        return std::exchange(held_, {});
    }
    auto frame = held_.substr(start, size);
    taken_ = start + size;
    return frame;
}

} // namespace jarvis::wire
