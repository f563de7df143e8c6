#include "wire/frame.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace jarvis::wire {

namespace {

// A frame's memory beyond this grows as its bytes arrive.
constexpr std::size_t reserve_at_once = std::size_t{64} << 10;

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

void FrameReader::take_header(std::string_view& bytes)
{
    auto n = std::min(bytes.size(), frame_header_size - header_have_);
    std::copy_n(bytes.begin(), n, header_.begin() + static_cast<std::ptrdiff_t>(header_have_));
    header_have_ += n;
    bytes.remove_prefix(n);
    if (header_have_ < frame_header_size)
        return;
    size_ = 0;
    for (char byte : header_)
        size_ = size_ << 8 | static_cast<unsigned char>(byte);
    if (size_ > max_payload_) {
        failure_ = jarvis::Error{Errc::corrupt, fmt::format("a message of {} bytes was announced; at most {} are taken",
                                                           size_, max_payload_)};
        return;
    }
    partial_.reserve(std::min<std::size_t>(size_, reserve_at_once));
}

void FrameReader::feed(std::string_view bytes)
{
    while (!failure_) {
        if (header_have_ < frame_header_size) {
            if (bytes.empty())
                return;
            take_header(bytes);
            continue;
        }
        auto n = std::min<std::size_t>(bytes.size(), size_ - partial_.size());
        partial_.append(bytes.substr(0, n));
        bytes.remove_prefix(n);
        if (partial_.size() < size_)
            return;
        ready_.push_back(std::exchange(partial_, {}));
        header_have_ = 0;
    }
}

Result<std::optional<std::string>> FrameReader::next()
{
    if (ready_.empty()) {
        if (failure_)
            return std::unexpected(*failure_);
        return std::nullopt;
    }
    auto frame = std::move(ready_.front());
    ready_.pop_front();
    return frame;
}

} // namespace jarvis::wire
