#include "client/command_line.hpp"

#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "base/version.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>

namespace jarvis::client {

namespace {

constexpr Option help_option{'h', "help", "", "show this help and exit"};
constexpr Option version_option{'V', "version", "", "show the version and exit"};

const Option* find_long(std::span<const Option> options, std::string_view name)
{
    for (const auto& option : options)
        if (option.name == name)
            return &option;
    return nullptr;
}

const Option* find_letter(std::span<const Option> options, char letter)
{
    for (const auto& option : options)
        if (option.letter == letter)
            return &option;
    return nullptr;
}

WrongUsage unknown(std::span<const Option> options, const std::string& typed)
{
    std::vector<std::string> spelled;
    for (const auto& option : options)
        if (option.instead.empty())
            spelled.push_back("--" + std::string(option.name));
    std::vector<std::string_view> known(spelled.begin(), spelled.end());
    // Nothing is near to a single letter.
    const auto hint = typed.starts_with("--") ? did_you_mean(typed, known) : std::string();
    return {WrongUsage::Kind::unknown_option, typed, fmt::format("unknown option {}{}", escape_for_terminal(typed), hint)};
}

WrongUsage missing_value(const Option& option, const std::string& typed)
{
    return {WrongUsage::Kind::missing_value, typed, fmt::format("option {} needs a value: {}", typed, option.value)};
}

WrongUsage not_ours(const Option& option, const std::string& typed)
{
    return {WrongUsage::Kind::unknown_option, typed, fmt::format("unknown option {}; {}", typed, option.instead)};
}

class Parser {
    std::span<const Option> options_;
    std::span<const std::string> words_;
    std::size_t next_ = 0;
    CommandLine result_;

    std::expected<void, WrongUsage> long_option(const std::string& word)
    {
        const auto equals = word.find('=');
        const auto typed = word.substr(0, equals);
        const Option* option = find_long(options_, std::string_view(typed).substr(2));
        if (!option)
            return std::unexpected(unknown(options_, typed));
        if (!option->instead.empty())
            return std::unexpected(not_ours(*option, typed));
        if (option->optional_value && (equals == std::string::npos || equals + 1 < word.size())) {
            result_.options.push_back({option, equals == std::string::npos ? "" : word.substr(equals + 1)});
            return {};
        }
        if (option->optional_value)
            return std::unexpected(missing_value(*option, word));
        if (option->value.empty()) {
            if (equals != std::string::npos)
                return std::unexpected(
                    WrongUsage{WrongUsage::Kind::unexpected_value, typed, fmt::format("option {} takes no value", typed)});
            result_.options.push_back({option, {}});
        } else if (equals != std::string::npos) {
            result_.options.push_back({option, word.substr(equals + 1)});
        } else if (next_ < words_.size()) {
            result_.options.push_back({option, words_[next_++]});
        } else {
            return std::unexpected(missing_value(*option, typed));
        }
        return {};
    }

    std::expected<void, WrongUsage> letters(const std::string& word)
    {
        for (std::size_t i = 1; i < word.size(); ++i) {
            const auto typed = std::string("-") + word[i];
            const Option* option = find_letter(options_, word[i]);
            if (!option)
                return std::unexpected(unknown(options_, typed));
            if (!option->instead.empty())
                return std::unexpected(not_ours(*option, typed));
            if (option->value.empty() || (option->optional_value && i + 1 == word.size())) {
                result_.options.push_back({option, {}});
                continue;
            }
            if (i + 1 < word.size())
                result_.options.push_back({option, word.substr(i + 1)});
            else if (next_ < words_.size())
                result_.options.push_back({option, words_[next_++]});
            else
                return std::unexpected(missing_value(*option, typed));
            break;
        }
        return {};
    }

    void rest_is_words()
    {
        result_.words.insert(result_.words.end(), words_.begin() + static_cast<std::ptrdiff_t>(next_), words_.end());
        next_ = words_.size();
    }

public:
    Parser(std::span<const Option> options, std::span<const std::string> words) : options_(options), words_(words) {}

    std::expected<CommandLine, WrongUsage> run(bool options_end_at_first_word)
    {
        while (next_ < words_.size()) {
            const std::string& word = words_[next_++];
            std::expected<void, WrongUsage> ok;
            if (word == "--") {
                rest_is_words();
            } else if (word.starts_with("--")) {
                ok = long_option(word);
            } else if (word.size() > 1 && word[0] == '-') {
                ok = letters(word);
            } else {
                result_.words.push_back(word);
                if (options_end_at_first_word)
                    rest_is_words();
            }
            if (!ok)
                return std::unexpected(ok.error());
        }
        return std::move(result_);
    }
};

// Cut into lines of at most `width` columns, at spaces.
std::vector<std::string> wrap_text(std::string_view text, std::size_t width)
{
    std::vector<std::string> lines(1);
    while (!text.empty()) {
        const auto space = text.find(' ');
        const auto word = text.substr(0, space);
        if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width)
            lines.emplace_back();
        if (!lines.back().empty())
            lines.back() += ' ';
        lines.back() += word;
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    }
    return lines;
}

} // namespace

