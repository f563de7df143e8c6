#include "base/escape.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

namespace jarvis {

namespace {

struct Character {
    char32_t code = 0;
    std::size_t length = 1; // bytes
    bool valid = false;     // else `length` is 1 and `code` the byte
};

// The character at the beginning of text, which is not empty. Overlong forms, surrogates and codes above U+10FFFF are
// invalid, as the Unicode standard (3.9, table 3-7) has it.
Character decode(std::string_view text)
{
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const Character invalid{first, 1, false};
    if (first < 0x80)
        return {first, 1, true};
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return invalid;
    char32_t code = first & (0x7f >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80)
            return invalid;
        code = code << 6 | (byte(i) & 0x3f);
    }
    constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return invalid;
    return {code, length, true};
}

struct Range {
    char32_t first, last;
};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, char32_t code)
{
    return std::ranges::any_of(ranges, [&](Range r) { return code >= r.first && code <= r.last; });
}

// C0, DEL and C1 controls, and the characters of Unicode's general categories Cf, Zl and Zp that act on the text around
// them or cannot be seen (UnicodeData.txt 15.0), tags and private "non-characters" included.
constexpr std::array hidden{
    Range{0x00, 0x1f},     Range{0x7f, 0x9f},     Range{0xad, 0xad},     Range{0x61c, 0x61c},   Range{0x115f, 0x1160},
    Range{0x180b, 0x180f}, Range{0x200b, 0x200f}, Range{0x2028, 0x202e}, Range{0x2060, 0x206f}, Range{0x3164, 0x3164},
    Range{0xfe00, 0xfe0f}, Range{0xfeff, 0xfeff}, Range{0xffa0, 0xffa0}, Range{0xfff0, 0xfffb}, Range{0xfffe, 0xffff},
    Range{0xe0000, 0xe0fff}};

// Marks that sit on the character before them.
constexpr std::array combining{Range{0x300, 0x36f},   Range{0x483, 0x489},   Range{0x591, 0x5bd},   Range{0x610, 0x61a},
                               Range{0x64b, 0x65f},   Range{0x1ab0, 0x1aff}, Range{0x1dc0, 0x1dff}, Range{0x20d0, 0x20ff},
                               Range{0xfe20, 0xfe2f}};

// East Asian wide and fullwidth characters (EastAsianWidth.txt 15.0, W and F), joined to blocks.
constexpr std::array wide{Range{0x1100, 0x115e},   Range{0x2e80, 0x303e},   Range{0x3041, 0x33ff}, Range{0x3400, 0x4dbf},
                          Range{0x4e00, 0x9fff},   Range{0xa000, 0xa4cf},   Range{0xac00, 0xd7a3}, Range{0xf900, 0xfaff},
                          Range{0xfe30, 0xfe6f},   Range{0xff01, 0xff60},   Range{0xffe0, 0xffe6}, Range{0x1f300, 0x1f64f},
                          Range{0x1f680, 0x1f6ff}, Range{0x1f900, 0x1f9ff}, Range{0x20000, 0x3fffd}};

std::size_t columns_of(const Character& c)
{
    if (!c.valid || c.code < 0x300)
        return 1;
    return within(combining, c.code) ? 0 : within(wide, c.code) ? 2 : 1;
}

std::string escaped(const Character& c)
{
    switch (c.code) {
    case '\n':
        return "\\n";
    case '\t':
        return "\\t";
    case '\r':
        return "\\r";
    default:
        break;
    }
    const auto code = static_cast<std::uint32_t>(c.code);
    if (!c.valid || code < 0x80)
        return fmt::format("\\x{:02x}", code);
    return code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
}

// Printable ASCII, as nearly all text is: one column for each byte, and nothing to escape.
bool is_plain(std::string_view text)
{
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

template <class MustEscape>
std::string escape_where(std::string_view text, MustEscape must_escape)
{
    if (is_plain(text))
        return std::string(text);
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        auto c = decode(text);
        out += must_escape(c) ? escaped(c) : std::string(text.substr(0, c.length));
        text.remove_prefix(c.length);
    }
    return out;
}

} // namespace

bool is_utf8(std::string_view text)
{
    while (!text.empty()) {
        auto c = decode(text);
        if (!c.valid)
            return false;
        text.remove_prefix(c.length);
    }
    return true;
}

std::string escape_for_terminal(std::string_view text)
{
    bool joined = false; // something stands before, for a combining mark to sit on
    return escape_where(text, [&](const Character& c) {
        bool escape = !c.valid || within(hidden, c.code) || (columns_of(c) == 0 && !joined);
        joined = !escape;
        return escape;
    });
}

std::string escape_invalid_utf8(std::string_view text)
{
    return escape_where(text, [](const Character& c) { return !c.valid; });
}

std::size_t terminal_width(std::string_view text)
{
    if (is_plain(text))
        return text.size();
    std::size_t columns = 0;
    while (!text.empty()) {
        auto c = decode(text);
        columns += columns_of(c);
        text.remove_prefix(c.length);
    }
    return columns;
}

std::string fit_to_width(std::string_view text, std::size_t columns)
{
    if (terminal_width(text) <= columns)
        return std::string(text);
    if (columns == 0)
        return {};
    std::size_t used = 0, length = 0;
    while (length < text.size()) {
        auto c = decode(text.substr(length));
        if (used + columns_of(c) > columns - 1)
            break;
        used += columns_of(c);
        length += c.length;
    }
    return std::string(text.substr(0, length)) + '+';
}

} // namespace jarvis
