// What nodes say of themselves, what operators say of nodes, and how lost messages are made good.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::EndedOnNode;
using jarvis::cluster::JobRef;
using jarvis::cluster::NodeReport;
using jarvis::cluster::reason_of;
using jarvis::cluster::state_name;

namespace {

EndedOnNode node_failed(JobRef job) { return ended(job, JobState::node_fail, EndClass::node, "node n1 rebooted"); }

void reboot(Cluster& c, const std::string& node, NodeReport report = {})
{
    c.lose(node);
    c.machines[node].boot_id += "+";
    c.join(node, std::move(report));
}

} // namespace

BOOST_AUTO_TEST_SUITE(registration)

BOOST_AUTO_TEST_CASE(a_node_that_is_not_configured_is_refused)
{
    Cluster c(nodes(1), cores(2));
    c.join("n9");
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "refuse: node \"n9\" is not in the controller's configuration; add it to [[node]]");
}

BOOST_AUTO_TEST_CASE(a_registration_is_journaled_when_it_says_something_new)
{
    Cluster c(some_settings(nodes(1)));
    BOOST_TEST(state_name(c.node("n1")) == "down");
    c.machines["n1"] = some_machine(cores(2));
    c.join("n1");
    BOOST_TEST(c.events() == "registered n1");
    BOOST_TEST(c.effects() == "welcome n1");
    BOOST_TEST(state_name(c.node("n1")) == "idle");
    c.join("n1"); // a new connection of the same daemon, before the old one was missed
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "welcome n1");
    c.machines["n1"].notes = {"swap is on"};
    c.join("n1");
    BOOST_TEST(c.events() == "registered n1");
}

BOOST_AUTO_TEST_CASE(waiting_jobs_start_on_a_node_that_comes)
{
    Cluster c(some_settings(nodes(1)));
    c.submit(job());
    BOOST_TEST(c.reason(1) == "NodesUnavailable: no node of partition batch can take it now: 1 not connected");
    c.machines["n1"] = some_machine(cores(2));
    c.join("n1");
    BOOST_TEST(c.events() == "registered n1; started 1.1 on n1 cores 0");
    BOOST_TEST(c.effects() == "welcome n1; start 1.1 on n1"); // in this order, or the start would find no session
}

BOOST_AUTO_TEST_CASE(a_lost_node_keeps_its_jobs_and_gets_no_new_ones)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.lose("n1");
    BOOST_TEST(c.events() == "lost n1");
    BOOST_TEST(state_name(c.node("n1")) == "unreachable");
    c.lose("n1");
    BOOST_TEST(c.events() == "");
    c.lose("nobody");
    BOOST_TEST(c.events() == "");
    c.submit(job());
    BOOST_TEST(c.running() == "1");
    c.join("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.events() == "registered n1; started 2.1 on n1 cores 1");
    BOOST_TEST(state_name(c.node("n1")) == "allocated");
}

BOOST_AUTO_TEST_CASE(a_node_that_comes_back_smaller_offers_what_it_has)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().tasks(3));
    c.lose("n1");
    c.machines["n1"] = some_machine(cores(2));
    c.join("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.node("n1").free.cores.empty());
    c.submit(job().tasks(2));
    BOOST_TEST(c.running() == "1");
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.events() == "ended 1.1 COMPLETED none; started 2.1 on n1 cores 0-1");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reports)

BOOST_AUTO_TEST_CASE(an_end_is_journaled_once_and_acknowledged_each_time)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.pass(3s);
    auto end = ended(ref(1), JobState::failed, EndClass::user, "exit code 3");
    end.end.exit_code = 3;
    end.usage.elapsed = 2s;
    c.report_end("n1", end);
    BOOST_TEST(c.events() == "ended 1.1 FAILED user: exit code 3");
    BOOST_TEST(c.effects() == "ack 1.1 on n1");
    BOOST_TEST((c.at(1).ended->end == end.end));
    BOOST_TEST((c.at(1).ended->usage == end.usage));
    BOOST_TEST((c.at(1).ended->at == Instant(3s)));
    BOOST_TEST(c.node("n1").jobs.empty());
    for (int again = 0; again < 2; ++again) {
        c.report("n1", {.running = {}, .ended = {end}});
        BOOST_TEST(c.events() == "");
        BOOST_TEST(c.effects() == "ack 1.1 on n1");
    }
}

