// Options and words of a command. The same table serves the command line, --help and the test of the man page; the same
// parser reads the directives of a script.
#pragma once

#include "base/result.hpp"
#include "client/exit_codes.hpp"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::client {

struct Option {
    char letter = 0;            // 0: none
    std::string_view name;      // "ntasks"
    std::string_view value;     // what --help calls its value ("N"); empty: a flag
    std::string_view help;
    bool optional_value = false;   // "--exclusive" or "--exclusive=LEVEL": the next word is never its value
    std::string_view instead = {}; // not empty: there is no such option, which this says to those who try it; --help does not show it
};

struct Program {
    std::string_view name;                 // "jsub"
    std::string_view summary;              // one sentence
    std::vector<std::string_view> usage;   // what follows the name: "[OPTION]... SCRIPT [ARG]..."
    std::span<const Option> options;       // without --help and --version, which all commands have
    bool options_end_at_first_word = false; // jsub: what follows the script belongs to it
    std::string_view notes;                // after the options in --help
};

struct GivenOption {
    const Option* option;
    std::string value;
};

struct CommandLine {
    std::vector<GivenOption> options; // in the order given
    std::vector<std::string> words;   // what is no option

    bool has(std::string_view name) const { return last(name).has_value(); }
    // The value given last.
    std::optional<std::string> last(std::string_view name) const;
    std::vector<std::string> all(std::string_view name) const;
};

struct WrongUsage {
    enum class Kind { unknown_option, missing_value, unexpected_value } kind;
    std::string option;  // as typed: "--ntask", "-x"
    std::string message; // "unknown option --ntask; did you mean \"--ntasks\"?"
};

// Options are --name VALUE, --name=VALUE, -nVALUE, -n VALUE; flags can share a dash (-Hl). An option whose value is optional
// has the value "" without it. After -- all are words; a single dash is a word. A value may be empty and may begin with a dash.
std::expected<CommandLine, WrongUsage> parse_words(std::span<const Option> options, std::span<const std::string> words,
                                                   bool options_end_at_first_word = false);

// The table of a program with --help and --version after its own options.
std::vector<Option> all_options(const Program& program);
std::string help_text(const Program& program);

// Prints "jsub: <message>" on standard error, and where help is, and returns Exit::usage.
int usage_error(const Program& program, std::string_view message);
// Prints "jsub: <message>" on standard error and returns the code.
int report(const Program& program, std::string_view message, Exit code);
int report(const Program& program, const Error& error);

// The frame of every command's main: --help, --version, wrong usage, output that cannot be written, exceptions.
int run_program(const Program& program, int argc, char** argv, int (*body)(const Program&, const CommandLine&));

} // namespace jarvis::client
