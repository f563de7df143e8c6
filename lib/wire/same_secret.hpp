// Comparing secrets.
#pragma once

#include <cstddef>
#include <string_view>

namespace jarvis::wire {

// How long it takes says nothing of where they differ.
constexpr bool same_secret(std::string_view one, std::string_view other)
{
    if (one.size() != other.size())
        return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < one.size(); ++i)
        difference |= static_cast<unsigned>(static_cast<unsigned char>(one[i]) ^ static_cast<unsigned char>(other[i]));
    return difference == 0;
}

} // namespace jarvis::wire
