// What people ask of jobs: cancel, signal, hold, release, and who may.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>

using namespace jarvis;
using namespace jarvis::cluster::test;

namespace {

// Job 1 of alice runs on n1, job 2 of hers waits behind it.
Cluster one_runs_one_waits()
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().tasks(4));
    c.submit(job().tasks(4));
    BOOST_REQUIRE(c.running() == "1");
    return c;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cancel)

BOOST_AUTO_TEST_CASE(a_pending_job_ends_at_once)
{
    auto c = one_runs_one_waits();
    c.pass(5s);
    BOOST_TEST(c.cancel(alice, {2}) == "2 ok");
    BOOST_TEST(c.events() == "ended 2.1 CANCELLED user: cancelled by alice");
    BOOST_TEST(c.effects() == "");
    BOOST_TEST((c.at(2).ended->at == Instant(5s)));
    BOOST_TEST(!c.at(2).run);
    BOOST_TEST(c.state().index.active_jobs == 1u);
}

BOOST_AUTO_TEST_CASE(a_running_job_is_told_to_end_and_holds_its_cores_until_then)
{
    auto c = one_runs_one_waits();
    BOOST_TEST(c.cancel(otto, {1}) == "1 ok");
    BOOST_TEST(c.events() == "stopping 1: cancelled by otto");
    BOOST_TEST(c.effects() == "stop 1.1 on n1: cancelled by otto");
    BOOST_TEST((c.at(1).state == JobState::completing));
    BOOST_TEST(c.running() == "1");

    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user, "cancelled by otto"));
    BOOST_TEST(c.events() == "ended 1.1 CANCELLED user: cancelled by otto; started 2.1 on n1 cores 0-3");
    BOOST_TEST(c.effects() == "ack 1.1 on n1; start 2.1 on n1");
}

BOOST_AUTO_TEST_CASE(twice_is_fine)
{
    auto c = one_runs_one_waits();
    c.cancel(alice, {1});
    BOOST_TEST(c.cancel(otto, {1}) == "1 ok");
    BOOST_TEST(c.events() == ""); // the first one counts
    BOOST_TEST(c.effects() == "stop 1.1 on n1: cancelled by otto");
    BOOST_TEST(c.at(1).stop->cause == "cancelled by alice");

    c.cancel(alice, {2});
    BOOST_TEST(c.cancel(alice, {2}) == "2 ok");
    BOOST_TEST(c.events() + c.effects() == "");

    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.cancel(alice, {1, 1}) == "1 ok; 1 ok");
    BOOST_TEST(c.events() + c.effects() == "");
}

BOOST_AUTO_TEST_CASE(a_job_named_twice_is_cancelled_once)
{
    auto c = one_runs_one_waits();
    BOOST_TEST(c.cancel(alice, {2, 1, 2, 1}) == "2 ok; 1 ok; 2 ok; 1 ok");
    BOOST_TEST(c.events() == "ended 2.1 CANCELLED user: cancelled by alice; stopping 1: cancelled by alice");
    BOOST_TEST(c.effects() == "stop 1.1 on n1: cancelled by alice");
}

BOOST_AUTO_TEST_CASE(of_a_list_what_exists_and_is_ones_own_is_done)
{
    auto c = one_runs_one_waits();
    c.submit(job().by(bob));
    BOOST_TEST(c.cancel(bob, {1, 77, 3}) == "1 denied: job 1 belongs to alice; 77 not found: no job 77 (ended jobs are in jacct); 3 ok");
    BOOST_TEST(c.events() == "ended 3.1 CANCELLED user: cancelled by bob");
    BOOST_TEST(c.cancel(root, {1}) == "1 ok");
}

BOOST_AUTO_TEST_CASE(the_head_goes_and_the_next_one_starts)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().tasks(3));
    c.submit(job().tasks(2)); // does not fit
    c.submit(job().tasks(1));
    BOOST_TEST(c.running() == "1");
    c.cancel(alice, {2});
    BOOST_TEST(c.running() == "1 3");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(signals)

