#include "config/values.hpp"

#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "base/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace jarvis::config {

namespace {

std::string expected(std::string_view what, const RawValue& raw)
{
    return fmt::format("expected {}, found {}", what, describe(raw));
}

// What a parser of text says of it, with its own text made safe to print.
template <class T>
std::string take(Result<T> parsed, T& value)
{
    if (!parsed)
        return escape_for_terminal(parsed.error().message);
    value = *parsed;
    return {};
}

// A number with a unit: text that `parse` reads, or a plain number.
template <class T>
std::string read_quantity(const RawValue& raw, T& value, Result<T> (*parse)(std::string_view), std::string_view what)
{
    if (auto* text = std::get_if<std::string>(&raw.value))
        return take(parse(*text), value);
    if (auto* number = std::get_if<std::int64_t>(&raw.value))
        return take(parse(fmt::format("{}", *number)), value);
    return expected(what, raw);
}

constexpr std::string_view a_duration = "a duration such as \"30m\"";
constexpr std::string_view a_size = "a size such as \"4G\"";

std::string read_unsigned(const RawValue& raw, std::uint64_t& value, std::uint64_t least, std::uint64_t most)
{
    auto* number = std::get_if<std::int64_t>(&raw.value);
    if (!number)
        return expected("an integer", raw);
    if (*number < 0 || static_cast<std::uint64_t>(*number) < least || static_cast<std::uint64_t>(*number) > most)
        return fmt::format("{} is out of range; it goes from {} to {}", *number, least, most);
    value = static_cast<std::uint64_t>(*number);
    return {};
}

template <class T, std::size_t N>
using Words = std::array<std::pair<T, std::string_view>, N>;

constexpr Words<LogLevel, 5> log_levels{{{LogLevel::trace, "trace"},
                                         {LogLevel::debug, "debug"},
                                         {LogLevel::info, "info"},
                                         {LogLevel::warning, "warning"},
                                         {LogLevel::error, "error"}}};
constexpr Words<LogFormat, 2> log_formats{{{LogFormat::text, "text"}, {LogFormat::json, "json"}}};
constexpr Words<PartitionState, 2> partition_states{{{PartitionState::up, "up"}, {PartitionState::down, "down"}}};
constexpr Words<Confinement, 3> confinements{
    {{Confinement::full, "full"}, {Confinement::track, "track"}, {Confinement::none, "none"}}};

template <class T, std::size_t N>
std::string list_of(const Words<T, N>& words)
{
    std::string list;
    for (std::size_t i = 0; i < N; ++i)
        list += fmt::format("{}\"{}\"", i == 0 ? "" : i + 1 < N ? ", " : " or ", words[i].second);
    return list;
}

template <class T, std::size_t N>
std::string read_word(const RawValue& raw, T& value, const Words<T, N>& words)
{
    auto* text = std::get_if<std::string>(&raw.value);
    if (!text)
        return expected(list_of(words), raw);
    std::vector<std::string_view> known;
    for (const auto& [meaning, word] : words) {
        if (*text == word) {
            value = meaning;
            return {};
        }
        known.push_back(word);
    }
    auto hint = did_you_mean(*text, known);
    return fmt::format("expected {}, found \"{}\"{}", list_of(words), escape_for_terminal(*text), hint);
}

template <class T, std::size_t N>
std::string_view word_for(T value, const Words<T, N>& words)
{
    return std::ranges::find(words, value, &std::pair<T, std::string_view>::first)->second;
}

std::string quoted(std::string_view text)
{
    std::string out = "\"";
    for (unsigned char c : text) {
        if (c == '"' || c == '\\')
            out += {'\\', static_cast<char>(c)};
        else if (c < 0x20 || c == 0x7f)
            out += fmt::format("\\u{:04x}", c);
        else
            out += static_cast<char>(c);
    }
    return out + '"';
}

// One half of a resource limit.
std::string read_limit(std::string_view text, std::uint64_t& value)
{
    if (text == "unlimited") {
        value = unlimited;
        return {};
    }
    auto end = text.data() + text.size();
    if (auto [at, error] = std::from_chars(text.data(), end, value); error == std::errc{} && at == end)
        return {};
    auto size = parse_memory_size(text);
    if (text.empty() || text.find_first_not_of("0123456789") == std::string_view::npos || !size)
        return fmt::format("\"{}\" is not a limit; expected a number such as \"1024\" or \"8M\", or \"unlimited\"",
                           escape_for_terminal(text));
    value = static_cast<std::uint64_t>(size->bytes);
    return {};
}

std::string limit_text(std::uint64_t value) { return value == unlimited ? "unlimited" : fmt::format("{}", value); }

} // namespace

std::string read(const RawValue& raw, std::string& value)
{
    auto* text = std::get_if<std::string>(&raw.value);
    if (!text)
        return expected("a string", raw);
    if (text->find('\0') != std::string::npos)
        return "a NUL character cannot stand here";
    value = *text;
    return {};
}

std::string read(const RawValue& raw, bool& value)
{
    auto* boolean = std::get_if<bool>(&raw.value);
    if (!boolean)
        return expected("true or false", raw);
    value = *boolean;
    return {};
}

std::string read(const RawValue& raw, std::optional<bool>& value)
{
    bool given = false;
    auto problem = read(raw, given);
    if (problem.empty())
        value = given;
    return problem;
}

