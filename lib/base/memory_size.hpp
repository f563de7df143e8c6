// An amount of memory in bytes. Printing and parsing are in units.hpp.
#pragma once

#include <compare>
#include <cstdint>

namespace jarvis {

struct MemorySize {
    std::int64_t bytes = 0;

    friend constexpr auto operator<=>(MemorySize, MemorySize) = default;
    constexpr MemorySize& operator+=(MemorySize other) { bytes += other.bytes; return *this; }
    constexpr MemorySize& operator-=(MemorySize other) { bytes -= other.bytes; return *this; }
    friend constexpr MemorySize operator+(MemorySize a, MemorySize b) { return {a.bytes + b.bytes}; }
    friend constexpr MemorySize operator-(MemorySize a, MemorySize b) { return {a.bytes - b.bytes}; }
    friend constexpr MemorySize operator*(MemorySize a, std::int64_t n) { return {a.bytes * n}; }
};

constexpr MemorySize mebibytes(std::int64_t n) { return {n << 20}; }

} // namespace jarvis
