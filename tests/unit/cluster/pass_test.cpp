// The scheduling pass: who starts next, where, and what the others are told.
#include "cluster.hpp"

#include "cluster/decide.hpp"

#include "cluster/submit.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;

BOOST_AUTO_TEST_SUITE(pass)

BOOST_AUTO_TEST_CASE(jobs_start_in_the_order_of_their_submits)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().tasks(2));
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on n1 cores 0-1");
    BOOST_TEST(c.effects() == "start 1.1 on n1");
    c.submit(job().tasks(2));
    c.submit(job().tasks(2));
    c.submit(job().tasks(2));
    BOOST_TEST(c.running() == "1 2");
    c.report_end("n1", ended(ref(2)));
    BOOST_TEST(c.events() == "ended 2.1 COMPLETED none; started 3.1 on n1 cores 2-3");
}

BOOST_AUTO_TEST_CASE(a_blocked_head_blocks_everything_behind_it)
{
    Cluster c(nodes(2), cores(4));
    c.submit(job().tasks(3));
    c.submit(job().tasks(3));
    c.submit(job().tasks(4)); // fits nowhere now
    c.submit(job().tasks(1)); // would fit on either node
    BOOST_TEST(c.running() == "1 2");
    BOOST_TEST(c.reason(3) == "Resources: needs 4 cores and 4G; n1 has 1 cores and 1G free (nodes: 2 busy)");
    BOOST_TEST(c.reason(4) == "Priority: behind job 3, the first in line");
    c.report_end("n2", ended(ref(2)));
    BOOST_TEST(c.running() == "1 3 4");
    BOOST_TEST(c.node("n2").free.cores.empty());
    BOOST_TEST(c.node("n1").free.cores.empty());
}

BOOST_AUTO_TEST_CASE(nice_jobs_go_behind_and_ties_break_by_id)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job().nice(10));
    c.submit(job());
    c.submit(job().by(otto).nice(-5));
    c.submit(job());
    std::string order;
    for (int i = 0; i < 5; ++i) {
        order += c.running() + " ";
        const auto running = std::stoull(c.running());
        c.report_end("n1", ended(ref(running)));
    }
    BOOST_TEST(order == "1 4 3 5 2 ");
}

BOOST_AUTO_TEST_CASE(a_new_head_is_examined_and_what_goes_behind_is_told_so)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.submit(job().tasks(2));
    BOOST_TEST(c.running() == "1");
    c.submit(job().by(otto).nice(-1)); // in front of 2, and fits
    BOOST_TEST(c.running() == "1 3");
    c.submit(job());
    BOOST_TEST(c.reason(4) == "Priority: behind job 2, the first in line");
    c.submit(job().by(otto).nice(-1).tasks(2));
    BOOST_TEST(c.reason(5) == "Resources: needs 2 cores and 2G; n1 has 0 cores and 0 free");
    BOOST_TEST(c.reason(2) == "Priority: behind job 5, the first in line");
}

BOOST_AUTO_TEST_CASE(partitions_are_queues_of_their_own)
{
    auto settings = some_settings(nodes(2));
    settings.partitions.push_back(some_partition("second", {"n2"}));
    settings.partitions[0].nodes = {"n1"};
    Cluster c(settings);
    for (auto* name : {"n1", "n2"}) {
        c.machines[name] = some_machine(cores(2));
        c.join(name);
    }
    c.submit(job().tasks(2));
    c.submit(job().tasks(2));
    c.submit(job().tasks(2).partition("second"));
    BOOST_TEST(c.running() == "1 3");
    BOOST_TEST((c.at(3).run->placement.nodes.front().node == c.node("n2").id));
}

BOOST_AUTO_TEST_CASE(partitions_can_share_nodes)
{
    auto settings = some_settings(nodes(1));
    settings.partitions.push_back(some_partition("second", {"n1"}));
    Cluster c(settings);
    c.machines["n1"] = some_machine(cores(2));
    c.join("n1");
    c.submit(job().tasks(2));
    c.submit(job().tasks(2).partition("second"));
    BOOST_TEST(c.running() == "1");
    c.report_end("n1", ended(ref(1))); // an end in one lets the other one's head start
    BOOST_TEST(c.running() == "2");
}

