// Starting again: by command, by a node's failure, by a job's own rule.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::EndedOnNode;
using jarvis::cluster::JobRef;

namespace {

EndedOnNode failed(JobRef job, int exit_code)
{
    auto end = ended(job, JobState::failed, EndClass::user, fmt::format("exit code {}", exit_code));
    end.end.exit_code = exit_code;
    return end;
}

} // namespace

BOOST_AUTO_TEST_SUITE(requeue)

BOOST_AUTO_TEST_CASE(a_running_job_is_stopped_and_starts_again)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job());
    BOOST_TEST(c.requeue(alice, {1}) == "1 ok");
    BOOST_TEST(c.events() == "stopping 1: requeued by alice");
    BOOST_TEST(c.effects() == "stop 1.1 on n1: requeued by alice");
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user, "requeued by alice"));
    BOOST_TEST(c.events() == "requeued 1.1: requeued by alice; started 1.2 on n1 cores 0");
    BOOST_TEST(c.effects() == "ack 1.1 on n1; start 1.2 on n1");
}

BOOST_AUTO_TEST_CASE(a_cancel_wins)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job());
    c.requeue(alice, {1});
    c.cancel(alice, {1});
    BOOST_TEST(c.events() == "stopping 1: cancelled by alice");
    BOOST_TEST(c.requeue(alice, {1}) == "1 invalid: job 1 is being cancelled: it is not started again");
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user));
    BOOST_TEST((c.at(1).state == JobState::cancelled));
    BOOST_TEST(c.requeue(alice, {1}) == "1 invalid: job 1 was cancelled: it is not started again; submit it once more");
}

BOOST_AUTO_TEST_CASE(one_that_ended_starts_again)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job());
    c.report_end("n1", failed(ref(1), 3));
    BOOST_TEST(c.requeue(bob, {1}) == "1 denied: job 1 belongs to alice");
    BOOST_TEST(c.requeue(alice, {1}) == "1 ok");
    BOOST_TEST(c.events() == "requeued 1.1: requeued by alice; started 1.2 on n1 cores 0");
    BOOST_TEST(!c.at(1).ended);
    BOOST_TEST(c.state().index.active_jobs == 1u);
    c.report_end("n1", ended(ref(1, 2)));
    c.pass(2h);
    BOOST_TEST(c.requeue(alice, {1}) == "1 not found: no job 1 (ended jobs are in jacct)");
}

BOOST_AUTO_TEST_CASE(a_pending_one_waits_on)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job());
    BOOST_TEST(c.requeue(alice, {2}) == "2 ok");
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(tasks_of_arrays)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().array("0-1"));
    c.report_end("n1", failed(ref("1_0"), 3));
    c.report_end("n1", ended(ref("1_1")));
    BOOST_TEST((c.at(1).state == JobState::failed));
    BOOST_TEST(c.requeue(alice, {"1_0"}) == "1_0 ok");
    BOOST_TEST(c.events() == "requeued 1.1: requeued by alice; requeued 1_0.1: requeued by alice; started 1_0.2 on n1 cores 0");
    c.report_end("n1", ended(ref("1_0", 2)));
    BOOST_TEST(c.events() == "ended 1_0.2 COMPLETED none; ended 1.2 COMPLETED none");
    BOOST_TEST(c.requeue(alice, {1}) == "1 ok");
    BOOST_TEST(c.running() == "1_0 1_1");
}

BOOST_AUTO_TEST_CASE(so_many_tasks_at_once_and_no_more)
{
    Cluster c(nodes(1), cores(100));
    c.submit(job().array("0-10000"));
    for (std::uint32_t first = 0; first < 10001; first += 100) {
        cluster::NodeReported report{.node = c.node("n1").id, .report = {}, .complete = false};
        for (std::uint32_t task = first; task < std::min(first + 100, 10001u); ++task)
            report.report.ended.push_back(failed({JobId{1, task}, Incarnation{1}}, 3));
        c.run(std::move(report));
    }
    BOOST_TEST((c.at(1).state == JobState::failed));
    BOOST_TEST(c.requeue(alice, {1}) == "1 invalid: 10001 tasks of array 1 are too many to requeue at once; the limit is 10000. Name fewer");
    BOOST_TEST(c.requeue(alice, {"1_[1-3]"}) == "1_[1-3] ok");
    BOOST_TEST(c.running() == "1_1 1_2 1_3");
}

// A hold of the array keeps only those back that wait in it; the pass would hold it again and again.
BOOST_AUTO_TEST_CASE(a_task_that_no_node_can_run_any_more_is_held_by_itself)
{
    Cluster c(nodes(2), cores(2));
    c.submit(job().array("0-2").tasks(2).nodes(1, 1));
    c.submit(job().array("0-1").tasks(2).nodes(1, 1));
    c.requeue(alice, {"1_0"});
    c.machines["n1"] = c.machines["n2"] = some_machine(cores(1));
    c.lose("n1");
    c.lose("n2");
    c.machines["n1"].boot_id = c.machines["n2"].boot_id = "another";
    c.join("n1");
    c.join("n2");
    const std::string why = "held by the scheduler: no node of partition batch can ever run it: it asks for 2 cores, but n1 has 1";
    for (const char* name : {"1_0", "1", "2"})
        BOOST_TEST(c.reason(name) == "Held: " + why);
}

BOOST_AUTO_TEST_CASE(an_end_counts_for_others_when_it_is_final)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().retry("1,backoff=10s"));
    c.submit(job().after("afterok:1"));
    c.report_end("n1", failed(ref(1), 3));
    BOOST_TEST(c.reason(2) == "Dependency: waits for afterok:1");
    c.pass(20s);
    c.report_end("n1", ended(ref(1, 2)));
    BOOST_TEST(c.running() == "2");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(retry)