BOOST_AUTO_TEST_CASE(reach_the_node_of_a_running_job)
{
    auto c = one_runs_one_waits();
    BOOST_TEST(c.signal(alice, {1}, SIGUSR1) == "1 ok");
    BOOST_TEST(c.effects() == "signal 10 to 1.1 on n1");
    c.signal(alice, {1}, SIGUSR1, true);
    BOOST_TEST(c.effects() == "signal 10 (batch) to 1.1 on n1");
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(are_for_running_jobs_of_ones_own)
{
    auto c = one_runs_one_waits();
    BOOST_TEST(c.signal(alice, {2}, SIGUSR1) == "2 invalid: job 2 is PENDING: only a running job can be sent a signal");
    BOOST_TEST(c.signal(bob, {1}, SIGUSR1) == "1 denied: job 1 belongs to alice");
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.signal(alice, {1}, SIGUSR1) == "1 invalid: job 1 is COMPLETED: only a running job can be sent a signal");
    BOOST_TEST(c.effects() == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(hold_and_release)

BOOST_AUTO_TEST_CASE(a_held_job_waits_and_lets_others_pass)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().tasks(4));
    c.submit(job().tasks(4));
    c.submit(job().tasks(4));
    BOOST_TEST(c.hold(alice, {2}) == "2 ok");
    BOOST_TEST(c.events() == "held 2 by alice");
    BOOST_TEST(c.reason(2) == "Held: held by alice");
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "3");
    c.report_end("n1", ended(ref(3)));
    BOOST_TEST(c.running() == "");
    BOOST_TEST(c.release(alice, {2}) == "2 ok");
    BOOST_TEST(c.events() == "released 2; started 2.1 on n1 cores 0-3");
}

BOOST_AUTO_TEST_CASE(a_submit_can_be_held_from_the_start)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().hold());
    BOOST_TEST(c.running() == "");
    BOOST_TEST(c.reason(1) == "Held: held by alice");
    c.release(alice, {1});
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_CASE(what_an_operator_holds_only_an_operator_releases)
{
    auto c = one_runs_one_waits();
    BOOST_TEST(c.hold(otto, {2}) == "2 ok");
    BOOST_TEST(c.events() == "held 2 by otto as operator");
    BOOST_TEST(c.release(alice, {2}) == "2 denied: job 2 was held by otto: only an operator can release it");
    BOOST_TEST(c.hold(alice, {2}) == "2 ok"); // does not make it hers
    BOOST_TEST(c.release(alice, {2}).starts_with("2 denied"));
    BOOST_TEST(c.release(root, {2}) == "2 ok");
    BOOST_TEST(!c.at(2).hold);
}

BOOST_AUTO_TEST_CASE(an_operator_takes_a_users_hold_over)
{
    auto c = one_runs_one_waits();
    c.hold(alice, {2});
    c.hold(otto, {2});
    BOOST_TEST(c.events() == "held 2 by otto as operator");
    BOOST_TEST(c.release(alice, {2}).starts_with("2 denied"));
    c.hold(root, {2});
    BOOST_TEST(c.events() == ""); // one operator's hold is enough
}

BOOST_AUTO_TEST_CASE(an_operators_own_job_is_held_by_them_as_its_owner)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().by(otto).hold());
    c.hold(otto, {1});
    BOOST_TEST(c.events() == "");
    BOOST_TEST(!c.at(1).hold->by_operator);
}

BOOST_AUTO_TEST_CASE(only_pending_jobs_are_held)
{
    auto c = one_runs_one_waits();
    BOOST_TEST(c.hold(alice, {1}) == "1 invalid: job 1 is RUNNING: only a pending job can be held");
    BOOST_TEST(c.hold(bob, {2}) == "2 denied: job 2 belongs to alice");
    BOOST_TEST(c.release(bob, {2}) == "2 denied: job 2 belongs to alice");
}

BOOST_AUTO_TEST_CASE(both_are_idempotent)
{
    auto c = one_runs_one_waits();
    c.hold(alice, {2});
    BOOST_TEST(c.hold(alice, {2}) == "2 ok");
    BOOST_TEST(c.events() == "");
    c.release(alice, {2});
    BOOST_TEST(c.release(alice, {2}) == "2 ok");
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.release(alice, {1}) == "1 ok"); // is running: it went through
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(a_held_job_that_was_cancelled_is_not_released)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().hold());
    c.cancel(alice, {1});
    BOOST_TEST(c.release(alice, {1}) == "1 ok");
    BOOST_TEST(c.events() == "");
    BOOST_TEST((c.at(1).state == JobState::cancelled));
}

BOOST_AUTO_TEST_SUITE_END()