BOOST_AUTO_TEST_CASE(nodes_are_filled_in_the_partitions_order)
{
    auto settings = some_settings(nodes(2));
    settings.partitions[0].nodes = {"n2", "n1"};
    Cluster c(settings);
    for (auto* name : {"n1", "n2"}) {
        c.machines[name] = some_machine(cores(2));
        c.join(name);
    }
    c.submit(job());
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on n2 cores 0");
    c.submit(job().tasks(2));
    BOOST_TEST(c.events() == "submitted 2; started 2.1 on n1 cores 0-1");
}

BOOST_AUTO_TEST_CASE(memory_is_counted_like_cores)
{
    Cluster c(nodes(1), cores(4)); // 4 GiB
    c.submit(job().memory(mebibytes(3072)));
    c.submit(job().memory(mebibytes(1536)));
    BOOST_TEST(c.running() == "1");
    BOOST_TEST(c.reason(2) == "Resources: needs 1 cores and 1.5G; n1 has 3 cores and 1G free");
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "2");
    BOOST_TEST((c.node("n1").free.total_memory() == mebibytes(2560)));
}

BOOST_AUTO_TEST_CASE(a_partitions_memory_per_core_is_what_a_silent_request_gets)
{
    auto settings = some_settings(nodes(1));
    settings.partitions[0].default_memory_per_cpu = mebibytes(100);
    Cluster c(settings);
    c.machines["n1"] = some_machine(cores(4));
    c.join("n1");
    c.submit(job().tasks(2));
    BOOST_TEST((c.at(1).run->placement.nodes.front().total_memory() == mebibytes(200)));
}

BOOST_AUTO_TEST_CASE(exclusive_jobs_share_with_nobody)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job());
    c.submit(job().exclusive());
    BOOST_TEST(c.running() == "1");
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "2");
    BOOST_TEST(c.node("n1").free.cores.empty());
    BOOST_TEST((c.node("n1").free.total_memory() == MemorySize{}));
    c.submit(job());
    BOOST_TEST(c.running() == "2");
}

BOOST_AUTO_TEST_CASE(a_node_that_enforces_less_than_the_partition_asks_is_not_used)
{
    auto settings = some_settings(nodes(2));
    settings.partitions[0].confinement = Confinement::track;
    Cluster c(settings);
    for (auto* name : {"n1", "n2"}) {
        c.machines[name] = some_machine(cores(2));
        c.join(name);
    }
    c.submit(job());
    BOOST_TEST(c.running() == "");
    BOOST_TEST(c.reason(1) == "NodesUnavailable: no node of partition batch can take it now: 2 unable to confine at level track");
    c.machines["n2"].capabilities = required_capabilities(Confinement::track);
    c.join("n2");
    BOOST_TEST(c.events() == "registered n2; started 1.1 on n2 cores 0");
}

BOOST_AUTO_TEST_CASE(the_reason_counts_the_nodes_by_what_is_wrong_with_them)
{
    Cluster c(nodes(4), cores(2));
    c.machines["n4"] = some_machine(cores(8));
    c.join("n4");
    c.lose("n4");
    c.drain(otto, {"n1"}, "disk");
    c.submit(job().cpus(4));
    BOOST_TEST(c.reason(1) == "NodesUnavailable: no node of partition batch can take it now: 1 not connected, 1 drained, 2 too small");
}

BOOST_AUTO_TEST_CASE(a_job_that_can_never_run_is_held_and_lets_others_pass)
{
    Cluster c(some_settings(nodes(2)));
    c.submit(job().cpus(8)); // taken while the nodes' sizes are unknown
    c.submit(job());
    c.machines["n1"] = c.machines["n2"] = some_machine(cores(4));
    c.join("n1");
    BOOST_TEST(c.running() == ""); // n2 may be larger
    c.join("n2");
    BOOST_TEST(c.events() == "registered n2; held 1 by the scheduler: no node of partition batch can ever run it: it asks for 8 cores, but n1 has 4; "
                             "started 2.1 on n1 cores 0");
    BOOST_TEST(c.reason(1) == "Held: held by the scheduler: no node of partition batch can ever run it: it asks for 8 cores, but n1 has 4");
    // Its owner may try again, in vain until there is such a node.
    BOOST_TEST(c.release(alice, {1}) == "1 ok");
    BOOST_TEST(c.events().starts_with("released 1; held 1 by the scheduler"));
    c.machines["n2"] = some_machine(cores(8));
    c.join("n2");
    BOOST_TEST(c.running() == "2");
    c.release(alice, {1});
    BOOST_TEST(c.running() == "1 2");
}

