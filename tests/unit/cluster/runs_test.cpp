// The life of a job over several nodes: prepared, running, ending, and what was lost on the way made good.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::EndedOnNode;
using jarvis::cluster::MemberState;

namespace {

// Job 1 runs on n1, n2 and n3, and nothing is prepared yet.
struct Three : Cluster {
    Three() : Cluster(nodes(4), cores(2)) { submit(job().nodes(3).requeue()); }

    void prepare()
    {
        report_prepared("n2", ref(1));
        report_prepared("n3", ref(1));
    }
    // How members end that were told that the job has ended.
    void finish(const std::string& node) { report_end(node, ended(ref(1))); }
};

EndedOnNode used(EndedOnNode end, Duration elapsed, Duration user, MemorySize peak)
{
    end.usage = {.elapsed = elapsed, .cpu_user = user, .cpu_system = 1s, .memory_peak = peak};
    return end;
}

} // namespace

BOOST_AUTO_TEST_SUITE(runs)

BOOST_AUTO_TEST_CASE(the_script_starts_when_all_others_are_prepared)
{
    Three c;
    BOOST_TEST(c.effects() == "prepare 1.1 on n2; prepare 1.1 on n3");
    c.report_prepared("n3", ref(1));
    BOOST_TEST(c.events() == "prepared 1.1 on n3");
    BOOST_TEST(c.effects() == "");
    c.report_prepared("n3", ref(1)); // doubled
    BOOST_TEST(c.events() == "");
    c.report_prepared("n2", ref(1));
    BOOST_TEST(c.events() == "prepared 1.1 on n2");
    BOOST_TEST(c.effects() == "start 1.1 on n1");
}

BOOST_AUTO_TEST_CASE(it_ends_when_all_nodes_are_through)
{
    Three c;
    c.prepare();
    c.report_end("n1", used(ended(ref(1)), 60s, 50s, mebibytes(100)));
    BOOST_TEST(c.events() == "ending 1.1 on n1 COMPLETED none");
    BOOST_TEST(c.effects() == "finish 1.1 on n2: the job has ended; finish 1.1 on n3: the job has ended; ack 1.1 on n1");
    BOOST_TEST((c.at(1).state == JobState::completing));
    c.report_end("n3", used(ended(ref(1)), 61s, 7s, mebibytes(300)));
    BOOST_TEST(c.events() == "finished 1.1 on n3");
    c.report_end("n3", used(ended(ref(1)), 61s, 7s, mebibytes(300))); // its acknowledgement was lost
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "ack 1.1 on n3");
    c.report_end("n2", used(ended(ref(1)), 62s, 8s, mebibytes(200)));
    BOOST_TEST(c.events() == "ended 1.1 COMPLETED none");
    const auto& usage = c.at(1).ended->usage;
    BOOST_TEST((usage.elapsed == 60s));
    BOOST_TEST((usage.cpu_user == 65s));
    BOOST_TEST((usage.cpu_system == 3s));
    BOOST_TEST((usage.memory_peak == mebibytes(300)));
    BOOST_TEST(c.node("n2").free.cores.count() == 2u);
}

// Each node may say as much as the journal takes of one duration.
BOOST_AUTO_TEST_CASE(times_add_up_to_no_more_than_the_journal_takes)
{
    constexpr Duration most{std::int64_t{1} << 53};
    Three c;
    c.prepare();
    for (const char* node : {"n1", "n2", "n3"})
        c.report_end(node, used(ended(ref(1)), 60s, most, mebibytes(100)));
    BOOST_TEST((c.at(1).ended->usage.cpu_user == most));
}

