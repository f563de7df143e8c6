#include "base/units.hpp"

#include <csignal>
#include <random>

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace std::chrono_literals;

namespace {

std::int64_t bytes(std::string_view text)
{
    auto size = parse_memory_size(text);
    BOOST_REQUIRE_MESSAGE(size, text << ": " << (size ? "" : size.error().message));
    return size->bytes;
}

std::int64_t microseconds(std::string_view text)
{
    auto duration = parse_duration(text);
    BOOST_REQUIRE_MESSAGE(duration, text << ": " << (duration ? "" : duration.error().message));
    return duration->count();
}

constexpr std::int64_t us(Duration duration) { return duration.count(); }

constexpr std::int64_t kib = 1024, mib = kib * 1024, gib = mib * 1024, tib = gib * 1024;

} // namespace

BOOST_AUTO_TEST_SUITE(sizes)

BOOST_AUTO_TEST_CASE(units)
{
    BOOST_TEST(bytes("0") == 0);
    BOOST_TEST(bytes("512") == 512 * mib);
    BOOST_TEST(bytes("17B") == 17);
    BOOST_TEST(bytes("1K") == kib);
    BOOST_TEST(bytes("4g") == 4 * gib);
    BOOST_TEST(bytes("4GB") == 4 * gib);
    BOOST_TEST(bytes("4GiB") == 4 * gib);
    BOOST_TEST(bytes("2T") == 2 * tib);
    BOOST_TEST(bytes("1.5G") == gib + 512 * mib);
    BOOST_TEST(bytes("0.5") == 512 * kib);
    BOOST_TEST(bytes("1.1G") == 1181116006); // cut to a whole byte
    BOOST_TEST(bytes("000000000000000000000000000001K") == kib);
    BOOST_TEST(bytes("1.0000000000000000000000000001K") == kib);
}

BOOST_AUTO_TEST_CASE(nonsense)
{
    for (auto text : {"", " ", "G", "-1", "-1G", "+1G", "1 G", "1X", "1GG", "1.G", ".5G", "1.5B", "1e3", "0x10", "1,5G", "G1",
                      "1KiBi", "1.5.5G", "unlimited", "1G\n"})
        BOOST_TEST(!parse_memory_size(text).has_value(), text);
    BOOST_TEST(!parse_memory_size(std::string_view("1\0G", 3)).has_value());
    BOOST_TEST(parse_memory_size("5X").error().message.find("\"5X\" is not a size; expected") == 0u);
}