BOOST_AUTO_TEST_CASE(nothing_is_examined_twice_for_a_job_that_changes_nothing)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job());
    c.run(c.command(job())); // behind the head
    BOOST_TEST(!c.owner().unfinished());
    BOOST_TEST(c.events() == "submitted 3");
    BOOST_TEST(c.reason(3) == "Priority: behind job 2, the first in line");
}

BOOST_AUTO_TEST_CASE(after_a_restart_a_job_is_examined_anew)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job());
    BOOST_TEST(c.reason(2) == "Resources: needs 1 cores and 1G; n1 has 0 cores and 0 free");
    c.restart();
    BOOST_TEST(c.reason(2) == "NodesUnavailable: no node of partition batch can take it now: 1 not connected");
    BOOST_TEST(cluster::wait_reason(c.state(), {}, c.at(2)).code == "NotExamined");
}

BOOST_AUTO_TEST_CASE(a_pass_over_a_partition_that_is_gone_does_nothing)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job());
    const auto outcome = cluster::decide(c.state(), cluster::ContinuePass{7}, c.now);
    BOOST_TEST(outcome.events.empty());
    BOOST_TEST(!outcome.advice);
}

BOOST_AUTO_TEST_CASE(one_that_came_before_the_head_was_not_examined)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job());
    c.may_start = false; // no pass
    c.submit(job().priority(5));
    BOOST_TEST(c.reason(3) == "NotExamined: not yet examined");
    BOOST_TEST(c.reason(2) == "Resources: needs 1 cores and 1G; n1 has 0 cores and 0 free"); // it was the first
    c.may_start = true;
    c.run(cluster::TimePassed{});
    BOOST_TEST(c.reason(3) == "Resources: needs 1 cores and 1G; n1 has 0 cores and 0 free");
    BOOST_TEST(c.reason(2) == "Priority: behind job 3, the first in line");
}

BOOST_AUTO_TEST_CASE(nodes_that_a_job_excludes_are_counted)
{
    auto settings = some_settings(nodes(3));
    Cluster c(settings);
    c.join_all(cores(1));
    c.drain(otto, {"n2"}, "disk");
    c.submit(job().exclude({"n1", "n3"}));
    BOOST_TEST(c.reason(1) == "NodesUnavailable: no node of partition batch can take it now: 1 drained, 2 excluded");
}

BOOST_AUTO_TEST_CASE(many_reasons_are_those_of_each_job)
{
    auto settings = some_settings(nodes(2));
    settings.partitions.push_back(some_partition("small", {"n2"}));
    Cluster c(settings);
    c.join_all(cores(1));
    for (int i = 0; i < 5; ++i)
        c.submit(job());
    for (int i = 0; i < 3; ++i)
        c.submit(job().partition("small"));
    c.submit(job().hold());
    c.submit(job().after("afterany:1"));
    cluster::WaitReasons reasons(c.state(), c.board());
    std::string text;
    for (const auto& [id, job] : c.state().jobs) {
        if (job->state != JobState::pending)
            continue;
        const auto reason = reasons.of(*job);
        BOOST_TEST((*reason == cluster::wait_reason(c.state(), c.board(), *job)), id.value);
        text += fmt::format("{}:{} ", id, reason->code);
    }
    BOOST_TEST(text == "3:Resources 4:Priority 5:Priority 6:Resources 7:Priority 8:Priority 9:Held 10:Dependency ");
    BOOST_TEST((reasons.of(c.at(4)) == reasons.of(c.at(5)))); // worded once
}

BOOST_AUTO_TEST_SUITE_END()