BOOST_AUTO_TEST_CASE(a_report_brings_up_what_was_lost)
{
    Three c;
    c.report("n2", {}); // its order was lost
    BOOST_TEST(c.effects() == "prepare 1.1 on n2");
    c.report("n1", {}); // has nothing to do yet
    BOOST_TEST(c.effects() == "");
    c.report("n2", {.running = {ref(1)}, .ended = {}, .prepared = {}});
    BOOST_TEST(c.effects() == "");
    c.report("n2", {.running = {ref(1)}, .ended = {}, .prepared = {ref(1)}});
    BOOST_TEST(c.events() == "prepared 1.1 on n2");
    c.report("n3", {.running = {ref(1)}, .ended = {}, .prepared = {ref(1)}});
    BOOST_TEST(c.effects() == "start 1.1 on n1");
    c.report("n1", {}); // the start was lost
    BOOST_TEST(c.effects() == "start 1.1 on n1");
    BOOST_TEST(c.events() == "");
    c.report_end("n1", ended(ref(1), JobState::failed, EndClass::user, "exit code 1"));
    c.report("n2", {.running = {ref(1)}, .ended = {}, .prepared = {ref(1)}}); // was not told
    BOOST_TEST(c.effects() == "finish 1.1 on n2: exit code 1");
    c.report("n3", {}); // knows nothing of it: it answers such an order with an end
    BOOST_TEST(c.effects() == "finish 1.1 on n3: exit code 1");
    c.report("n1", {});
    BOOST_TEST(c.effects() == "");
    c.finish("n2");
    c.finish("n3");
    BOOST_TEST(c.events() == "ended 1.1 FAILED user: exit code 1");
}

BOOST_AUTO_TEST_CASE(a_restart_of_the_controller_changes_nothing)
{
    Three c;
    c.report_prepared("n2", ref(1));
    c.restart();
    c.join("n2", {.running = {ref(1)}, .ended = {}, .prepared = {ref(1)}});
    c.join("n1", {});
    BOOST_TEST(c.effects() == "welcome n1");
    c.join("n3", {.running = {ref(1)}, .ended = {}, .prepared = {ref(1)}});
    BOOST_TEST(c.effects() == "welcome n3; start 1.1 on n1");
}

BOOST_AUTO_TEST_CASE(a_cancel_ends_the_script_first)
{
    Three c;
    c.prepare();
    c.cancel(alice, {1});
    BOOST_TEST(c.effects() == "stop 1.1 on n1: cancelled by alice");
    c.report("n2", {.running = {ref(1)}, .ended = {}, .prepared = {ref(1)}});
    BOOST_TEST(c.effects() == "");
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user, "cancelled by alice"));
    c.finish("n2");
    c.finish("n3");
    BOOST_TEST(c.events() == "ended 1.1 CANCELLED user: cancelled by alice");
}

BOOST_AUTO_TEST_CASE(before_the_script_has_started_all_are_told)
{
    Three c;
    c.report_prepared("n2", ref(1));
    c.cancel(alice, {1});
    BOOST_TEST(c.effects() == "stop 1.1 on n1: cancelled by alice; stop 1.1 on n2: cancelled by alice; stop 1.1 on n3: cancelled by alice");
    c.report_prepared("n3", ref(1)); // crossed the stop
    BOOST_TEST(c.effects() == "");
    c.report("n3", {.running = {ref(1)}, .ended = {}, .prepared = {ref(1)}});
    BOOST_TEST(c.effects() == "stop 1.1 on n3: cancelled by alice");
    c.report_end("n2", ended(ref(1), JobState::cancelled, EndClass::user, "cancelled by alice"));
    BOOST_TEST(c.events() == "ending 1.1 on n2 CANCELLED user: cancelled by alice");
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user));
    c.report_end("n3", ended(ref(1), JobState::cancelled, EndClass::user));
    BOOST_TEST(c.events() == "ended 1.1 CANCELLED user: cancelled by alice");
}

BOOST_AUTO_TEST_CASE(a_member_that_fails_ends_the_job)
{
    Three c;
    c.report_end("n3", ended(ref(1), JobState::failed, EndClass::system, "cannot create cgroup: no space left on device"));
    BOOST_TEST(c.events() == "ending 1.1 on n3 FAILED system: node n3: cannot create cgroup: no space left on device");
    BOOST_TEST(c.effects() == "stop 1.1 on n1: node n3: cannot create cgroup: no space left on device; finish 1.1 on n2: the job has ended; ack 1.1 on n3");
    c.finish("n2");
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user));
    BOOST_TEST(c.events() == "ended 1.1 FAILED system: node n3: cannot create cgroup: no space left on device");
}