BOOST_AUTO_TEST_CASE(the_same_end_twice_in_one_report_is_one_end)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.report("n1", {.running = {}, .ended = {ended(ref(1)), ended(ref(1), JobState::failed)}});
    BOOST_TEST(c.events() == "ended 1.1 COMPLETED none");
    BOOST_TEST(c.effects() == "ack 1.1 on n1; ack 1.1 on n1");
}

BOOST_AUTO_TEST_CASE(ends_that_are_not_of_the_running_incarnation_change_nothing)
{
    Cluster c(nodes(2), cores(1));
    c.submit(job().requeue());
    c.submit(job());
    BOOST_TEST(c.running() == "1 2"); // on n1 and n2
    const auto harmless = [&](const std::string& node, const EndedOnNode& end) {
        c.report_end(node, end);
        return c.events() + "|" + c.effects();
    };
    BOOST_TEST(harmless("n1", ended(ref(1, 2))) == "|ack 1.2 on n1");   // never started
    BOOST_TEST(harmless("n1", ended(ref(99))) == "|ack 99.1 on n1");    // unknown, or long forgotten
    BOOST_TEST(harmless("n2", ended(ref(1))) == "|ack 1.1 on n2");      // runs elsewhere
    c.report_end("n1", node_failed(ref(1)));
    BOOST_TEST(c.at(1).incarnation.value == 2u);
    BOOST_TEST(harmless("n1", ended(ref(1, 1))) == "|ack 1.1 on n1");   // is over
    BOOST_TEST(c.running() == "1 2");
}

BOOST_AUTO_TEST_CASE(a_start_that_was_lost_is_sent_again)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.report("n1", {});
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "start 1.1 on n1");
    c.report("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.effects() == "");
    c.lose("n1");
    c.join("n1"); // the daemon restarted and did not have it
    BOOST_TEST(c.events() == "registered n1");
    BOOST_TEST(c.effects() == "welcome n1; start 1.1 on n1");
}

BOOST_AUTO_TEST_CASE(an_end_alone_says_nothing_of_what_runs)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.submit(job());
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.effects() == "ack 1.1 on n1");
}

BOOST_AUTO_TEST_CASE(a_stop_that_was_lost_is_sent_again)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.cancel(alice, {1});
    c.report("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.effects() == "stop 1.1 on n1: cancelled by alice");
    // Its start was lost as well: the node is not asked to start it any more.
    c.report("n1", {});
    BOOST_TEST(c.effects() == "stop 1.1 on n1: cancelled by alice");
    c.report("n1", {.running = {}, .ended = {ended(ref(1), JobState::cancelled, EndClass::user)}});
    BOOST_TEST(c.effects() == "ack 1.1 on n1");
}

BOOST_AUTO_TEST_CASE(what_should_not_run_is_stopped)
{
    Cluster c(nodes(2), cores(1));
    c.submit(job());
    c.report("n1", {.running = {ref(1), ref(50)}, .ended = {}});
    BOOST_TEST(c.effects() == "stop unknown 50.1 on n1: not known to the controller");
    BOOST_TEST(c.events() == "violation on n1: job 50 (incarnation 1) runs and should not; it is killed");
    c.report("n1", {.running = {ref(1, 2)}, .ended = {}}); // another incarnation: that goes, and this one is missing
    BOOST_TEST(c.effects() == "stop unknown 1.2 on n1: not known to the controller; start 1.1 on n1");
    c.report("n2", {.running = {ref(1)}, .ended = {}}); // runs on n1
    BOOST_TEST(c.effects() == "stop unknown 1.1 on n2: not known to the controller");
    c.report_end("n1", ended(ref(1)));
    c.report("n1", {.running = {ref(1)}, .ended = {}}); // has ended
    BOOST_TEST(c.effects() == "stop unknown 1.1 on n1: not known to the controller");
    BOOST_TEST(c.events() == "violation on n1: job 1 (incarnation 1) runs and should not; it is killed");
}

