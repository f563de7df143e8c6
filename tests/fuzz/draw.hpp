// What a fuzz target's input decides, from its first byte to its last. An input that is used up decides for the first
// choice each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace jarvis::fuzz {

class Draw {
    std::string_view rest_;

public:
    explicit Draw(std::string_view input) : rest_(input) {}
    Draw(const std::uint8_t* data, std::size_t size) : Draw({reinterpret_cast<const char*>(data), size}) {}

    bool done() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }

    std::uint8_t byte()
    {
        if (rest_.empty())
            return 0;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }
    // 0 .. count-1, of at most 256.
    std::uint32_t below(std::size_t count) { return count < 2 ? 0 : static_cast<std::uint32_t>(byte() % count); }
    bool flag() { return (byte() & 1) != 0; }
    // One in so many.
    bool rarely(std::size_t in) { return below(in) == in - 1; }
    std::uint64_t number()
    {
        std::uint64_t value = 0;
        for (int i = 0; i < 8; ++i)
            value = value << 8 | byte();
        return value;
    }
    template <class T>
    T pick(std::initializer_list<T> choices)
    {
        return choices.begin()[below(choices.size())];
    }
    // A byte of length, and as many bytes.
    std::string_view text()
    {
        const std::size_t size = byte();
        return take(size);
    }
    std::string_view take(std::size_t size)
    {
        const auto part = rest_.substr(0, size);
        rest_.remove_prefix(part.size());
        return part;
    }
};

} // namespace jarvis::fuzz