BOOST_AUTO_TEST_CASE(a_failure_waits_and_starts_again)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().retry("2,backoff=100s"));
    c.report_end("n1", failed(ref(1), 3));
    BOOST_TEST(c.events() == "requeued 1.1: exit code 3");
    BOOST_TEST(c.running() == "");
    const auto wait = retry_delay(*c.at(1).request->retry, JobId{1}, 1);
    BOOST_TEST((*c.at(1).not_before == c.now + wait));
    BOOST_TEST(c.reason(1).starts_with("RetryBackoff: starts again at "));
    BOOST_TEST(c.reason(1).ends_with(": 1 of 2 retries used"));
    c.pass(wait - 1s);
    BOOST_TEST(c.running() == "");
    c.pass(1s);
    BOOST_TEST(c.events() == "retry due 1; started 1.2 on n1 cores 0");
    c.report_end("n1", failed(ref(1, 2), 3));
    c.pass(200s);
    c.report_end("n1", failed(ref(1, 3), 3));
    BOOST_TEST(c.events() == "ended 1.3 FAILED user: exit code 3");
    BOOST_TEST(c.at(1).failed_attempts == 2u);
}

BOOST_AUTO_TEST_CASE(only_what_its_rule_names)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().retry("2,on=exit:3-5|timeout"));
    c.submit(job().retry("2,on=exit:3-5|timeout"));
    c.report_end("n1", failed(ref(1), 6));
    BOOST_TEST((c.at(1).state == JobState::failed));
    c.report_end("n1", ended(ref(2), JobState::timeout, EndClass::resources));
    BOOST_TEST((c.at(2).state == JobState::pending));
}

BOOST_AUTO_TEST_CASE(a_good_end_and_a_cancel_are_final)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().retry("2"));
    c.submit(job().retry("2"));
    c.submit(job().retry("2"));
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST((c.at(1).state == JobState::completed));
    c.cancel(alice, {2});
    c.report_end("n1", failed(ref(2), 1));
    BOOST_TEST((c.at(2).state == JobState::failed));
    c.report_end("n1", failed(ref(3), 1));
    BOOST_TEST(c.cancel(alice, {3}) == "3 ok"); // while it waits
    BOOST_TEST((c.at(3).state == JobState::cancelled));
    BOOST_TEST(c.state().index.retries.empty());
}

BOOST_AUTO_TEST_CASE(what_may_still_run_is_not_started_again)
{
    Cluster c(nodes(2), cores(1));
    c.submit(job());
    c.lose("n1");
    c.pass(5min);
    BOOST_TEST((c.at(1).state == JobState::node_fail));
    BOOST_TEST(c.requeue(alice, {1}) == "1 invalid: job 1 may still run on node n1, of which nothing is heard: it is not started again until "
                                        "the node is back, or an operator says that nothing runs there (jnodes down n1 --confirmed --reason ...)");
    c.down(root, {"n1"}, "the power supply burned", true);
    BOOST_TEST(c.requeue(alice, {1}) == "1 ok");
    BOOST_TEST(c.events() == "requeued 1.1: requeued by alice; started 1.2 on n2 cores 0");

    c.submit(job());
    c.lose("n2");
    c.pass(5min);
    c.join("n2", {.running = {ref(1, 2)}, .ended = {}});
    BOOST_TEST(c.requeue(alice, {1}) == "1 invalid: job 1 may still run on node n2, where it is being killed: try again when that is done");
    c.report("n2", {}); // it was killed there
    BOOST_TEST(c.requeue(alice, {1}) == "1 ok");
}

BOOST_AUTO_TEST_CASE(a_refused_task_leaves_its_array_closed)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().array("0-1"));
    c.report_end("n1", ended(ref("1_1")));
    c.lose("n1");
    c.pass(5min);
    BOOST_TEST((c.at(1).state == JobState::failed));
    BOOST_TEST(c.requeue(alice, {"1_0"}).starts_with("1_0 invalid: job 1_0 may still run on node n1"));
    BOOST_TEST(c.events() == "");
    BOOST_TEST((c.at(1).state == JobState::failed));
}

// That the operator was sure counts until the node says otherwise.
BOOST_AUTO_TEST_CASE(what_is_seen_to_run_counts_more_than_what_was_confirmed)
{
    Cluster c(nodes(2), cores(1));
    c.submit(job());
    c.down(root, {"n1"}, "burnt", true);
    c.join("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.requeue(alice, {1}) == "1 invalid: job 1 may still run on node n1, where it is being killed: try again when that is done");
}

BOOST_AUTO_TEST_CASE(a_failed_node_counts_only_without_requeue)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().requeue().retry("1,backoff=0s"));
    c.submit(job().retry("1,backoff=0s,on=node_fail"));
    c.machines["n1"].boot_id = "boot-2";
    c.join("n1");
    BOOST_TEST(c.at(1).failed_attempts == 0u);
    BOOST_TEST(c.at(2).failed_attempts == 1u);
}

BOOST_AUTO_TEST_CASE(tasks_retry_by_themselves)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().array("0-3").retry("1,backoff=60s"));
    c.report_end("n1", failed(ref("1_0"), 1));
    BOOST_TEST(c.running() == "1_1 1_2");
    c.pass(90s);
    c.report_end("n1", ended(ref("1_1")));
    BOOST_TEST(c.running() == "1_0 1_2"); // before 1_3
    BOOST_TEST((c.at("1_0").incarnation == Incarnation{2}));
}

BOOST_AUTO_TEST_CASE(a_restart_keeps_the_wait)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().retry("2,backoff=100s"));
    c.report_end("n1", failed(ref(1), 3));
    c.restart();
    c.join("n1");
    BOOST_TEST(c.running() == "");
    c.pass(130s);
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_SUITE_END()