BOOST_AUTO_TEST_CASE(bounds)
{
    BOOST_TEST(bytes("1024P") == max_memory_size.bytes);
    BOOST_TEST(bytes("1E") == max_memory_size.bytes);
    BOOST_TEST(bytes("1152921504606846976B") == max_memory_size.bytes);
    for (auto text : {"1025P", "1152921504606846977B", "9223372036854775808", "99999999999999999999999999T", "1.1E"})
        BOOST_TEST(parse_memory_size(text).error().message.find("too large") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(short_form)
{
    BOOST_TEST(format_memory_size({0}) == "0");
    BOOST_TEST(format_memory_size({17}) == "17B");
    BOOST_TEST(format_memory_size({1023}) == "1023B");
    BOOST_TEST(format_memory_size({1024}) == "1K");
    BOOST_TEST(format_memory_size(mebibytes(512)) == "512M");
    BOOST_TEST(format_memory_size(mebibytes(3584)) == "3.5G");
    BOOST_TEST(format_memory_size({mib - 1}) == "1M");
    BOOST_TEST(format_memory_size({gib - 1}) == "1G");
    BOOST_TEST(format_memory_size(mebibytes(1000)) == "1000M");
    BOOST_TEST(format_memory_size({9 * gib + 990 * mib}) == "10G");
    BOOST_TEST(format_memory_size({-gib}) == "-1G");
    BOOST_TEST(format_memory_size({INT64_MAX}) == "8E");
    BOOST_TEST(format_memory_size({INT64_MIN}) == "-8E");
}

BOOST_AUTO_TEST_CASE(exact_form_is_read_back)
{
    BOOST_TEST(format_memory_size_exact({0}) == "0");
    BOOST_TEST(format_memory_size_exact(mebibytes(3584)) == "3584M");
    BOOST_TEST(format_memory_size_exact({1025 * kib}) == "1025K");
    BOOST_TEST(format_memory_size_exact({17}) == "17B");
    std::mt19937_64 random(3);
    for (int i = 0; i < 10000; ++i) {
        auto size = static_cast<std::int64_t>((random() & (max_memory_size.bytes - 1)) >> (random() % 60)) << (random() % 3 * 10);
        size &= max_memory_size.bytes - 1;
        BOOST_REQUIRE_EQUAL(bytes(format_memory_size_exact({size})), size);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(durations)

BOOST_AUTO_TEST_CASE(forms)
{
    BOOST_TEST(microseconds("30") == us(30min));
    BOOST_TEST(microseconds("0") == 0);
    BOOST_TEST(microseconds("90:00") == us(90min));
    BOOST_TEST(microseconds("5:07") == us(5min + 7s));
    BOOST_TEST(microseconds("72:00:00") == us(72h));
    BOOST_TEST(microseconds("01:02:03") == us(1h + 2min + 3s));
    BOOST_TEST(microseconds("2-12") == us(60h));
    BOOST_TEST(microseconds("1-02:03") == us(26h + 3min));
    BOOST_TEST(microseconds("1-02:03:04") == us(26h + 3min + 4s));
    BOOST_TEST(microseconds("30s") == us(30s));
    BOOST_TEST(microseconds("30m") == us(30min));
    BOOST_TEST(microseconds("2h") == us(2h));
    BOOST_TEST(microseconds("1d") == us(24h));
    BOOST_TEST(microseconds("500ms") == us(500ms));
    BOOST_TEST(microseconds("7us") == 7);
    BOOST_TEST(microseconds("1h30m") == us(90min));
    BOOST_TEST(microseconds("1d2h3m4s5ms6us") == us(26h + 3min + 4s + 5ms + 6us));
    BOOST_TEST(microseconds("90m") == us(90min));
}

BOOST_AUTO_TEST_CASE(nonsense)
{
    for (auto text : {"", " ", "-5", "-1h", "h", "1x", "1H", "1 h", "30m1h", "1h1h", "1h30", "1:60", "1:2:60", "1:60:00", "1-24",
                      "1-02:60", "1-", "-1:00", "1--2", ":", "1:", ":1", "1:2:3:4", "1-2-3", "1.5h", "1h-2", "unlimited", "30m\n",
                      "1-1:1:1:1"})
        BOOST_TEST(!parse_duration(text).has_value(), text);
    BOOST_TEST(parse_duration("1:75").error().message == "\"1:75\" is not a duration: the seconds go to 59");
    BOOST_TEST(parse_duration("3y").error().message ==
               "\"3y\" is not a duration: unknown unit \"y\"; it is one of d, h, m, s, ms, us");
}

BOOST_AUTO_TEST_CASE(bounds)
{
    BOOST_TEST(microseconds("36500d") == max_duration.count());
    BOOST_TEST(microseconds("3153600000000000us") == max_duration.count());
    for (auto text : {"36501d", "36500d1us", "36500-00:00:01", "36501-00", "99999999999999999999999", "876001:00:00",
                      "9999999999999999999999999us"})
        BOOST_TEST(parse_duration(text).error().message.find("longer than 36500 days") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(limits)
{
    BOOST_TEST(!parse_time_limit("unlimited").value().has_value());
    BOOST_TEST(!parse_time_limit("INFINITE").value().has_value());
    BOOST_TEST(parse_time_limit("2h").value()->count() == us(2h));
    BOOST_TEST(!parse_time_limit("endless").has_value());
    BOOST_TEST(!parse_time_limit("").has_value());
    BOOST_TEST(format_time_limit(std::nullopt) == "unlimited");
    BOOST_TEST(format_time_limit(Duration(90min)) == "01:30:00");
}

BOOST_AUTO_TEST_CASE(printing)
{
    BOOST_TEST(format_duration(Duration{}) == "00:00:00");
    BOOST_TEST(format_duration(59s + 999ms) == "00:00:59");
    BOOST_TEST(format_duration(26h + 3min + 4s) == "1-02:03:04");
    BOOST_TEST(format_duration(24h) == "1-00:00:00");
    BOOST_TEST(format_duration(max_duration) == "36500-00:00:00");
    BOOST_TEST(format_duration(-5s) == "-00:00:05");
    BOOST_TEST(format_duration(-500ms) == "00:00:00");
    BOOST_TEST(format_duration_exact(Duration{}) == "0s");
    BOOST_TEST(format_duration_exact(90min) == "1h30m");
    BOOST_TEST(format_duration_exact(500ms) == "500ms");
    BOOST_TEST(format_duration_exact(-2h) == "-2h");
}

BOOST_AUTO_TEST_CASE(exact_form_is_read_back)
{
    std::mt19937_64 random(5);
    for (int i = 0; i < 10000; ++i) {
        auto value = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(max_duration.count())) >> (random() % 50);
        BOOST_REQUIRE_EQUAL(microseconds(format_duration_exact(Duration{value})), value);
        auto seconds = Duration{value} - Duration{value} % 1s;
        BOOST_REQUIRE_EQUAL(microseconds(format_duration(seconds)), seconds.count());
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(signals)

BOOST_AUTO_TEST_CASE(names_and_numbers)
{
    for (auto text : {"TERM", "SIGTERM", "sigterm", "term", "15"})
        BOOST_TEST(parse_signal(text).value() == SIGTERM);
    BOOST_TEST(parse_signal("KILL").value() == SIGKILL);
    BOOST_TEST(parse_signal("USR1").value() == SIGUSR1);
    BOOST_TEST(parse_signal("RTMIN").value() == SIGRTMIN);
    BOOST_TEST(parse_signal("SIGRTMIN+3").value() == SIGRTMIN + 3);
    BOOST_TEST(parse_signal("RTMAX-1").value() == SIGRTMAX - 1);
    BOOST_TEST(parse_signal("64").value() == 64);
}

BOOST_AUTO_TEST_CASE(nonsense)
{
    for (auto text : {"", "0", "-9", "65", "32", "33", "99999999999999999999", "SIG", "TERMINATE", "RTMIN+31", "RTMIN-1", "RTMAX+1",
                      "RTMIN+", "9x", "TERM "})
        BOOST_TEST(!parse_signal(text).has_value(), text);
    BOOST_TEST(parse_signal("TREM").error().message == "unknown signal \"TREM\"; did you mean \"TERM\"?");
}

BOOST_AUTO_TEST_CASE(every_name_is_read_back)
{
    for (int signal = 1; signal <= SIGRTMAX; ++signal)
        if (parse_signal(std::to_string(signal)))
            BOOST_TEST(parse_signal(signal_name(signal)).value() == signal);
    BOOST_TEST(signal_name(SIGTERM) == "TERM");
    BOOST_TEST(signal_name(SIGRTMIN + 2) == "RTMIN+2");
    BOOST_TEST(signal_name(99) == "signal 99");
    BOOST_TEST(signal_name(0) == "signal 0");
    BOOST_TEST(signal_name(-1) == "signal -1");
}

BOOST_AUTO_TEST_SUITE_END()
