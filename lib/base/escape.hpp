// Bytes that other people typed, made safe to print.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jarvis {

bool is_utf8(std::string_view text);

// For a terminal: what would move the cursor, change colours, reverse the direction of writing or take no room at all is
// shown as \n, \t, \x1b, \u202e; invalid UTF-8 as \xe9. The result is valid UTF-8 on one line.
std::string escape_for_terminal(std::string_view text);

// For JSON and logs: valid UTF-8 as it is, each byte that is not part of it as \xe9.
std::string escape_invalid_utf8(std::string_view text);

// The columns that text, as escape_for_terminal returns it, takes on a terminal.
std::size_t terminal_width(std::string_view text);

// Cut to at most so many columns between characters, the last column being '+' where something was cut.
std::string fit_to_width(std::string_view text, std::size_t columns);

} // namespace jarvis
