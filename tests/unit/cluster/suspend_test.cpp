// Jobs that stand still and go on.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using namespace std::chrono_literals;

namespace {

// Job 1 runs on the one node, job 2 waits for its cores.
Cluster one_runs()
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().tasks(4));
    c.submit(job().tasks(4));
    return c;
}

cluster::NodeReport running(bool suspended)
{
    cluster::NodeReport report{.running = {ref(1)}, .ended = {}};
    if (suspended)
        report.suspended = {ref(1)};
    return report;
}

} // namespace

BOOST_AUTO_TEST_SUITE(suspend_and_resume)

BOOST_AUTO_TEST_CASE(a_suspended_job_keeps_its_cores_and_goes_on_when_it_is_resumed)
{
    auto c = one_runs();
    BOOST_TEST(c.suspend(alice, {1}) == "1 ok");
    BOOST_TEST(c.events() == "suspended 1 by alice");
    BOOST_TEST(c.effects() == "freeze 1.1 on n1");
    BOOST_TEST((c.at(1).state == JobState::suspended));
    BOOST_TEST((c.at(2).state == JobState::pending));
    c.pass(10min);
    BOOST_TEST(c.go_on(alice, {1}) == "1 ok");
    BOOST_TEST(c.events() == "resumed 1");
    BOOST_TEST(c.effects() == "thaw 1.1 on n1");
    BOOST_TEST((c.at(1).state == JobState::running));
    BOOST_TEST((c.at(1).run->suspended == 10min));
    BOOST_TEST(!c.at(1).run->suspension);
}

BOOST_AUTO_TEST_CASE(said_twice_it_is_one_fact_and_two_orders)
{
    auto c = one_runs();
    c.suspend(alice, {1});
    c.pass(1min);
    BOOST_TEST(c.suspend(alice, {1}) == "1 ok");
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "freeze 1.1 on n1");
    c.go_on(alice, {1});
    BOOST_TEST((c.at(1).run->suspended == 1min));
    BOOST_TEST(c.go_on(alice, {1}) == "1 ok");
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(only_running_jobs_and_only_ones_own)
{
    auto c = one_runs();
    BOOST_TEST(c.suspend(alice, {2}) == "2 invalid: job 2 is PENDING: only a running job can be suspended; jhold keeps it from starting");
    BOOST_TEST(c.go_on(alice, {2}) == "2 invalid: job 2 is PENDING: only a suspended job can be resumed");
    BOOST_TEST(c.suspend(bob, {1}).starts_with("1 denied"));
    c.cancel(alice, {1});
    BOOST_TEST(c.suspend(alice, {1}) == "1 invalid: job 1 is COMPLETING: only a running job can be suspended");
}

BOOST_AUTO_TEST_CASE(what_an_operator_suspends_only_an_operator_resumes)
{
    auto c = one_runs();
    c.suspend(alice, {1});
    c.pass(1min);
    BOOST_TEST(c.suspend(otto, {1}) == "1 ok");
    BOOST_TEST(c.events() == "suspended 1 by otto as operator");
    BOOST_TEST(c.go_on(alice, {1}) == "1 denied: job 1 was suspended by otto: only an operator can resume it");
    BOOST_TEST(c.suspend(alice, {1}) == "1 ok"); // does not make it hers
    BOOST_TEST(c.go_on(alice, {1}).starts_with("1 denied"));
    BOOST_TEST(c.go_on(root, {1}) == "1 ok");
    BOOST_TEST((c.at(1).run->suspended == 1min)); // from the first of the two on
}

BOOST_AUTO_TEST_CASE(an_order_that_was_lost_is_made_good_by_a_report)
{
    auto c = one_runs();
    c.suspend(alice, {1});
    c.report("n1", running(false));
    BOOST_TEST(c.effects() == "freeze 1.1 on n1");
    c.report("n1", running(true));
    BOOST_TEST(c.effects() == "");
    c.go_on(alice, {1});
    c.report("n1", running(true));
    BOOST_TEST(c.effects() == "thaw 1.1 on n1");
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_suspension)
{
    auto c = one_runs();
    c.suspend(otto, {1});
    c.pass(1min);
    BOOST_TEST(c.cancel(alice, {1}) == "1 ok");
    BOOST_TEST((c.at(1).state == JobState::completing));
    BOOST_TEST(!c.at(1).run->suspension);
    BOOST_TEST((c.at(1).run->suspended == 1min));
    c.report("n1", running(true)); // it has not heard of it yet
    BOOST_TEST(c.effects().starts_with("stop 1.1 on n1"));
}

BOOST_AUTO_TEST_CASE(an_end_that_came_before_the_order_counts)
{
    auto c = one_runs();
    c.suspend(alice, {1});
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST((c.at(1).state == JobState::completed));
    BOOST_TEST(!c.at(1).run->suspension);
    BOOST_TEST(c.running() == "2");
}

BOOST_AUTO_TEST_CASE(all_nodes_of_a_job_are_told_once_its_script_may_run)
{
    Cluster c(nodes(3), cores(2));
    c.submit(job().nodes(2).requeue());
    BOOST_TEST(c.suspend(alice, {1}) == "1 invalid: job 1 is still being prepared on its nodes: try again in a moment");
    c.report_prepared("n2", ref(1));
    BOOST_TEST(c.suspend(alice, {1}) == "1 ok");
    BOOST_TEST(c.effects() == "freeze 1.1 on n1; freeze 1.1 on n2");
    c.down(otto, {"n2"}, "burnt");
    BOOST_TEST(!c.at(1).run->suspension);
    BOOST_TEST((c.at(1).state == JobState::completing));
}

BOOST_AUTO_TEST_CASE(it_stands_still_over_a_restart_of_the_controller)
{
    auto c = one_runs();
    c.suspend(alice, {1});
    c.restart();
    c.join("n1", running(true));
    BOOST_TEST((c.at(1).state == JobState::suspended));
    BOOST_TEST(c.effects().find("freeze") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
