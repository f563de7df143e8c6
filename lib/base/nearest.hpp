// The known word nearest to one that somebody mistyped.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace jarvis {

// The word with the smallest edit distance (insert, delete, replace, swap of neighbours), if it is at most a third of the word's length (at least 1).
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> known);

// "; did you mean \"priority\"?", or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

} // namespace jarvis