std::string read(const RawValue& raw, std::int64_t& value)
{
    auto* number = std::get_if<std::int64_t>(&raw.value);
    if (!number)
        return expected("an integer", raw);
    value = *number;
    return {};
}

std::string read(const RawValue& raw, std::uint32_t& value)
{
    std::uint64_t wide = 0;
    auto problem = read_unsigned(raw, wide, 0, std::numeric_limits<std::uint32_t>::max());
    if (problem.empty())
        value = static_cast<std::uint32_t>(wide);
    return problem;
}

std::string read(const RawValue& raw, std::uint64_t& value)
{
    return read_unsigned(raw, value, 0, std::numeric_limits<std::int64_t>::max());
}

std::string read(const RawValue& raw, JobId& value) { return read_unsigned(raw, value.value, 1, max_job_id.value); }

std::string read(const RawValue& raw, Duration& value) { return read_quantity(raw, value, parse_duration, a_duration); }

std::string read(const RawValue& raw, std::optional<Duration>& value)
{
    if (auto* text = std::get_if<std::string>(&raw.value); text && text->empty()) {
        value.reset();
        return {};
    }
    return read_quantity(raw, value, parse_time_limit, a_duration);
}

std::string read(const RawValue& raw, MemorySize& value) { return read_quantity(raw, value, parse_memory_size, a_size); }

std::string read(const RawValue& raw, std::optional<MemorySize>& value)
{
    if (auto* text = std::get_if<std::string>(&raw.value); text && text->empty()) {
        value.reset();
        return {};
    }
    MemorySize size;
    auto problem = read(raw, size);
    if (problem.empty())
        value = size;
    return problem;
}

std::string read(const RawValue& raw, std::vector<std::string>& value)
{
    auto* array = std::get_if<RawArray>(&raw.value);
    if (!array)
        return expected("a list of strings such as [\"alice\", \"bob\"]", raw);
    std::vector<std::string> list;
    for (const auto& item : *array)
        if (auto problem = read(item, list.emplace_back()); !problem.empty())
            return problem;
    value = std::move(list);
    return {};
}

std::string read(const RawValue& raw, LogLevel& value) { return read_word(raw, value, log_levels); }
std::string read(const RawValue& raw, LogFormat& value) { return read_word(raw, value, log_formats); }
std::string read(const RawValue& raw, PartitionState& value) { return read_word(raw, value, partition_states); }
std::string read(const RawValue& raw, Confinement& value) { return read_word(raw, value, confinements); }

std::string read(const RawValue& raw, ResourceLimit& value)
{
    std::string text;
    if (auto* number = std::get_if<std::int64_t>(&raw.value))
        text = fmt::format("{}", *number);
    else if (auto* given = std::get_if<std::string>(&raw.value))
        text = *given;
    else
        return expected("a limit such as \"1024\" or \"1024:524288\"", raw);
    auto colon = text.find(':');
    std::uint64_t soft = 0, hard = 0;
    if (auto problem = read_limit(std::string_view(text).substr(0, colon), soft); !problem.empty())
        return problem;
    hard = soft;
    if (colon != std::string::npos)
        if (auto problem = read_limit(std::string_view(text).substr(colon + 1), hard); !problem.empty())
            return problem;
    if (soft > hard)
        return fmt::format("the soft limit {} is above the hard one, {}", limit_text(soft), limit_text(hard));
    value.soft = soft;
    value.hard = hard;
    return {};
}

std::string write(const std::string& value) { return quoted(value); }
std::string write(bool value) { return value ? "true" : "false"; }
std::string write(std::int64_t value) { return fmt::format("{}", value); }
std::string write(std::uint32_t value) { return fmt::format("{}", value); }
std::string write(std::uint64_t value) { return fmt::format("{}", value); }
std::string write(JobId value) { return fmt::format("{}", value); }
std::string write(Duration value) { return quoted(format_duration_exact(value)); }
std::string write(const std::optional<Duration>& value) { return value ? write(*value) : "\"unlimited\""; }
std::string write(MemorySize value) { return quoted(format_memory_size_exact(value)); }
std::string write(const std::optional<MemorySize>& value) { return value ? write(*value) : "\"\""; }
std::string write(const std::optional<bool>& value) { return write(value.value_or(true)); }

std::string write(const std::vector<std::string>& value)
{
    std::string list;
    for (const auto& item : value)
        list += (list.empty() ? "" : ", ") + quoted(item);
    return '[' + list + ']';
}

std::string write(LogLevel value) { return quoted(word_for(value, log_levels)); }
std::string write(LogFormat value) { return quoted(word_for(value, log_formats)); }
std::string write(PartitionState value) { return quoted(word_for(value, partition_states)); }
std::string write(Confinement value) { return quoted(word_for(value, confinements)); }

std::string write(const ResourceLimit& value)
{
    if (value.soft == value.hard)
        return quoted(limit_text(value.soft));
    return quoted(limit_text(value.soft) + ':' + limit_text(value.hard));
}

std::string_view name(LogLevel level) { return word_for(level, log_levels); }

Result<LogLevel> parse_log_level(std::string_view text)
{
    LogLevel level{};
    auto problem = read_word(RawValue{{}, std::string(text)}, level, log_levels);
    if (!problem.empty())
        return fail(Errc::invalid, "{}", problem);
    return level;
}

} // namespace jarvis::config
