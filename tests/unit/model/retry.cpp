#include "model/retry.hpp"

#include <set>

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(retry_rules)

namespace {

RetryRule parsed(std::string_view text)
{
    auto rule = parse_retry(text);
    BOOST_REQUIRE_MESSAGE(rule, text << ": " << (rule ? "" : rule.error().message));
    auto again = parse_retry(format_retry(*rule));
    BOOST_REQUIRE_MESSAGE((again && *again == *rule), text << " reads back differently: " << format_retry(*rule));
    return *rule;
}

std::string again(std::string_view text) { return format_retry(parsed(text)); }

std::string refused(std::string_view text)
{
    auto rule = parse_retry(text);
    BOOST_REQUIRE_MESSAGE(!rule, text << " was taken");
    return rule.error().message;
}

JobEnd end(JobState state, EndClass end_class = EndClass::user) { return {state, end_class, {}, 0, {}}; }
JobEnd exited(std::int32_t code) { return {JobState::failed, EndClass::user, code, 0, {}}; }
JobEnd killed(std::int32_t signal) { return {JobState::failed, EndClass::user, {}, signal, {}}; }

const JobEnd node_fail = end(JobState::node_fail, EndClass::node);
const JobEnd timeout = end(JobState::timeout, EndClass::resources);
const JobEnd out_of_memory = end(JobState::out_of_memory, EndClass::resources);
const JobEnd broken = end(JobState::failed, EndClass::system);

} // namespace

BOOST_AUTO_TEST_CASE(text)
{
    BOOST_TEST(again("3") == "3,backoff=30s..10m");
    BOOST_TEST(again("3,backoff=30s..10m,on=node_fail|timeout|signal|exit:3-5|exit:7") ==
               "3,backoff=30s..10m,on=node_fail|timeout|signal|exit:3-5|exit:7");
    BOOST_TEST(again("2,on=exit:9|system|out_of_memory,backoff=1m") == "2,backoff=1m,on=out_of_memory|system|exit:9");
    BOOST_TEST(again("1,backoff=0s") == "1,backoff=0s");
    BOOST_TEST(again("0") == "0,backoff=30s..10m");
    const auto rule = parsed("3,backoff=5s..1h,on=timeout");
    BOOST_TEST(rule.times == 3u);
    BOOST_TEST((rule.backoff_first == 5s));
    BOOST_TEST((rule.backoff_most == 1h));
    BOOST_TEST(rule.on_timeout);
    BOOST_TEST(!rule.on_node_fail);
}

BOOST_AUTO_TEST_CASE(what_is_refused)
{
    const std::string expected_times =
        "expected first how often, from 0 to 1000, as in \"3,backoff=30s..10m,on=node_fail|exit:3-5\"";
    BOOST_TEST(refused("") == "retry \"\": " + expected_times);
    BOOST_TEST(refused("-1") == "retry \"-1\": " + expected_times);
    BOOST_TEST(refused("1001") == "retry \"1001\": " + expected_times);
    BOOST_TEST(refused("on=timeout") == "retry \"on=timeout\": " + expected_times);
    BOOST_TEST(refused("3,") == "retry \"3,\": unknown word \"\"; behind the number stand backoff= and on=");
    BOOST_TEST(refused("3,backof=1s") == "retry \"3,backof=1s\": unknown word \"backof\"; behind the number stand backoff= and "
                                         "on=; did you mean \"backoff\"?");
    BOOST_TEST(refused("3,on") == "retry \"3,on\": \"on\" needs a value, as in on=node_fail|exit:3");
    BOOST_TEST(refused("3,on=timeout,on=signal") == "retry \"3,on=timeout,on=signal\": \"on\" stands twice");
    BOOST_TEST(refused("3,on=time_out") ==
               "retry \"3,on=time_out\": unknown cause \"time_out\"; it is one of node_fail, timeout, signal, out_of_memory, "
               "system, exit:N; did you mean \"timeout\"?");
    BOOST_TEST(refused("3,on=") == "retry \"3,on=\": unknown cause \"\"; it is one of node_fail, timeout, signal, out_of_memory, "
                                   "system, exit:N");
    for (auto wrong : {"0", "256", "5-3", "", "x", "3-", "-3"})
        BOOST_TEST(refused(fmt::format("3,on=exit:{}", wrong)) ==
                   fmt::format("retry \"3,on=exit:{0}\": \"exit:{0}\": expected an exit code from 1 to 255, or a range such as "
                               "exit:3-5", wrong));
    BOOST_TEST(refused("3,backoff=10m..30s") ==
               "retry \"3,backoff=10m..30s\": the longest backoff, 30s, is shorter than the first, 10m");
    BOOST_TEST(refused("3,backoff=x").starts_with("retry \"3,backoff=x\": backoff: \"x\" is not a duration"));
    BOOST_TEST(refused("3,backoff=1s..x").starts_with("retry \"3,backoff=1s..x\": backoff: \"x\" is not a duration"));
    BOOST_TEST(refused("3,backoff") == "retry \"3,backoff\": \"backoff\" needs a value, as in backoff=30s..10m");
    std::string many = "3,on=exit:1";
    for (std::size_t i = 0; i < max_exit_ranges; ++i)
        many += "|exit:2";
    BOOST_TEST(refused(many).ends_with("more than 64 exit codes and ranges"));
}

