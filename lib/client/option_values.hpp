// Values of options that several of them have.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace jarvis::client {

std::string upper(std::string_view text);

Result<std::int64_t> parse_number(const std::string& text, std::int64_t least, std::int64_t most);
// From 1 to `most`.
Result<void> set_count(std::uint32_t& place, const std::string& text, std::uint32_t most);

// The switches of an environment variable that stands for a flag.
Result<bool> parse_switch(const std::string& value);

// The place of a word in a list: `expected close, spread, numa; found "clsoe"; did you mean "close"?`.
Result<std::size_t> parse_word(std::string_view text, std::span<const std::string_view> known);

// Takes the value of a parser into a place.
template <class T, class Place>
Result<void> store(Result<T> value, Place& place)
{
    if (!value)
        return std::unexpected(value.error());
    place = std::move(*value);
    return {};
}

} // namespace jarvis::client
