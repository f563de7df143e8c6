// The two clocks: begin times by the wall's, everything else by elapsed time; and what the controller's start means.
#include "cluster.hpp"

#include "cluster/decide.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::next_wake;

BOOST_AUTO_TEST_SUITE(clocks)

BOOST_AUTO_TEST_CASE(a_job_waits_for_its_begin_time)
{
    Cluster c(nodes(1), cores(1));
    const auto begin = c.wall() + 1h;
    c.submit(job().begin(begin));
    c.submit(job().begin(c.wall())); // not ahead: now
    BOOST_TEST(c.running() == "2");
    BOOST_TEST(c.reason(1).starts_with("BeginTime: begins at "));
    BOOST_TEST((next_wake(c.state()) == Instant(1h)));
    c.pass(1h - 1us);
    BOOST_TEST(c.events() == "");
    c.report_end("n1", ended(ref(2)));
    BOOST_TEST(c.running() == "");
    c.pass(1us);
    BOOST_TEST(c.events() == "begin 1; started 1.1 on n1 cores 0");
    c.pass(1s);
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(a_held_job_stays_held_after_its_begin_time)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job().begin(c.wall() + 1h).hold());
    BOOST_TEST(c.reason(1) == "Held: held by alice");
    c.pass(2h);
    BOOST_TEST(c.events() == "begin 1");
    c.release(alice, {1});
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_CASE(a_job_that_is_released_before_its_begin_time_waits_on)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job().begin(c.wall() + 1h).hold());
    c.release(alice, {1});
    BOOST_TEST(c.running() == "");
    c.hold(alice, {1});
    c.release(alice, {1});
    c.pass(1h);
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_CASE(a_job_cancelled_before_its_begin_time_is_forgotten_by_the_clock)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job().begin(c.wall() + 1h));
    c.cancel(alice, {1});
    c.pass(1h - 1us);
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(small_steps_of_the_wall_clock_are_left_alone)
{
    Cluster c(nodes(1), cores(1));
    c.set_wall(c.wall() + 1s);
    BOOST_TEST(c.events() == "");
    c.set_wall(c.wall() - 1s);
    BOOST_TEST(c.events() == "");
    const auto wall = c.wall() + 1s + 1us;
    c.set_wall(wall);
    BOOST_TEST((c.wall() == wall));
}

BOOST_AUTO_TEST_CASE(a_jump_of_the_wall_clock_moves_begin_times_and_nothing_else)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.report_end("n1", ended(ref(1)));
    c.submit(job().begin(c.wall() + 10h));
    c.set_wall(c.wall() + 12h);
    BOOST_TEST((c.now == Instant{}));
    BOOST_TEST((*next_wake(c.state()) <= c.now));
    c.pass(0s);
    BOOST_TEST(c.events() == "begin 2; started 2.1 on n1 cores 0"); // and 1 is not forgotten
    BOOST_TEST((c.at(2).run->started_wall == c.wall()));
}

BOOST_AUTO_TEST_CASE(a_jump_backwards_takes_no_begin_back)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job().begin(c.wall() + 1h));
    c.pass(1h);
    c.set_wall(c.wall() - 24h);
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "2");
    c.submit(job().begin(c.wall() + 1h)); // by the new wall clock
    BOOST_TEST((next_wake(c.state()) == c.now + 1h));
}

BOOST_AUTO_TEST_CASE(an_ended_job_is_forgotten_after_its_time)
{
    auto settings = some_settings(nodes(1));
    settings.keep_ended = 3h;
    Cluster c(settings);
    c.submit(job().request_id(1));
    c.pass(10min);
    c.cancel(alice, {1});
    BOOST_TEST((next_wake(c.state()) == Instant(3h + 10min)));
    c.pass(3h - 1us);
    BOOST_TEST(c.submit(job().request_id(1)) == "job 1");
    c.pass(1us);
    BOOST_TEST(c.events() == "forgotten 1");
    BOOST_TEST(!next_wake(c.state()));
    BOOST_TEST(c.cancel(alice, {1}) == "1 not found: no job 1 (ended jobs are in jacct)");
    BOOST_TEST(c.submit(job().request_id(1)) == "job 2"); // its request id went with it
}

BOOST_AUTO_TEST_CASE(a_delay_and_a_retry_wake_the_clock)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job());
    c.submit(job().after("after:1+10"));
    BOOST_TEST((next_wake(c.state()) == Instant(10min)));
    c.submit(job().retry("1,backoff=1m..1m"));
    c.report_end("n1", ended(ref(3), JobState::failed, EndClass::user, "exit code 1"));
    const auto due = c.at(3).not_before;
    BOOST_REQUIRE(due);
    BOOST_TEST((next_wake(c.state()) == due));
    BOOST_TEST((*due <= Instant(1min)));
}

BOOST_AUTO_TEST_CASE(it_is_known_for_an_hour_at_least)
{
    auto settings = some_settings(nodes(1));
    settings.keep_ended = 0s;
    Cluster c(settings);
    c.submit(job());
    c.cancel(alice, {1});
    c.pass(1h - 1us);
    BOOST_TEST(c.events() == "");
    c.pass(1us);
    BOOST_TEST(c.events() == "forgotten 1");
}

BOOST_AUTO_TEST_CASE(much_that_is_due_is_done_in_counted_parts)
{
    Cluster c(some_settings(nodes(1)));
    for (int i = 0; i < 1200; ++i)
        c.run(c.command(job().begin(c.wall() + 1h)));
    std::string parts;
    c.pass(1h);
    for (std::size_t left = 1200; left > 0; c.run(cluster::TimePassed{})) {
        parts += fmt::format("{} ", left - c.state().index.begins.size());
        left = c.state().index.begins.size();
    }
    BOOST_TEST(parts == "500 500 200 ");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(controller)

BOOST_AUTO_TEST_CASE(a_new_cluster_gets_an_identity_once)
{
    Cluster c(some_settings(nodes(1)));
    BOOST_TEST(c.state().name == "test");
    BOOST_TEST(c.state().epoch.value == 1u);
    c.run(cluster::CreateCluster{.uuid = {9}, .name = "other"});
    BOOST_TEST(c.events() == "");
    BOOST_TEST((c.state().uuid == cluster::Uuid{1}));
}

BOOST_AUTO_TEST_CASE(a_start_is_a_new_epoch_without_connections)
{
    Cluster c(nodes(2), cores(2));
    c.submit(job());
    const auto wall = c.wall();
    c.restart();
    BOOST_TEST(c.events() == "epoch 2");
    BOOST_TEST((c.wall() == wall));
    BOOST_TEST(!c.node("n1").connected);
    BOOST_TEST(c.running() == "1");
    c.join("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.events() == "registered n1");
    BOOST_TEST(c.effects() == "welcome n1");
    // What was in flight when it went down comes up again by the node's report.
    c.join("n2", {.running = {}, .ended = {ended(ref(1))}});
    BOOST_TEST(c.effects() == "welcome n2; ack 1.1 on n2");
}

BOOST_AUTO_TEST_CASE(a_start_takes_the_wall_clock_as_it_is)
{
    Cluster c(nodes(1), cores(1));
    c.run(cluster::StartController{c.wall() + 3ms, {"another boot", 5s}});
    BOOST_TEST(c.events() == "epoch 2; wall clock +0s");
    BOOST_TEST(c.state().clock.boot_id == "another boot");
}

BOOST_AUTO_TEST_SUITE_END()
