#include "base/units.hpp"

#include <cstdlib>
#include <ctime>
#include <string>

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace std::chrono_literals;
using namespace std::chrono;

namespace {

// Sets the local zone for one test. The rules are written out (POSIX TZ), so no zone files are needed.
struct LocalZone {
    explicit LocalZone(const char* zone)
    {
        ::setenv("TZ", zone, 1);
        ::tzset();
    }
    ~LocalZone()
    {
        ::unsetenv("TZ");
        ::tzset();
    }
};

constexpr auto berlin = "CET-1CEST,M3.5.0,M10.5.0/3";

const WallTime now = sys_days{2026y / November / 21} + 8h + 54min + 52s; // 09:54:52 in Berlin

std::string at(std::string_view text, WallTime from = now)
{
    auto time = parse_wall_time(text, from);
    BOOST_REQUIRE_MESSAGE(time, text << ": " << (time ? "" : time.error().message));
    return format_rfc3339(*time);
}

} // namespace

BOOST_AUTO_TEST_SUITE(wall_times)

BOOST_AUTO_TEST_CASE(counted_from_now)
{
    LocalZone zone(berlin);
    BOOST_TEST(at("now") == "2026-11-21T09:54:52+01:00");
    BOOST_TEST(at("now+1h") == "2026-11-21T10:54:52+01:00");
    BOOST_TEST(at("now+90") == "2026-11-21T11:24:52+01:00");
    BOOST_TEST(at("now+1-00:00:08") == "2026-11-22T09:55:00+01:00");
}

BOOST_AUTO_TEST_CASE(times_of_day_are_today_or_tomorrow)
{
    LocalZone zone(berlin);
    BOOST_TEST(at("18:30") == "2026-11-21T18:30:00+01:00");
    BOOST_TEST(at("09:54:53") == "2026-11-21T09:54:53+01:00");
    BOOST_TEST(at("09:54:52") == "2026-11-21T09:54:52+01:00");
    BOOST_TEST(at("09:54:51") == "2026-11-22T09:54:51+01:00");
    BOOST_TEST(at("noon") == "2026-11-21T12:00:00+01:00");
    BOOST_TEST(at("noon", now + 3h) == "2026-11-22T12:00:00+01:00");
    BOOST_TEST(at("midnight") == "2026-11-22T00:00:00+01:00");
    BOOST_TEST(at("today") == "2026-11-21T00:00:00+01:00");
    BOOST_TEST(at("tomorrow") == "2026-11-22T00:00:00+01:00");
}

BOOST_AUTO_TEST_CASE(the_last_day_of_a_year_has_a_tomorrow)
{
    LocalZone zone(berlin);
    BOOST_TEST(at("tomorrow", sys_days{2026y / December / 31} + 12h) == "2027-01-01T00:00:00+01:00");
    BOOST_TEST(at("tomorrow", sys_days{2028y / February / 28} + 12h) == "2028-02-29T00:00:00+01:00");
}

BOOST_AUTO_TEST_CASE(dates_with_and_without_zone)
{
    LocalZone zone(berlin);
    BOOST_TEST(at("2026-12-24") == "2026-12-24T00:00:00+01:00");
    BOOST_TEST(at("2026-07-01T12:00") == "2026-07-01T12:00:00+02:00");
    BOOST_TEST(at("2026-07-01 12:00:30") == "2026-07-01T12:00:30+02:00");
    BOOST_TEST(at("2026-12-24T18:00:00Z") == "2026-12-24T19:00:00+01:00");
    BOOST_TEST(at("2026-12-24T18:00:00-05:00") == "2026-12-25T00:00:00+01:00");
    BOOST_TEST(at("2026-12-24T18:00+0530") == "2026-12-24T13:30:00+01:00");
    BOOST_TEST(at("2026-12-24T18:00+02") == "2026-12-24T17:00:00+01:00");
    BOOST_TEST((parse_wall_time("2026-12-24T18:00:00.25Z", now).value() == sys_days{2026y / December / 24} + 18h + 250ms));
    BOOST_TEST((parse_wall_time("2026-12-24T18:00:00.123456789Z", now).value() ==
                sys_days{2026y / December / 24} + 18h + 123456us));
}

BOOST_AUTO_TEST_CASE(the_clocks_change)
{
    LocalZone zone(berlin);
    BOOST_TEST(at("2026-03-29T01:59:59") == "2026-03-29T01:59:59+01:00");
    BOOST_TEST(at("2026-03-29T03:00") == "2026-03-29T03:00:00+02:00");
    BOOST_TEST(!parse_wall_time("2026-03-29T02:30", now).has_value());
    BOOST_TEST(at("2026-10-25T03:00") == "2026-10-25T03:00:00+01:00");
    BOOST_TEST(at("12:00", sys_days{2026y / March / 28} + 20h) == "2026-03-29T12:00:00+02:00");
}

BOOST_AUTO_TEST_CASE(a_day_without_a_midnight_begins_all_the_same)
{
    LocalZone zone("XST3XDT,M11.1.0/0,M2.3.0/0"); // clocks go forward at midnight, as they did in Brazil
    BOOST_TEST(at("2026-11-01") == "2026-11-01T01:00:00-02:00");
}

BOOST_AUTO_TEST_CASE(nonsense)
{
    LocalZone zone(berlin);
    for (auto text : {"", "now+", "now-1h", "now+x", "now 1h", "24:00", "12:60", "12:00:60", "1:00", "12", "12:", "12:00:",
                      "2026-13-01", "2026-00-01", "2026-02-29", "2026-02-30T12:00", "2026-12-24T", "2026-12-24T25:00",
                      "2026-12-24X12:00", "2026-12-24T12:00+", "2026-12-24T12:00+25:00", "2026-12-24T12:00Zx", "1969-12-31",
                      "24-12-2026", "yesterday", "Noon ", "2026-12-24T12:00:00.", "20261224"})
        BOOST_TEST(!parse_wall_time(text, now).has_value(), text);
    BOOST_TEST(!parse_wall_time(std::string_view("12:00\0", 6), now).has_value());
    BOOST_TEST(!parse_wall_time(std::string_view("2026-12-24T12:00+25\0", 20), now).has_value());
}

BOOST_AUTO_TEST_CASE(printing)
{
    {
        LocalZone zone("UTC0");
        BOOST_TEST(format_rfc3339(now + 999ms) == "2026-11-21T08:54:52+00:00");
        BOOST_TEST(format_rfc3339(WallTime{-1us}) == "1969-12-31T23:59:59+00:00");
        BOOST_TEST(format_wall_time(now) == "2026-11-21T08:54:52");
    }
    LocalZone zone("NST3:30");
    BOOST_TEST(format_rfc3339(now) == "2026-11-21T05:24:52-03:30");
}

BOOST_AUTO_TEST_CASE(what_is_printed_is_read_back)
{
    LocalZone zone(berlin);
    for (WallTime time = sys_days{2026y / January / 1}; time < sys_days{2027y / January / 1}; time += 7h + 13min + 1s)
        BOOST_REQUIRE((parse_wall_time(format_rfc3339(time), now).value() == time));
}

BOOST_AUTO_TEST_SUITE_END()
