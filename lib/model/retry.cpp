#include "model/retry.hpp"

#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "base/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace jarvis {

namespace {

struct Cause {
    std::string_view name;
    bool RetryRule::*flag;
};
constexpr std::array causes{Cause{"node_fail", &RetryRule::on_node_fail}, Cause{"timeout", &RetryRule::on_timeout},
                            Cause{"signal", &RetryRule::on_signal}, Cause{"out_of_memory", &RetryRule::on_out_of_memory},
                            Cause{"system", &RetryRule::on_system}};

template <class... Args>
std::unexpected<Error> refuse(std::string_view text, fmt::format_string<Args...> format, Args&&... args)
{
    return fail(Errc::invalid, "retry \"{}{}\": {}", escape_for_terminal(text.substr(0, 100)), text.size() > 100 ? "..." : "",
                fmt::format(format, std::forward<Args>(args)...));
}

template <class Number>
std::optional<Number> number(std::string_view text)
{
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || text.front() == '-' || error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

// Calls f on each part between the separators, until one fails.
template <class F>
Result<void> for_each_part(std::string_view text, char separator, F f)
{
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(separator, begin), text.size());
        if (auto ok = f(text.substr(begin, end - begin)); !ok)
            return ok;
        begin = end + 1;
    }
    return {};
}

Result<void> read_backoff(std::string_view text, std::string_view value, RetryRule& rule)
{
    const auto dots = value.find("..");
    const auto first = parse_duration(value.substr(0, dots));
    if (!first)
        return refuse(text, "backoff: {}", first.error().message);
    auto most = first;
    if (dots != std::string_view::npos)
        most = parse_duration(value.substr(dots + 2));
    if (!most)
        return refuse(text, "backoff: {}", most.error().message);
    if (*most < *first)
        return refuse(text, "the longest backoff, {}, is shorter than the first, {}", format_duration_exact(*most),
                      format_duration_exact(*first));
    rule.backoff_first = *first;
    rule.backoff_most = *most;
    return {};
}

