// The #JSUB lines of a script. Pure: text in, words with their lines out.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::client {

// The words of one #JSUB line, quotes taken off.
struct Directive {
    std::size_t line = 0; // from 1
    std::vector<std::string> words;
};

// Directives are the lines that begin with "#JSUB" and a space or tab, up to the first line that is neither blank nor a
// comment. They are quoted like a shell's words: '...' takes everything, in "..." a backslash quotes " \ $ and `,
// outside it quotes anything; # at the beginning of a word begins a comment. Nothing is expanded. A failure begins with
// "<file>:<line>: ".
Result<std::vector<Directive>> parse_directives(std::string_view script, std::string_view file);

// One line's words by the same rules.
Result<std::vector<std::string>> split_words(std::string_view line);

} // namespace jarvis::client
