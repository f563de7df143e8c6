// Nodes that are not heard of: unreachable, then down; and what is found there when they come back.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::reason_of;
using jarvis::cluster::state_name;

BOOST_AUTO_TEST_SUITE(silence)

BOOST_AUTO_TEST_CASE(a_node_that_returns_in_time_has_lost_nothing)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.lose("n1");
    BOOST_TEST(state_name(c.node("n1")) == "unreachable");
    c.pass(299s);
    BOOST_TEST(c.running() == "1");
    c.join("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.events() == "registered n1");
    BOOST_TEST(c.effects() == "welcome n1");
    c.pass(1h);
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_CASE(one_that_is_silent_for_too_long_is_down_and_its_jobs_end)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.submit(job().requeue()); // it is not known that nothing runs: that one is not requeued either
    c.lose("n1");
    c.pass(5min);
    BOOST_TEST(c.events() == "down n1: silent for 5m; ended 1.1 NODE_FAIL node: node n1 is down: silent for 5m; "
                             "ended 2.1 NODE_FAIL node: node n1 is down: silent for 5m");
    BOOST_TEST(state_name(c.node("n1")) == "down");
    BOOST_TEST(reason_of(c.node("n1")).text == "silent for 5m");
    c.pass(30min);
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(a_site_may_accept_that_two_copies_run)
{
    auto settings = some_settings(nodes(2));
    settings.requeue_on_silence = true;
    settings.down_after = 1min;
    Cluster c(settings);
    c.join_all(cores(2));
    c.submit(job().requeue());
    c.lose("n1");
    c.pass(1min);
    BOOST_TEST(c.events() == "down n1: silent for 1m; requeued 1.1: node n1 is down: silent for 1m; started 1.2 on n2 cores 0");
}

BOOST_AUTO_TEST_CASE(what_still_runs_when_it_returns_is_killed_before_it_gets_anything_new)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.lose("n1");
    c.pass(5min);
    c.submit(job());
    c.join("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.events() == "registered n1; violation on n1: job 1 (incarnation 1) still ran when the node was heard of again; it was over, and is killed");
    BOOST_TEST(c.effects() == "welcome n1; stop unknown 1.1 on n1: not known to the controller");
    BOOST_TEST(state_name(c.node("n1")) == "down");
    BOOST_TEST(c.running() == "");
    c.report("n1", {.running = {ref(1)}, .ended = {}}); // not yet dead: told again, noted once
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "stop unknown 1.1 on n1: not known to the controller");
    c.report_end("n1", ended(ref(1))); // says nothing of what runs
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "ack 1.1 on n1");
    c.report("n1", {});
    BOOST_TEST(c.events() == "cleared n1; started 2.1 on n1 cores 0");
    BOOST_TEST(c.node("n1").violations.size() == 1u);
    BOOST_TEST(state_name(c.node("n1")) == "mixed");
}

BOOST_AUTO_TEST_CASE(an_end_that_comes_too_late_is_acknowledged_and_changes_nothing)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.lose("n1");
    c.pass(5min);
    c.join("n1", {.running = {}, .ended = {ended(ref(1))}});
    BOOST_TEST(c.events() == "registered n1; cleared n1");
    BOOST_TEST(c.effects() == "welcome n1; ack 1.1 on n1");
    BOOST_TEST((c.at(1).state == JobState::node_fail));
}

BOOST_AUTO_TEST_CASE(a_reboot_clears_it)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.lose("n1");
    c.pass(5min);
    c.machines["n1"].boot_id = "boot-2";
    c.join("n1");
    BOOST_TEST(c.events() == "registered n1; cleared n1");
    BOOST_TEST(state_name(c.node("n1")) == "idle");
}

BOOST_AUTO_TEST_CASE(after_a_restart_of_the_controller_silence_counts_anew)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.lose("n1");
    c.pass(4min);
    c.restart();
    c.pass(4min);
    BOOST_TEST(c.events() == "");
    c.pass(1min);
    BOOST_TEST(c.events().starts_with("down n1"));
}

BOOST_AUTO_TEST_CASE(the_next_wake_is_when_a_node_goes_down)
{
    Cluster c(nodes(2), cores(2));
    c.lose("n1");
    c.now += 1min;
    c.lose("n2");
    const auto wake = cluster::next_wake(c.state());
    BOOST_REQUIRE(wake);
    BOOST_TEST((*wake == Instant{} + 5min));
}