BOOST_AUTO_TEST_CASE(any_failure_but_a_cancel)
{
    const auto rule = parsed("2");
    for (const auto& failure : {exited(1), killed(11), node_fail, timeout, out_of_memory, broken})
        BOOST_TEST(retries(rule, failure, 1));
    for (auto state : {JobState::completed, JobState::cancelled, JobState::preempted})
        BOOST_TEST(!retries(rule, end(state), 1));
    BOOST_TEST(retries(rule, exited(1), 2));
    BOOST_TEST(!retries(rule, exited(1), 3));
    BOOST_TEST(!retries(parsed("0"), exited(1), 1));
}

BOOST_AUTO_TEST_CASE(chosen_causes)
{
    const auto check = [](std::string_view causes, const JobEnd& yes, std::initializer_list<JobEnd> no) {
        const auto rule = parsed(fmt::format("1,on={}", causes));
        BOOST_TEST(retries(rule, yes, 1), causes);
        for (const auto& other : no)
            BOOST_TEST(!retries(rule, other, 1), causes << ": " << name(other.state));
    };
    check("node_fail", node_fail, {exited(1), killed(9), timeout, out_of_memory, broken});
    check("timeout", timeout, {exited(1), killed(9), node_fail, out_of_memory, broken});
    check("out_of_memory", out_of_memory, {exited(1), killed(9), node_fail, timeout, broken});
    check("signal", killed(11), {exited(1), node_fail, timeout, out_of_memory, broken});
    check("system", broken, {exited(1), killed(9), node_fail, timeout, out_of_memory});
    check("exit:3-5|exit:7", exited(3), {exited(2), exited(6), exited(8), killed(3), broken});
    check("exit:3-5|exit:7", exited(7), {});
    check("exit:3-5|timeout", timeout, {});
    // What the shepherd's own failure left behind is no exit code of the script.
    check("exit:1|signal", exited(1), {{JobState::failed, EndClass::system, 1, 0, {}}, {JobState::failed, EndClass::system, {}, 9, {}}});
}

BOOST_AUTO_TEST_CASE(delays_double_within_a_quarter)
{
    const auto rule = parsed("9,backoff=30s..10m");
    Duration base = 30s;
    for (std::uint32_t attempt = 1; attempt <= 9; ++attempt, base = std::min<Duration>(base * 2, 10min))
        for (std::uint64_t job = 1; job <= 200; ++job) {
            const auto delay = retry_delay(rule, JobId{job}, attempt);
            BOOST_REQUIRE((delay >= base * 3 / 4));
            BOOST_REQUIRE((delay <= std::min<Duration>(base * 5 / 4, 10min)));
            BOOST_REQUIRE((delay == retry_delay(rule, JobId{job}, attempt)));
        }
    BOOST_TEST((retry_delay(rule, JobId{1}, UINT32_MAX) <= 10min));
}

BOOST_AUTO_TEST_CASE(jobs_that_failed_together_come_back_apart)
{
    const auto rule = parsed("3,backoff=40s..10m");
    std::set<Duration> delays;
    Duration sum{};
    for (std::uint64_t job = 1; job <= 1000; ++job) {
        delays.insert(retry_delay(rule, JobId{job}, 1));
        sum += retry_delay(rule, JobId{job}, 1);
    }
    for (std::uint32_t task = 0; task < 1000; ++task)
        delays.insert(retry_delay(rule, JobId{7, task}, 1));
    BOOST_TEST(delays.size() > 1980u);
    BOOST_TEST((sum / 1000 > 39s && sum / 1000 < 41s)); // spread evenly around 40 s
}

BOOST_AUTO_TEST_CASE(constant_and_extreme_delays)
{
    BOOST_TEST((retry_delay(parsed("3,backoff=0s"), JobId{1}, 3) == 0s));
    BOOST_TEST((retry_delay(parsed("3,backoff=0s..10m"), JobId{1}, 3) == 0s));
    const auto constant = retry_delay(parsed("3,backoff=40s"), JobId{1}, 3);
    BOOST_TEST((constant >= 30s && constant <= 40s));
    BOOST_TEST((retry_delay(parsed("3,backoff=36500d"), JobId{1}, 1000) <= std::chrono::days{36500}));
}

BOOST_AUTO_TEST_SUITE_END()