BOOST_AUTO_TEST_CASE(a_node_that_reboots_takes_the_whole_job_along)
{
    Three c;
    c.prepare();
    c.lose("n2");
    c.machines["n2"].boot_id = "boot-2";
    c.join("n2");
    BOOST_TEST(c.events() == "registered n2; ending 1.1 on n2 NODE_FAIL node: node n2 rebooted");
    BOOST_TEST(c.effects() == "welcome n2; stop 1.1 on n1: node n2 rebooted; finish 1.1 on n3: the job has ended");
    c.finish("n3");
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user));
    BOOST_TEST(c.events() == "requeued 1.1: node n2 rebooted; started 1.2 on n1 cores 0 on n2 cores 0 on n3 cores 0");
    BOOST_TEST((c.at(1).run->members == std::vector{MemberState::starting, MemberState::starting, MemberState::starting}));
}

BOOST_AUTO_TEST_CASE(a_node_that_goes_while_it_finishes_holds_up_nobody)
{
    Three c;
    c.prepare();
    c.report_end("n1", ended(ref(1)));
    c.finish("n2");
    c.lose("n3");
    c.pass(5min);
    BOOST_TEST(c.events() == "down n3: silent for 5m; ended 1.1 COMPLETED none");
    BOOST_TEST(c.node("n3").condemned.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_cancel_while_it_ends_keeps_it_from_being_requeued)
{
    Three c;
    c.prepare();
    c.down(otto, {"n3"}, "fire", true);
    BOOST_TEST((c.at(1).state == JobState::completing));
    c.cancel(alice, {1});
    BOOST_TEST(c.effects() == "");
    c.finish("n2");
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user));
    BOOST_TEST(c.events() == "ended 1.1 NODE_FAIL node: node n3 was set down by otto: fire");
}

BOOST_AUTO_TEST_CASE(several_of_its_nodes_can_go_at_once)
{
    Three c;
    c.prepare();
    for (auto* name : {"n1", "n2", "n3"})
        c.lose(name);
    c.pass(5min);
    BOOST_TEST(c.events() == "down n1: silent for 5m; ending 1.1 on n1 NODE_FAIL node: node n1 is down: silent for 5m; down n2: silent for 5m; "
                             "finished 1.1 on n2; down n3: silent for 5m; ended 1.1 NODE_FAIL node: node n1 is down: silent for 5m");
}

BOOST_AUTO_TEST_CASE(a_lost_part_that_still_runs_is_killed_when_its_node_returns)
{
    Three c;
    c.prepare();
    c.lose("n1");
    c.pass(5min); // the others have been told, and have not answered yet
    c.join("n1", {.running = {ref(1)}, .ended = {}});
    BOOST_TEST(c.events() == "registered n1; violation on n1: job 1 (incarnation 1) still ran when the node was heard of again; it was over, and is killed");
    BOOST_TEST(state_name(c.node("n1")) == "down");
}

BOOST_AUTO_TEST_CASE(it_is_requeued_only_where_no_part_can_run_any_more)
{
    Three c;
    c.prepare();
    c.down(otto, {"n3"}, "fire", true); // known to be gone
    c.lose("n2");
    c.pass(5min); // not known to be
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user));
    BOOST_TEST(c.events() == "ended 1.1 NODE_FAIL node: node n3 was set down by otto: fire");
}

BOOST_AUTO_TEST_CASE(a_prepared_member_that_is_gone_is_a_violation)
{
    Three c;
    c.prepare();
    c.report("n2", {});
    BOOST_TEST(c.events() == "violation on n2: job 1 (incarnation 1) should run and does not; it is started again");
    BOOST_TEST(c.effects() == "prepare 1.1 on n2");
    c.report("n2", {});
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_SUITE_END()
