#include "daemon/metrics.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

using namespace jarvis;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(text_of_counters_gauges_and_seconds)
{
    daemon::Metrics metrics;
    BOOST_TEST(metrics.text() == "# EOF\n");
    auto& pending = metrics.gauge("jarvis_jobs", "Jobs by state.", {{"state", "pending"}});
    auto& events = metrics.counter("jarvis_events", "Events.");
    auto& running = metrics.gauge("jarvis_jobs", "Jobs by state.", {{"state", "running"}});
    auto& time = metrics.seconds("jarvis_append_seconds", "Time in appends.");
    pending.set(3);
    running.add(2);
    running.add(-2);
    events.add();
    events.add(41);
    time.add(1500ms);
    time.add(7us);
    BOOST_TEST(metrics.text() == "# TYPE jarvis_jobs gauge\n"
                                 "# HELP jarvis_jobs Jobs by state.\n"
                                 "jarvis_jobs{state=\"pending\"} 3\n"
                                 "jarvis_jobs{state=\"running\"} 0\n"
                                 "# TYPE jarvis_events counter\n"
                                 "# HELP jarvis_events Events.\n"
                                 "jarvis_events_total 42\n"
                                 "# TYPE jarvis_append_seconds counter\n"
                                 "# UNIT jarvis_append_seconds seconds\n"
                                 "# HELP jarvis_append_seconds Time in appends.\n"
                                 "jarvis_append_seconds_total 1.500007\n"
                                 "# EOF\n");
}

BOOST_AUTO_TEST_CASE(labels_and_help_are_escaped)
{
    daemon::Metrics metrics;
    metrics.gauge("g", "a \"b\" \\ c\nd", {{"x", "1\"2\\3\n4"}, {"y", ""}});
    BOOST_TEST(metrics.text() == "# TYPE g gauge\n"
                                 "# HELP g a \\\"b\\\" \\\\ c\\nd\n"
                                 "g{x=\"1\\\"2\\\\3\\n4\",y=\"\"} 0\n"
                                 "# EOF\n");
}

BOOST_AUTO_TEST_CASE(many_threads_count_and_one_reads)
{
    daemon::Metrics metrics;
    auto& counter = metrics.counter("c", "Counts.");
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int n = 0; n < 10'000; ++n)
                    counter.add();
            });
        for (int i = 0; i < 100; ++i)
            BOOST_TEST(metrics.text().ends_with("# EOF\n"));
    }
    BOOST_TEST(counter.value() == 40'000);
}

BOOST_AUTO_TEST_SUITE_END()
