// Times of day: the part of units.hpp that knows calendars and zones.
#include "base/units.hpp"

#include <cctype>
#include <ctime>

namespace jarvis {

namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr std::string_view forms =
    "expected now+1h, HH:MM, today, tomorrow, noon, midnight, or YYYY-MM-DDTHH:MM:SS with or without a zone";

std::tm local_fields(std::time_t time)
{
    std::tm fields{};
    ::localtime_r(&time, &fields);
    return fields;
}

std::time_t to_time_t(WallTime time) { return std::chrono::floor<seconds>(time).time_since_epoch().count(); }

// Reads fixed-width numbers and single characters; ok() is false from the first that was not there.
class Cursor {
    std::string_view rest_;
    bool ok_ = true;

public:
    explicit Cursor(std::string_view text) : rest_(text) {}
    bool ok() const { return ok_; }
    bool done() const { return rest_.empty(); }
    bool at_digit() const { return !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; }

    int number(std::size_t digits)
    {
        int value = 0;
        for (; digits > 0 && at_digit(); --digits, rest_.remove_prefix(1))
            value = value * 10 + (rest_[0] - '0');
        ok_ = ok_ && digits == 0;
        return value;
    }
    bool take_any(std::string_view characters)
    {
        if (rest_.empty() || characters.find(rest_[0]) == std::string_view::npos)
            return false;
        rest_.remove_prefix(1);
        return true;
    }
    void expect(char c)
    {
        if (!take_any(std::string_view(&c, 1)))
            ok_ = false;
    }
    void refuse() { ok_ = false; }
    char peek() const { return rest_.empty() ? '\0' : rest_[0]; }
};

struct TimeOfDay {
    int hour = 0, minute = 0, second = 0;
    microseconds fraction{};

    bool valid() const { return hour <= 23 && minute <= 59 && second <= 59; }
};

// HH:MM[:SS[.FRACTION]]
TimeOfDay read_time_of_day(Cursor& cursor)
{
    TimeOfDay time;
    time.hour = cursor.number(2);
    cursor.expect(':');
    time.minute = cursor.number(2);
    if (!cursor.take_any(":"))
        return time;
    time.second = cursor.number(2);
    if (!cursor.take_any("."))
        return time;
    time.fraction = microseconds{cursor.number(1) * 100'000};
    for (microseconds unit = 10ms; cursor.at_digit(); unit /= 10)
        time.fraction += cursor.number(1) * unit;
    return time;
}

// Z, +HH:MM, +HHMM or +HH; nothing when the text ends here.
std::optional<seconds> read_zone(Cursor& cursor)
{
    if (cursor.done())
        return std::nullopt;
    if (cursor.take_any("Zz"))
        return seconds{0};
    const int sign = cursor.peek() == '-' ? -1 : 1;
    if (!cursor.take_any("+-")) {
        cursor.refuse();
        return std::nullopt;
    }
    const int hours = cursor.number(2);
    cursor.take_any(":");
    const int minutes = cursor.done() ? 0 : cursor.number(2);
    if (hours > 23 || minutes > 59)
        cursor.refuse();
    return sign * (std::chrono::hours{hours} + std::chrono::minutes{minutes});
}

// These fields in the local zone. Days may be above the month's last one (tomorrow). Fails for a time that the zone
// skips when its clocks go forward; a day whose midnight is skipped begins with its first second all the same.
Result<WallTime> from_local(std::tm day, const TimeOfDay& time, std::string_view text)
{
    day.tm_hour = time.hour;
    day.tm_min = time.minute;
    day.tm_sec = time.second;
    day.tm_isdst = -1;
    std::tm made = day;
    std::time_t result = std::mktime(&made);
    const bool midnight = time.hour == 0 && time.minute == 0;
    if (!midnight && (made.tm_hour != time.hour || made.tm_min != time.minute))
        return fail(Errc::invalid, "\"{}\" does not exist in the local time zone (the clocks go forward then)", text);
    return WallTime(seconds{result}) + time.fraction;
}

Result<WallTime> parse_date(std::string_view text)
{
    Cursor cursor(text);
    const int year = cursor.number(4);
    cursor.expect('-');
    const int month = cursor.number(2);
    cursor.expect('-');
    const int day = cursor.number(2);
    TimeOfDay time;
    std::optional<seconds> zone;
    if (!cursor.done()) {
        if (!cursor.take_any("Tt "))
            cursor.expect('T');
        time = read_time_of_day(cursor);
        zone = read_zone(cursor);
    }
    if (!cursor.ok() || !cursor.done())
        return fail(Errc::invalid, "\"{}\" is not a time: {}", text, forms);
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok() || year < 1970 || !time.valid())
        return fail(Errc::invalid, "\"{}\" is not a time: the calendar has no such day or the day no such hour", text);
    if (zone)
        return WallTime(std::chrono::sys_days{date}) + std::chrono::hours{time.hour} + std::chrono::minutes{time.minute} +
               seconds{time.second} + time.fraction - *zone;
    std::tm fields{};
    fields.tm_year = year - 1900;
    fields.tm_mon = month - 1;
    fields.tm_mday = day;
    return from_local(fields, time, text);
}

} // namespace

Result<WallTime> parse_wall_time(std::string_view text, WallTime now)
{
    if (text == "now")
        return now;
    if (text.starts_with("now+")) {
        auto after = parse_duration(text.substr(4));
        if (!after)
            return fail(after.error(), "\"{}\"", text);
        return now + *after;
    }
    std::tm today = local_fields(to_time_t(now));
    std::tm tomorrow = today;
    ++tomorrow.tm_mday;
    if (text == "today")
        return from_local(today, {}, text);
    if (text == "tomorrow" || text == "midnight")
        return from_local(tomorrow, {}, text);
    TimeOfDay time{.hour = 12};
    if (text != "noon") {
        Cursor cursor(text);
        if (text.size() > 2 && text[2] != ':')
            return parse_date(text);
        time = read_time_of_day(cursor);
        if (!cursor.ok() || !cursor.done())
            return fail(Errc::invalid, "\"{}\" is not a time: {}", text, forms);
        if (!time.valid())
            return fail(Errc::invalid, "\"{}\" is not a time of day: hours go to 23, minutes and seconds to 59", text);
    }
    auto at = from_local(today, time, text);
    return at && *at >= now ? at : from_local(tomorrow, time, text);
}

std::string format_wall_time(WallTime time)
{
    std::tm fields = local_fields(to_time_t(time));
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday,
                       fields.tm_hour, fields.tm_min, fields.tm_sec);
}

std::string format_rfc3339(WallTime time)
{
    long offset = local_fields(to_time_t(time)).tm_gmtoff / 60;
    return fmt::format("{}{}{:02}:{:02}", format_wall_time(time), offset < 0 ? '-' : '+', std::abs(offset) / 60,
                       std::abs(offset) % 60);
}

} // namespace jarvis