BOOST_AUTO_TEST_CASE(a_pending_job_is_not_stopped_by_a_report_of_its_old_incarnation_only)
{
    Cluster c(nodes(2), cores(1));
    c.submit(job().requeue());
    c.report_end("n1", node_failed(ref(1)));
    c.drain(otto, {"n1"}, "x"); // 1.2 runs on n1 again; nothing else does
    c.report("n1", {.running = {ref(1), ref(1, 2)}, .ended = {}});
    BOOST_TEST(c.events() == "violation on n1: job 1 (incarnation 1) runs and should not; it is killed");
    BOOST_TEST(c.effects() == "stop unknown 1.1 on n1: not known to the controller");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reboots)

BOOST_AUTO_TEST_CASE(jobs_of_a_rebooted_node_end)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    reboot(c, "n1");
    BOOST_TEST(c.events() == "registered n1; ended 1.1 NODE_FAIL node: node n1 rebooted");
    BOOST_TEST(c.effects() == "welcome n1");
}

BOOST_AUTO_TEST_CASE(with_requeue_they_become_the_next_incarnation)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().requeue());
    reboot(c, "n1");
    BOOST_TEST(c.events() == "registered n1; requeued 1.1: node n1 rebooted; started 1.2 on n1 cores 0");
    BOOST_TEST(c.effects() == "welcome n1; start 1.2 on n1");
    BOOST_TEST(c.at(1).incarnation.value == 2u);
    reboot(c, "n1");
    BOOST_TEST(c.at(1).incarnation.value == 3u);
    c.report_end("n1", ended(ref(1, 3)));
    BOOST_TEST(c.events() == "ended 1.3 COMPLETED none");
}

BOOST_AUTO_TEST_CASE(a_requeued_job_keeps_its_place_in_the_queue)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job().requeue());
    c.submit(job());
    reboot(c, "n1");
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_CASE(what_the_node_still_knows_of_the_end_counts)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().requeue());
    c.submit(job().requeue());
    // 1 had ended before the reboot, on a disk that survived it; of 2 the node says the same as the controller thinks.
    reboot(c, "n1", {.running = {}, .ended = {ended(ref(1)), node_failed(ref(2))}});
    BOOST_TEST(c.events() == "registered n1; ended 1.1 COMPLETED none; requeued 2.1: node n1 rebooted; started 2.2 on n1 cores 0");
    BOOST_TEST(c.effects() == "welcome n1; ack 1.1 on n1; ack 2.1 on n1; start 2.2 on n1");
}

BOOST_AUTO_TEST_CASE(a_job_that_was_told_to_end_is_not_requeued)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().requeue());
    c.cancel(alice, {1});
    reboot(c, "n1");
    BOOST_TEST(c.events() == "registered n1; ended 1.1 NODE_FAIL node: node n1 rebooted");
}

BOOST_AUTO_TEST_CASE(only_the_nodes_failure_requeues)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().requeue());
    c.report_end("n1", ended(ref(1), JobState::failed, EndClass::user, "exit code 1"));
    BOOST_TEST(c.events() == "ended 1.1 FAILED user: exit code 1");
}

BOOST_AUTO_TEST_CASE(a_reboot_is_noticed_also_when_the_old_connection_was_not_missed)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.machines["n1"].boot_id = "boot-2";
    c.join("n1");
    BOOST_TEST(c.events() == "registered n1; ended 1.1 NODE_FAIL node: node n1 rebooted");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(draining)

BOOST_AUTO_TEST_CASE(a_drained_node_finishes_what_it_has)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.pass(1h);
    BOOST_TEST(c.drain(otto, {"n1"}, "new disk") == "n1 ok");
    BOOST_TEST(c.events() == "drained n1 by otto: new disk");
    BOOST_TEST((c.node("n1").drain->since == c.wall()));
    BOOST_TEST(state_name(c.node("n1")) == "draining");
    c.submit(job());
    BOOST_TEST(c.running() == "1");
    BOOST_TEST(c.reason(2) == "NodesUnavailable: no node of partition batch can take it now: 1 drained");
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "");
    BOOST_TEST(state_name(c.node("n1")) == "drained");
    BOOST_TEST(c.resume(otto, {"n1"}) == "n1 ok");
    BOOST_TEST(c.events() == "resumed n1; started 2.1 on n1 cores 0");
    BOOST_TEST(state_name(c.node("n1")) == "mixed");
}

