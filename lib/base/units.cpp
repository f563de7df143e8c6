#include "base/units.hpp"

#include "base/nearest.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <vector>

namespace jarvis {

namespace {

using namespace std::chrono_literals;

std::string upper(std::string_view text)
{
    std::string out(text);
    for (char& c : out)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

// Takes the digits at the beginning of text off it. Nothing without a digit; a number above INT64_MAX, which no unit of
// ours could hold, is INT64_MAX.
std::optional<std::int64_t> take_number(std::string_view& text)
{
    const auto length = std::min(text.find_first_not_of("0123456789"), text.size());
    if (length == 0)
        return std::nullopt;
    std::int64_t value = 0;
    if (std::from_chars(text.data(), text.data() + length, value).ec != std::errc{})
        value = INT64_MAX;
    text.remove_prefix(length);
    return value;
}

} // namespace

// --- sizes ---

namespace {

// The power of two of a size's unit; nothing for an unknown one.
std::optional<int> size_unit(std::string_view unit)
{
    if (unit.empty())
        return 20;
    auto name = upper(unit);
    if (name == "B")
        return 0;
    auto power = std::string_view("KMGTPE").find(name[0]);
    auto rest = std::string_view(name).substr(1);
    if (power == std::string_view::npos || (rest != "" && rest != "B" && rest != "IB"))
        return std::nullopt;
    return 10 * (static_cast<int>(power) + 1);
}

std::unexpected<Error> not_a_size(std::string_view text)
{
    return fail(Errc::invalid, "\"{}\" is not a size; expected a number and K, M, G or T, such as \"512M\" or \"1.5G\"", text);
}

} // namespace

Result<MemorySize> parse_memory_size(std::string_view text)
{
    auto rest = text;
    if (rest.starts_with('-'))
        return fail(Errc::invalid, "\"{}\" is not a size: it is negative", text);
    auto whole = take_number(rest);
    if (!whole)
        return not_a_size(text);
    std::int64_t fraction = 0, scale = 1;
    if (rest.starts_with('.')) {
        rest.remove_prefix(1);
        auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        if (digits == 0)
            return not_a_size(text);
        for (std::size_t i = 0; i < std::min<std::size_t>(digits, 18); ++i, scale *= 10)
            fraction = fraction * 10 + (rest[i] - '0');
        rest.remove_prefix(digits);
    }
    auto unit = size_unit(rest);
    if (!unit)
        return not_a_size(text);
    if (*unit == 0 && scale > 1)
        return fail(Errc::invalid, "\"{}\" is not a size: a byte has no parts", text);
    __extension__ using Wide = __int128; // 2^63 times 2^60 fits
    const Wide bytes = (Wide{*whole} << *unit) + (Wide{fraction} << *unit) / scale;
    if (bytes > max_memory_size.bytes)
        return fail(Errc::invalid, "the size \"{}\" is too large; the largest is {}", text,
                    format_memory_size_exact(max_memory_size));
    return MemorySize{static_cast<std::int64_t>(bytes)};
}

std::string format_memory_size(MemorySize size)
{
    if (size.bytes < 0)
        return '-' + format_memory_size({size.bytes == INT64_MIN ? INT64_MAX : -size.bytes});
    if (size.bytes < 1024)
        return size.bytes == 0 ? "0" : fmt::format("{}B", size.bytes);
    constexpr std::string_view units = "KMGTPE";
    std::size_t unit = 0;
    std::int64_t bytes = size.bytes;
    // Cut, not rounded, on the way up: what is lost is far below the digits that are shown.
    while (bytes >= (std::int64_t{1} << 20) - 512 && unit + 1 < units.size()) {
        bytes >>= 10;
        ++unit;
    }
    const std::int64_t tenths = (bytes * 10 + 512) >> 10;
    if (tenths < 100 && tenths % 10 != 0)
        return fmt::format("{}.{}{}", tenths / 10, tenths % 10, units[unit]);
    return fmt::format("{}{}", (bytes + 512) >> 10, units[unit]);
}

std::string format_memory_size_exact(MemorySize size)
{
    constexpr std::string_view units = "BKMGTPE";
    std::size_t unit = 0;
    std::int64_t count = size.bytes;
    while (count != 0 && count % 1024 == 0 && unit + 1 < units.size()) {
        count /= 1024;
        ++unit;
    }
    return count == 0 ? "0" : fmt::format("{}{}", count, units[unit]);
}

// --- durations ---

namespace {

struct TimeUnit {
    std::string_view name;
    Duration length;
};
constexpr std::array time_units{TimeUnit{"d", std::chrono::days{1}}, TimeUnit{"h", 1h},   TimeUnit{"m", 1min},
                                TimeUnit{"s", 1s},                   TimeUnit{"ms", 1ms}, TimeUnit{"us", 1us}};

template <class... Args>
std::unexpected<Error> not_a_duration(std::string_view text, fmt::format_string<Args...> why, Args&&... args)
{
    return fail(Errc::invalid, "\"{}\" is not a duration: {}", text, fmt::format(why, std::forward<Args>(args)...));
}

constexpr std::string_view duration_forms = "expected minutes, MM:SS, HH:MM:SS, D-HH:MM:SS, or a form such as \"30m\" or \"1h30m\"";

// count times unit, added to sum; false when that is more than max_duration.
bool add_time(Duration& sum, std::int64_t count, Duration unit)
{
    if (count > max_duration / unit)
        return false;
    sum += count * unit;
    return sum <= max_duration;
}

std::unexpected<Error> too_long(std::string_view text)
{
    return not_a_duration(text, "it is longer than {} days", std::chrono::duration_cast<std::chrono::days>(max_duration).count());
}

// "1h30m": numbers with units, the largest unit first.
Result<Duration> parse_unit_duration(std::string_view text)
{
    Duration sum{};
    auto next_unit = time_units.begin();
    for (auto rest = text; !rest.empty();) {
        auto count = take_number(rest);
        auto letters = std::min(rest.find_first_of("0123456789"), rest.size());
        auto unit = std::ranges::find(time_units, rest.substr(0, letters), &TimeUnit::name);
        if (!count || letters == 0)
            return not_a_duration(text, "{}", duration_forms);
        if (unit == time_units.end())
            return not_a_duration(text, "unknown unit \"{}\"; it is one of d, h, m, s, ms, us", rest.substr(0, letters));
        if (unit < next_unit)
            return not_a_duration(text, "its units do not go from large to small");
        if (!add_time(sum, *count, unit->length))
            return too_long(text);
        next_unit = unit + 1;
        rest.remove_prefix(letters);
    }
    return sum;
}

// "MM:SS", "HH:MM:SS", and "D-" before "HH", "HH:MM" or "HH:MM:SS". The first number may be any; the others stay
// below the next unit.
Result<Duration> parse_clock_duration(std::string_view text)
{
    auto rest = text;
    Duration sum{};
    std::array<Duration, 3> units{1h, 1min, 1s};
    std::array<std::int64_t, 3> ends{24, 60, 60};
    std::size_t first = 0;
    const bool days = text.find('-') != std::string_view::npos;
    const auto colons = static_cast<std::size_t>(std::ranges::count(text, ':'));
    if (colons > 2)
        return not_a_duration(text, "{}", duration_forms);
    if (days) {
        auto count = take_number(rest);
        if (!count || !rest.starts_with('-'))
            return not_a_duration(text, "{}", duration_forms);
        rest.remove_prefix(1);
        if (!add_time(sum, *count, std::chrono::days{1}))
            return too_long(text);
    } else {
        first = 2 - colons;
    }
    for (std::size_t i = 0; i <= colons; ++i) {
        auto count = take_number(rest);
        if (!count || (i < colons ? !rest.starts_with(':') : !rest.empty()))
            return not_a_duration(text, "{}", duration_forms);
        if ((days || i > 0) && *count >= ends[first + i])
            return not_a_duration(text, "the {} go to {}", std::array{"hours", "minutes", "seconds"}[first + i],
                                  ends[first + i] - 1);
        if (!add_time(sum, *count, units[first + i]))
            return too_long(text);
        if (i < colons)
            rest.remove_prefix(1);
    }
    return sum;
}

} // namespace

Result<Duration> parse_duration(std::string_view text)
{
    if (text.starts_with('-'))
        return not_a_duration(text, "it is negative");
    if (text.find_first_of(":-") != std::string_view::npos)
        return parse_clock_duration(text);
    auto rest = text;
    if (auto minutes = take_number(rest); minutes && rest.empty()) {
        Duration sum{};
        if (!add_time(sum, *minutes, 1min))
            return too_long(text);
        return sum;
    }
    if (text.empty())
        return not_a_duration(text, "{}", duration_forms);
    return parse_unit_duration(text);
}

Result<std::optional<Duration>> parse_time_limit(std::string_view text)
{
    if (auto word = upper(text); word == "UNLIMITED" || word == "INFINITE")
        return std::optional<Duration>();
    auto duration = parse_duration(text);
    if (!duration)
        return fail(Errc::invalid, "{}, or \"unlimited\"", duration.error().message);
    return std::optional<Duration>(*duration);
}

std::string format_duration(Duration duration)
{
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    std::string_view sign = seconds < 0 ? "-" : "";
    seconds = std::abs(seconds);
    std::string days = seconds < 86400 ? "" : fmt::format("{}-", seconds / 86400);
    return fmt::format("{}{}{:02}:{:02}:{:02}", sign, days, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

std::string format_duration_exact(Duration duration)
{
    if (duration < Duration{})
        return '-' + format_duration_exact(-duration);
    std::string text;
    for (const auto& unit : time_units) {
        if (auto count = duration / unit.length; count > 0)
            text += fmt::format("{}{}", count, unit.name);
        duration %= unit.length;
    }
    return text.empty() ? "0s" : text;
}

std::string format_time_limit(const std::optional<Duration>& limit)
{
    return limit ? format_duration(*limit) : "unlimited";
}

// --- signals ---

Result<int> parse_signal(std::string_view text)
{
    auto rest = text;
    auto name = upper(text);
    if (auto number = take_number(rest); number && rest.empty()) {
        // The C library keeps the signals between the named ones and SIGRTMIN to itself (signal(7)).
        if (*number < 1 || *number > SIGRTMAX || (*number < SIGRTMIN && !::sigabbrev_np(static_cast<int>(*number))))
            return fail(Errc::invalid, "there is no signal {}", text);
        return static_cast<int>(*number);
    }
    if (name.starts_with("SIG"))
        name.erase(0, 3);
    std::vector<std::string_view> known;
    for (int signal = 1; signal < SIGRTMIN; ++signal)
        if (const char* abbreviation = ::sigabbrev_np(signal)) {
            if (name == abbreviation)
                return signal;
            known.emplace_back(abbreviation);
        }
    for (auto [base, number, sign] : {std::tuple{"RTMIN", SIGRTMIN, '+'}, std::tuple{"RTMAX", SIGRTMAX, '-'}}) {
        if (!name.starts_with(base))
            continue;
        auto offset_text = std::string_view(name).substr(5);
        if (offset_text.empty())
            return number;
        if (offset_text[0] != sign)
            continue;
        offset_text.remove_prefix(1);
        if (auto offset = take_number(offset_text);
            offset && offset_text.empty() && *offset <= SIGRTMAX - SIGRTMIN)
            return number + (sign == '+' ? 1 : -1) * static_cast<int>(*offset);
    }
    return fail(Errc::invalid, "unknown signal \"{}\"{}", text, did_you_mean(name, known));
}

std::string signal_name(int signal)
{
    if (const char* abbreviation = signal > 0 && signal < SIGRTMIN ? ::sigabbrev_np(signal) : nullptr)
        return abbreviation;
    if (signal == SIGRTMIN)
        return "RTMIN";
    if (signal > SIGRTMIN && signal <= SIGRTMAX)
        return fmt::format("RTMIN+{}", signal - SIGRTMIN);
    return fmt::format("signal {}", signal);
}

} // namespace jarvis
