#include "client/option_values.hpp"

#include "base/escape.hpp"
#include "base/nearest.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace jarvis::client {

std::string upper(std::string_view text)
{
    std::string result;
    for (unsigned char c : text)
        result += static_cast<char>(std::toupper(c));
    return result;
}

Result<std::int64_t> parse_number(const std::string& text, std::int64_t least, std::int64_t most)
{
    std::int64_t value = 0;
    const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
        return fail(Errc::invalid, "expected a number from {} to {}, found \"{}\"", least, most, escape_for_terminal(text));
    return value;
}

Result<void> set_count(std::uint32_t& place, const std::string& text, std::uint32_t most)
{
    const auto number = parse_number(text, 1, most);
    if (!number)
        return std::unexpected(number.error());
    place = static_cast<std::uint32_t>(*number);
    return {};
}

Result<bool> parse_switch(const std::string& value)
{
    const auto word = upper(value);
    if (word == "1" || word == "YES" || word == "TRUE" || word == "ON")
        return true;
    if (word.empty() || word == "0" || word == "NO" || word == "FALSE" || word == "OFF")
        return false;
    return fail(Errc::invalid, "expected yes or no, found \"{}\"", escape_for_terminal(value));
}

Result<std::size_t> parse_word(std::string_view text, std::span<const std::string_view> known)
{
    const auto found = std::ranges::find(known, text);
    if (found == known.end())
        return fail(Errc::invalid, "expected {}; found \"{}\"{}", fmt::join(known, ", "), escape_for_terminal(text),
                    did_you_mean(text, known));
    return static_cast<std::size_t>(found - known.begin());
}

} // namespace jarvis::client