// Nothing of such a job has run, so it goes back into the queue whatever its owner said of failed nodes.
BOOST_AUTO_TEST_CASE(a_node_that_cannot_confine_is_drained_and_its_job_runs_elsewhere)
{
    Cluster c(nodes(2), cores(1));
    c.submit(job());
    c.submit(job());
    auto end = ended(ref(1), JobState::node_fail, EndClass::node, "cpuset.cpus says 0-3, asked for 0-2");
    end.unfit = end.end.cause;
    c.report_end("n1", end);
    BOOST_TEST(c.events() == "drained n1 by : job 1: cpuset.cpus says 0-3, asked for 0-2; requeued 1.1: " + end.unfit);
    BOOST_TEST(state_name(c.node("n1")) == "drained");
    BOOST_TEST((c.node("n1").drain->since == c.wall()));
    BOOST_TEST(c.running() == "2");
    c.report_end("n1", end); // sent twice
    BOOST_TEST(c.events() == "");
    c.report_end("n2", ended(ref(2)));
    BOOST_TEST(c.running() == "1");
    c.report_end("n2", ended(ref(1, 2)));
}

BOOST_AUTO_TEST_CASE(the_drain_of_an_operator_stays_theirs)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.drain(otto, {"n1"}, "new disk");
    auto end = ended(ref(1), JobState::node_fail, EndClass::node, "x");
    end.unfit = "x";
    c.report_end("n1", end);
    BOOST_TEST(c.node("n1").drain->reason == "new disk");
}

BOOST_AUTO_TEST_CASE(a_cancelled_job_is_cancelled_also_where_it_could_not_be_confined)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.cancel(otto, {1});
    auto end = ended(ref(1), JobState::cancelled, EndClass::user, "cancelled by otto");
    end.unfit = "x";
    c.report_end("n1", end);
    BOOST_TEST((c.at(1).ended->end.state == JobState::cancelled));
    BOOST_TEST(c.node("n1").drain->reason == "job 1: x");
}

