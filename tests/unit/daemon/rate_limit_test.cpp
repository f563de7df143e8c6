#include "daemon/rate_limit.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(rate_limit)

namespace {

const std::chrono::steady_clock::time_point begin{1h};

int taken_at_once(daemon::RateLimit& limit, std::chrono::steady_clock::time_point now, std::uint64_t rate)
{
    int taken = 0;
    for (int i = 0; i < 1000; ++i)
        taken += limit.take(now, rate);
    return taken;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_second_s_worth_at_once_and_then_evenly)
{
    daemon::RateLimit limit;
    BOOST_TEST(taken_at_once(limit, begin, 10) == 10);
    BOOST_TEST(!limit.take(begin + 99ms, 10));
    BOOST_TEST(limit.take(begin + 100ms, 10));
    BOOST_TEST(!limit.take(begin + 100ms, 10));
    BOOST_TEST(taken_at_once(limit, begin + 400ms, 10) == 3);
}

BOOST_AUTO_TEST_CASE(what_was_refused_costs_nothing)
{
    daemon::RateLimit limit;
    for (auto now = begin; now < begin + 1s; now += 1ms)
        (void)limit.take(now, 10);
    BOOST_TEST(limit.take(begin + 1s, 10));
}

BOOST_AUTO_TEST_CASE(a_long_pause_saves_up_no_more_than_a_second)
{
    daemon::RateLimit limit;
    BOOST_TEST(taken_at_once(limit, begin, 10) == 10);
    BOOST_TEST(taken_at_once(limit, begin + 1h, 10) == 10);
}

BOOST_AUTO_TEST_CASE(the_rate_may_change)
{
    daemon::RateLimit limit;
    BOOST_TEST(taken_at_once(limit, begin, 10) == 10);
    BOOST_TEST(taken_at_once(limit, begin, 0) == 1000);
    BOOST_TEST(taken_at_once(limit, begin, 100) == 0); // the bucket is empty, whatever its size
    BOOST_TEST(taken_at_once(limit, begin + 100ms, 100) == 10);
}

BOOST_AUTO_TEST_SUITE_END()