BOOST_AUTO_TEST_CASE(what_runs_and_should_not_keeps_new_work_away_until_it_is_gone)
{
    Cluster c(nodes(1), cores(2));
    c.report("n1", {.running = {ref(50)}, .ended = {}});
    BOOST_TEST(c.events() == "violation on n1: job 50 (incarnation 1) runs and should not; it is killed");
    c.submit(job());
    BOOST_TEST(c.running() == "");
    BOOST_TEST(c.reason(1) == "NodesUnavailable: no node of partition batch can take it now: 1 down");
    BOOST_TEST(reason_of(c.node("n1")).text == "what is over still runs there: job 50");
    c.report("n1", {});
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_CASE(so_many_violations_are_kept)
{
    Cluster c(nodes(1), cores(2));
    for (std::uint64_t n = 100; n < 130; ++n)
        c.report("n1", {.running = {ref(n)}, .ended = {}});
    BOOST_TEST(c.node("n1").violations.size() == cluster::max_violations);
    BOOST_TEST(c.node("n1").violations.back().text.starts_with("job 129"));
}

BOOST_AUTO_TEST_CASE(what_does_not_run_although_it_was_told_again_and_again_is_a_violation)
{
    Cluster c(nodes(1), cores(2));
    c.pass(1h);
    c.submit(job());
    c.pass(30s);
    c.report("n1", {});
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "start 1.1 on n1");
    c.pass(30s);
    c.report("n1", {});
    BOOST_TEST(c.events() == "violation on n1: job 1 (incarnation 1) should run and does not; it is started again");
    BOOST_TEST(c.effects() == "start 1.1 on n1");
    c.pass(30s);
    c.report("n1", {});
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(set_down)

BOOST_AUTO_TEST_CASE(by_an_operator_who_does_not_know_that_it_is_gone)
{
    Cluster c(nodes(2), cores(2));
    c.submit(job().requeue());
    c.lose("n1");
    BOOST_TEST(c.down(otto, {"n1"}, "no answer") == "n1 ok");
    BOOST_TEST(c.events() == "down n1 by otto: no answer; ended 1.1 NODE_FAIL node: node n1 was set down by otto: no answer");
    BOOST_TEST(c.effects() == "");
}

BOOST_AUTO_TEST_CASE(confirmed_lets_jobs_be_requeued)
{
    Cluster c(nodes(2), cores(2));
    c.submit(job().requeue());
    c.lose("n1");
    c.down(otto, {"n1"}, "burnt", true);
    BOOST_TEST(c.events() == "down n1 by otto: burnt (confirmed); requeued 1.1: node n1 was set down by otto: burnt; started 1.2 on n2 cores 0");
    c.down(otto, {"n1"}, "burnt", true);
    BOOST_TEST(c.events() == "");
    // It comes back all the same: what it runs is killed, and it stays down until an operator says otherwise.
    c.join("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.effects() == "welcome n1; stop unknown 1.1 on n1: not known to the controller");
    c.report("n1", {});
    BOOST_TEST(c.events() == "cleared n1");
    BOOST_TEST(state_name(c.node("n1")) == "down");
    c.resume(otto, {"n1"});
    BOOST_TEST(c.events() == "resumed n1");
    BOOST_TEST(state_name(c.node("n1")) == "idle");
}

BOOST_AUTO_TEST_CASE(one_that_is_connected_is_told_to_kill_what_it_has)
{
    Cluster c(nodes(2), cores(2));
    c.submit(job());
    c.down(otto, {"n1"}, "smoke");
    BOOST_TEST(c.effects() == "stop unknown 1.1 on n1: node n1 was set down by otto: smoke");
    c.report("n1", {.running = {ref(1)}, .ended = {}}); // no violation: it was told this moment
    BOOST_TEST(c.events() == "");
    c.resume(otto, {"n1"});
    BOOST_TEST(state_name(c.node("n1")) == "down"); // still
    c.report("n1", {});
    BOOST_TEST(c.events() == "cleared n1");
    BOOST_TEST(state_name(c.node("n1")) == "idle");
}

BOOST_AUTO_TEST_CASE(a_resumed_node_that_is_silent_has_its_time_again)
{
    Cluster c(nodes(1), cores(2));
    c.lose("n1");
    c.pass(5min);
    c.resume(otto, {"n1"});
    BOOST_TEST(state_name(c.node("n1")) == "unreachable");
    c.pass(4min);
    BOOST_TEST(state_name(c.node("n1")) == "unreachable");
    c.pass(1min);
    BOOST_TEST(state_name(c.node("n1")) == "down");
}

BOOST_AUTO_TEST_CASE(it_takes_an_operator)
{
    Cluster c(nodes(1), cores(2));
    BOOST_TEST(c.down(alice, {"n1"}, "x").starts_with("denied"));
    BOOST_TEST(c.down(root, {"n1", "n7"}, "x") == "n1 ok; n7 not found: no node \"n7\"");
}

BOOST_AUTO_TEST_CASE(a_node_that_is_through_with_a_job_does_not_end_it)
{
    Cluster c(nodes(2), cores(1));
    c.submit(job().nodes(2));
    c.report_prepared("n2", ref(1));
    c.cancel(alice, {1});
    c.report_end("n2", ended(ref(1), JobState::cancelled, EndClass::user, "cancelled by alice"));
    BOOST_TEST((c.at(1).state == JobState::completing));
    c.lose("n2");
    c.pass(5min);
    BOOST_TEST(c.events() == "down n2: silent for 5m");
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user, "cancelled by alice"));
    BOOST_TEST((c.at(1).state == JobState::cancelled));
}

BOOST_AUTO_TEST_SUITE_END()