BOOST_AUTO_TEST_CASE(both_are_idempotent)
{
    Cluster c(nodes(1), cores(2));
    c.drain(otto, {"n1"}, "new disk");
    c.drain(root, {"n1"}, "new disk");
    BOOST_TEST(c.events() == "");
    c.drain(root, {"n1"}, "new board");
    BOOST_TEST(c.events() == "drained n1 by root: new board");
    c.resume(otto, {"n1"});
    BOOST_TEST(c.resume(otto, {"n1"}) == "n1 ok");
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(it_takes_an_operator)
{
    Cluster c(nodes(1), cores(2));
    BOOST_TEST(c.drain(alice, {"n1"}, "x") ==
               "denied: alice is no operator; changing nodes takes the role operator or admin (see [security])");
    BOOST_TEST(c.resume(alice, {"n1"}).starts_with("denied"));
    BOOST_TEST(c.drain(root, {"n1", "n7"}, "x") == "n1 ok; n7 not found: no node \"n7\"");
    BOOST_TEST(c.events() == "drained n1 by root: x");
}

BOOST_AUTO_TEST_CASE(a_drain_outlives_reboots_and_restarts)
{
    Cluster c(nodes(1), cores(2));
    c.drain(otto, {"n1"}, "x");
    reboot(c, "n1");
    c.restart();
    c.join("n1");
    c.submit(job());
    BOOST_TEST(c.running() == "");
}

BOOST_AUTO_TEST_CASE(why_a_node_takes_nothing_is_told)
{
    Cluster c(some_settings(nodes(2)));
    c.machines["n1"] = some_machine(cores(2));
    c.join("n1");
    BOOST_TEST(reason_of(c.node("n1")).text == "");
    BOOST_TEST(reason_of(c.node("n2")).text == "it has never registered");
    c.pass(1h);
    c.drain(otto, {"n1"}, "new disk");
    BOOST_TEST(reason_of(c.node("n1")).text == "new disk");
    BOOST_TEST(reason_of(c.node("n1")).by == "otto");
    BOOST_TEST((reason_of(c.node("n1")).since == c.wall()));
    c.resume(otto, {"n1"});
    c.configure(some_settings(nodes(0)));
    BOOST_TEST(reason_of(c.node("n1")).text == "it is no longer in the configuration");
    BOOST_TEST(state_name(c.node("n1")) == "down");
}

BOOST_AUTO_TEST_CASE(what_is_told_of_several_that_should_not_run_is_short)
{
    Cluster c(nodes(1), cores(2));
    c.report("n1", {.running = {ref(50), ref(51), ref(52)}, .ended = {}});
    BOOST_TEST(reason_of(c.node("n1")).text == "what is over still runs there: job 50 and 2 more");
    c.report("n1", {.running = {ref(51)}, .ended = {}});
    c.report("n1", {});
    BOOST_TEST(c.events() == "cleared n1");
    BOOST_TEST(reason_of(c.node("n1")).text == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(expectations)

BOOST_AUTO_TEST_CASE(a_node_below_what_is_expected_gets_no_jobs_and_says_why)
{
    auto settings = some_settings(nodes(2));
    settings.traits["n1"].expect = {.cores = 4, .devices = {{"gpu", 2}}};
    Cluster c(settings);
    for (const auto* name : {"n1", "n2"})
        c.machines[name] = some_machine(cores(2));
    c.machines["n1"].topology.devices = {{.resource = "gpu", .type = "a100", .address = "0", .paths = {}, .near = {}}};
    c.join("n1");
    BOOST_TEST(state_name(c.node("n1")) == "drained");
    BOOST_TEST(reason_of(c.node("n1")).text == "expected 4 cores, found 2; expected 2 gpu, found 1");
    c.submit(job());
    BOOST_TEST(c.reason(1) == "NodesUnavailable: no node of partition batch can take it now: 1 not connected, 1 drained");
    c.join("n2");
    BOOST_TEST(c.node("n2").jobs.size() == 1u);
    // It is repaired, and registers anew.
    c.machines["n1"] = some_machine(cores(4));
    c.machines["n1"].topology.devices = {{.resource = "gpu", .type = "a100", .address = "0", .paths = {}, .near = {}},
                                         {.resource = "gpu", .type = "a100", .address = "1", .paths = {}, .near = {}}};
    c.join("n1");
    BOOST_TEST(state_name(c.node("n1")) == "idle");
    BOOST_TEST(reason_of(c.node("n1")).text == "");
}

BOOST_AUTO_TEST_CASE(each_part_of_an_expectation_counts)
{
    jarvis::Topology found;
    found.cores = {{.pus = {0, 1}, .package = 0}, {.pus = {2}, .package = 1}};
    found.numa_nodes = {{.os_index = 0, .memory = mebibytes(1024), .cores = {}}};
    found.devices = {{.resource = "gpu", .type = "a100", .address = "0", .paths = {}, .near = {}}};
    BOOST_TEST(shortfall({}, found) == "");
    BOOST_TEST(shortfall({.packages = 2, .numa_nodes = 1, .cores = 2, .threads_per_core = 1, .memory = mebibytes(1024), .devices = {{"gpu:a100", 1}}}, found) == "");
    BOOST_TEST(shortfall({.packages = 3}, found) == "expected 3 packages, found 2");
    BOOST_TEST(shortfall({.numa_nodes = 2}, found) == "expected 2 NUMA nodes, found 1");
    BOOST_TEST(shortfall({.threads_per_core = 2}, found) == "expected 2 threads in each core, found 1");
    BOOST_TEST(shortfall({.memory = mebibytes(2048)}, found) == "expected 2G of memory, found 1G");
    BOOST_TEST(shortfall({.devices = {{"gpu:h100", 1}}}, found) == "expected 1 gpu:h100, found 0");
}

BOOST_AUTO_TEST_SUITE_END()