Result<void> read_exit(std::string_view text, std::string_view value, RetryRule& rule)
{
    const auto dash = value.find('-');
    const auto first = number<std::int32_t>(value.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number<std::int32_t>(value.substr(dash + 1));
    if (!first || !last || *first < 1 || *last > 255 || *last < *first)
        return refuse(text, "\"exit:{}\": expected an exit code from 1 to 255, or a range such as exit:3-5",
                      escape_for_terminal(value));
    if (rule.exits.size() == max_exit_ranges)
        return refuse(text, "more than {} exit codes and ranges", max_exit_ranges);
    rule.exits.push_back({*first, *last});
    return {};
}

Result<void> read_cause(std::string_view text, std::string_view word, RetryRule& rule)
{
    if (word.starts_with("exit:"))
        return read_exit(text, word.substr(5), rule);
    const auto cause = std::ranges::find(causes, word, &Cause::name);
    if (cause != causes.end()) {
        rule.*cause->flag = true;
        return {};
    }
    std::vector<std::string_view> known;
    for (const auto& one : causes)
        known.push_back(one.name);
    known.push_back("exit:");
    return refuse(text, "unknown cause \"{}\"; it is one of node_fail, timeout, signal, out_of_memory, system, exit:N{}",
                  escape_for_terminal(word), did_you_mean(word, known));
}

Result<void> read_option(std::string_view text, std::string_view part, RetryRule& rule, std::vector<std::string_view>& seen)
{
    const auto equals = std::min(part.find('='), part.size());
    const auto key = part.substr(0, equals);
    constexpr std::array<std::string_view, 2> keys{"backoff", "on"};
    if (std::ranges::find(keys, key) == keys.end())
        return refuse(text, "unknown word \"{}\"; behind the number stand backoff= and on={}", escape_for_terminal(key),
                      did_you_mean(key, keys));
    if (equals == part.size())
        return refuse(text, "\"{}\" needs a value, as in {}", key, key == "on" ? "on=node_fail|exit:3" : "backoff=30s..10m");
    if (std::ranges::find(seen, key) != seen.end())
        return refuse(text, "\"{}\" stands twice", key);
    seen.push_back(key);
    const auto value = part.substr(equals + 1);
    if (key == "backoff")
        return read_backoff(text, value, rule);
    return for_each_part(value, '|', [&](std::string_view word) { return read_cause(text, word, rule); });
}

bool any_failure(const RetryRule& rule)
{
    return rule.exits.empty() && std::ranges::none_of(causes, [&](const Cause& cause) { return rule.*cause.flag; });
}

// Sebastiano Vigna's splitmix64: every bit of the result depends on every bit of the argument.
std::uint64_t splitmix64(std::uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

} // namespace

Result<RetryRule> parse_retry(std::string_view text)
{
    RetryRule rule;
    std::vector<std::string_view> seen;
    const auto comma = std::min(text.find(','), text.size());
    const auto times = number<std::uint32_t>(text.substr(0, comma));
    if (!times || *times > max_retries)
        return refuse(text, "expected first how often, from 0 to {}, as in \"3,backoff=30s..10m,on=node_fail|exit:3-5\"",
                      max_retries);
    rule.times = *times;
    if (comma == text.size())
        return rule;
    auto ok = for_each_part(text.substr(comma + 1), ',',
                            [&](std::string_view part) { return read_option(text, part, rule, seen); });
    if (!ok)
        return std::unexpected(ok.error());
    return rule;
}

std::string format_retry(const RetryRule& rule)
{
    auto text = fmt::format("{},backoff={}", rule.times, format_duration_exact(rule.backoff_first));
    if (rule.backoff_most != rule.backoff_first)
        text += fmt::format("..{}", format_duration_exact(rule.backoff_most));
    std::vector<std::string> words;
    for (const auto& cause : causes)
        if (rule.*cause.flag)
            words.emplace_back(cause.name);
    for (auto [first, last] : rule.exits)
        words.push_back(first == last ? fmt::format("exit:{}", first) : fmt::format("exit:{}-{}", first, last));
    if (!words.empty())
        text += fmt::format(",on={}", fmt::join(words, "|"));
    return text;
}

bool retries(const RetryRule& rule, const JobEnd& end, std::uint32_t failed_attempts)
{
    if (failed_attempts > rule.times)
        return false;
    const bool system = end.end_class == EndClass::system;
    switch (end.state) {
    case JobState::node_fail:
        return rule.on_node_fail || any_failure(rule);
    case JobState::timeout:
        return rule.on_timeout || any_failure(rule);
    case JobState::out_of_memory:
        return rule.on_out_of_memory || any_failure(rule);
    case JobState::failed:
        if (any_failure(rule) || (system && rule.on_system))
            return true;
        if (system)
            return false; // an exit code or a signal is then not the script's
        if (end.signal != 0)
            return rule.on_signal;
        return end.exit_code && std::ranges::any_of(rule.exits, [&](const ExitRange& range) {
            return range.first <= *end.exit_code && *end.exit_code <= range.last;
        });
    default:
        return false;
    }
}

Duration retry_delay(const RetryRule& rule, JobId job, std::uint32_t failed_attempts)
{
    auto base = std::min(rule.backoff_first, rule.backoff_most);
    for (std::uint32_t attempt = 1; attempt < failed_attempts && base < rule.backoff_most && base > Duration{}; ++attempt)
        base = base > rule.backoff_most / 2 ? rule.backoff_most : base * 2;
    const auto low = base - base / 4, high = std::min(base + base / 4, rule.backoff_most);
    const auto span = static_cast<std::uint64_t>((high - low).count()) + 1;
    const auto hash = splitmix64(splitmix64(splitmix64(job.value) ^ job.task) ^ failed_attempts);
    return low + Duration{static_cast<std::int64_t>(hash % span)};
}

} // namespace jarvis