std::optional<std::string> CommandLine::last(std::string_view name) const
{
    for (auto given = options.rbegin(); given != options.rend(); ++given)
        if (given->option->name == name)
            return given->value;
    return {};
}

std::vector<std::string> CommandLine::all(std::string_view name) const
{
    std::vector<std::string> values;
    for (const auto& given : options)
        if (given.option->name == name)
            values.push_back(given.value);
    return values;
}

std::expected<CommandLine, WrongUsage> parse_words(std::span<const Option> options, std::span<const std::string> words,
                                                   bool options_end_at_first_word)
{
    return Parser(options, words).run(options_end_at_first_word);
}

std::vector<Option> all_options(const Program& program)
{
    std::vector<Option> options(program.options.begin(), program.options.end());
    options.push_back(help_option);
    options.push_back(version_option);
    return options;
}

std::string help_text(const Program& program)
{
    constexpr std::size_t text_column = 30, last_column = 100;
    std::string text;
    for (std::size_t i = 0; i < program.usage.size(); ++i)
        text += fmt::format("{} {} {}\n", i == 0 ? "Usage:" : "      ", program.name, program.usage[i]);
    text += fmt::format("\n{}\n\nOptions:\n", program.summary);
    for (const auto& option : all_options(program)) {
        if (!option.instead.empty())
            continue;
        auto left = fmt::format("  {}{}--{}", option.letter ? fmt::format("-{}", option.letter) : "  ", option.letter ? ", " : "  ",
                                option.name);
        if (!option.value.empty())
            left += fmt::format(fmt::runtime(option.optional_value ? "[={}]" : " {}"), option.value);
        const auto lines = wrap_text(option.help, last_column - text_column);
        std::size_t first = 0;
        if (left.size() + 2 <= text_column)
            text += fmt::format("{:<{}}{}\n", left, text_column, lines[first++]);
        else
            text += left + "\n";
        for (; first < lines.size(); ++first)
            text += fmt::format("{:{}}{}\n", "", text_column, lines[first]);
    }
    if (!program.notes.empty())
        text += fmt::format("\n{}\n", program.notes);
    text += fmt::format("\nExit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 no such job, node, partition or user;\n"
                        "4 no answer. More in the manual: man {}\n", program.name);
    return text;
}

int usage_error(const Program& program, std::string_view message)
{
    fmt::print(stderr, "{}: {}\nTry \"{} --help\".\n", program.name, message, program.name);
    return static_cast<int>(Exit::usage);
}

int report(const Program& program, std::string_view message, Exit code)
{
    // Not by fmt::print, which throws when nobody reads it: the exit code still tells how it ended.
    std::fputs(fmt::format("{}: {}\n", program.name, message).c_str(), stderr);
    return static_cast<int>(code);
}

int report(const Program& program, const Error& error) { return report(program, error.message, exit_for(error.code)); }

namespace {

int run_body(const Program& program, int argc, char** argv, int (*body)(const Program&, const CommandLine&))
{
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    const auto options = all_options(program);
    auto line = parse_words(options, words, program.options_end_at_first_word);
    if (!line)
        return usage_error(program, line.error().message);
    if (line->has("help"))
        fmt::print("{}", help_text(program));
    else if (line->has("version"))
        fmt::print("{} {}\n", program.name, version);
    else
        return body(program, *line);
    return static_cast<int>(Exit::done);
}

// A reader that has seen enough ("jq | head -1") is no failure of ours.
int cannot_write(const Program& program, int error_number, int code)
{
    if (error_number == EPIPE || code != 0)
        return code;
    return report(program, system_error(error_number, "cannot write standard output").message, Exit::failed);
}

} // namespace

int run_program(const Program& program, int argc, char** argv, int (*body)(const Program&, const CommandLine&))
{
    // A lost controller or a closed pipe is an error that is reported, not the end by a signal in the middle of it.
    std::signal(SIGPIPE, SIG_IGN);
    int code = 0;
    try {
        code = run_body(program, argc, argv, body);
    } catch (const std::system_error& problem) { // fmt::print: standard output cannot be written
        return cannot_write(program, problem.code().value(), code);
    } catch (const std::exception& problem) { // no memory
        return report(program, problem.what(), Exit::failed);
    }
    return std::fflush(stdout) == 0 ? code : cannot_write(program, errno, code);
}

} // namespace jarvis::client
