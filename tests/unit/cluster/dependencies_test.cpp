// Dependencies: what they wait for, what can never hold, and that they cost nothing while they wait.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::Command;
using jarvis::cluster::JobRef;

namespace {

void end_well(Cluster& c, JobRef job) { c.report_end("n1", ended(job)); }
void end_badly(Cluster& c, JobRef job) { c.report_end("n1", ended(job, JobState::failed, EndClass::user, "exit code 1")); }

} // namespace

BOOST_AUTO_TEST_SUITE(dependencies)

BOOST_AUTO_TEST_CASE(afterok_waits_for_a_good_end)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job());
    BOOST_TEST(c.submit(job().after("afterok:1")) == "job 2");
    BOOST_TEST(c.events() == "submitted 2");
    BOOST_TEST(c.reason(2) == "Dependency: waits for afterok:1");
    end_well(c, ref(1));
    BOOST_TEST(c.events() == "ended 1.1 COMPLETED none; dependency 0 of 2 holds; started 2.1 on n1 cores 0");
}

BOOST_AUTO_TEST_CASE(afterok_of_a_failure_never_holds)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job());
    c.submit(job().after("afterok:1"));
    c.submit(job().after("afterok:1").kill_on_invalid());
    c.submit(job().after("afternotok:1"));
    c.submit(job().after("afterany:1"));
    end_badly(c, ref(1));
    BOOST_TEST(c.running() == "4 5");
    BOOST_TEST((c.at(2).state == JobState::pending));
    BOOST_TEST(c.reason(2) == "DependencyNeverSatisfied: dependency afterok:1 can never hold: job 1 ended as FAILED");
    BOOST_TEST((c.at(3).state == JobState::cancelled));
    BOOST_TEST(c.at(3).ended->end.cause == "dependency afterok:1 can never hold: job 1 ended as FAILED");
    BOOST_TEST(c.cancel(alice, {2}) == "2 ok");
}

BOOST_AUTO_TEST_CASE(what_has_ended_counts_at_submit)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job());
    c.submit(job());
    end_well(c, ref(1));
    end_badly(c, ref(2));
    c.submit(job().after("afterok:1,afterany:2,afternotok:2"));
    BOOST_TEST(c.running() == "3");
    c.submit(job().after("afterok:2,afterok:1"));
    BOOST_TEST(c.reason(4) == "DependencyNeverSatisfied: dependency afterok:2 can never hold: job 2 ended as FAILED");
    c.submit(job().after("afterok:2?afterok:1"));
    BOOST_TEST(c.running() == "3 5");
    c.submit(job().after("afterok:2").kill_on_invalid());
    BOOST_TEST(c.events() == "submitted 6; dependency 0 of 6 never; "
                             "ended 6.1 CANCELLED user: dependency afterok:2 can never hold: job 2 ended as FAILED");
}

BOOST_AUTO_TEST_CASE(one_of_several_is_enough_where_it_says_so)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job());
    c.submit(job());
    c.submit(job().after("afterok:1?afterok:2"));
    c.submit(job().after("afterok:1?afterok:2").kill_on_invalid());
    end_badly(c, ref(1));
    BOOST_TEST(c.reason(3) == "Dependency: waits for afterok:2");
    end_badly(c, ref(2));
    BOOST_TEST(c.reason(3) == "DependencyNeverSatisfied: dependency afterok:2 can never hold: job 2 ended as FAILED");
    BOOST_TEST((c.at(4).state == JobState::cancelled));
}

BOOST_AUTO_TEST_CASE(after_waits_for_the_start)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    c.submit(job().tasks(2));
    c.submit(job().after("after:2").priority(5));
    c.submit(job().after("after:2+10").priority(5));
    c.pass(5min);
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "2");
    BOOST_TEST(c.reason(3).starts_with("Resources: "));
    BOOST_TEST(c.reason(4).starts_with("Dependency: waits for after:2+10m, which holds from "));
    c.report_end("n1", ended(ref(2)));
    BOOST_TEST(c.running() == "3");
    c.pass(9min);
    BOOST_TEST(c.running() == "3");
    c.pass(1min);
    BOOST_TEST(c.running() == "3 4");
}

BOOST_AUTO_TEST_CASE(after_also_holds_when_the_other_will_never_start)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().hold());
    c.submit(job().after("after:1+10"));
    c.cancel(alice, {1});
    BOOST_TEST(c.running() == "2");
}

BOOST_AUTO_TEST_CASE(arrays_are_waited_for_as_a_whole_and_by_task)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().array("0-2"));
    c.submit(job().after("afterok:1"));
    c.submit(job().after("afterok:1_1"));
    c.submit(job().after("afterany:1_2"));
    c.submit(job().after("after:1"));
    BOOST_TEST(c.running() == "1_0 1_1 1_2 5");
    end_well(c, ref("1_1"));
    BOOST_TEST(c.running() == "1_0 1_2 3 5");
    end_well(c, ref("1_0"));
    end_badly(c, ref("1_2"));
    BOOST_TEST(c.running() == "3 4 5");
    BOOST_TEST(c.reason(2) == "DependencyNeverSatisfied: dependency afterok:1 can never hold: job 1 ended as FAILED");
}

BOOST_AUTO_TEST_CASE(tasks_that_never_were_jobs_are_waited_for_too)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job().array("0-2"));
    c.submit(job().after("afterany:2_1").priority(9));
    c.cancel(alice, {"2_1"});
    BOOST_TEST(c.events() == "ended 2_1 CANCELLED: cancelled by alice; dependency 0 of 3 holds");
    c.submit(job().after("afterok:2_1"));
    BOOST_TEST(c.reason(4).starts_with("DependencyNeverSatisfied: dependency afterok:2_1 can never hold"));
}

BOOST_AUTO_TEST_CASE(aftercorr_goes_task_by_task)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().array("0-3"));
    c.submit(job().array("0-3").after("aftercorr:1"));
    BOOST_TEST(c.running() == "1_0 1_1 1_2 1_3");
    BOOST_TEST(c.reason(2) == "Dependency: waits for aftercorr:1");
    end_well(c, ref("1_2"));
    BOOST_TEST(c.running() == "1_0 1_1 1_3 2_2");
    c.hold(alice, {"2_0"});
    c.release(alice, {"2_0"});
    BOOST_TEST(c.reason("2_0") == "Dependency: waits for aftercorr:1");
    end_well(c, ref("1_0"));
    BOOST_TEST(c.running() == "1_1 1_3 2_0 2_2");
    end_badly(c, ref("1_1"));
    end_well(c, ref("1_3"));
    BOOST_TEST(c.running() == "2_0 2_2 2_3");
    BOOST_TEST(c.reason(2) == "DependencyNeverSatisfied: dependency aftercorr:1 can never hold: its task did not end well");
    c.restart();
    BOOST_TEST(c.reason(2) == "DependencyNeverSatisfied: dependency aftercorr:1 can never hold: its task did not end well");
}

BOOST_AUTO_TEST_CASE(aftercorr_can_cancel_what_never_starts)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().array("0-1"));
    c.submit(job().array("0-1").after("aftercorr:1").kill_on_invalid());
    end_badly(c, ref("1_1"));
    BOOST_TEST(c.events() == "ended 1_1.1 FAILED user: exit code 1; dependency 0 of 2 ok [] never [1]; "
                             "ended 2_1 CANCELLED: dependency aftercorr:1 can never hold: tasks of array 1 did not end well");
    end_well(c, ref("1_0"));
    BOOST_TEST(c.running() == "2_0");
    end_well(c, ref("2_0"));
    BOOST_TEST((c.at(2).state == JobState::cancelled));
}

BOOST_AUTO_TEST_CASE(aftercorr_cancels_at_the_submit_what_has_failed_already)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().array("0-1"));
    end_badly(c, ref("1_1"));
    c.submit(job().array("0-1").after("aftercorr:1").kill_on_invalid());
    end_well(c, ref("1_0"));
    BOOST_TEST(c.running() == "2_0");
    end_well(c, ref("2_0"));
    BOOST_TEST((c.at(2).state == JobState::cancelled));
}

BOOST_AUTO_TEST_CASE(an_array_is_opened_again_when_what_it_waited_for_is_forgotten)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().array("0-1"));
    c.submit(job().array("0-1").after("aftercorr:1").limit(10h));
    end_well(c, ref("1_0"));
    end_badly(c, ref("1_1"));
    c.cancel(alice, {"2_1"});
    c.pass(2h);
    c.pass(0s);
    BOOST_TEST(!c.state().jobs.contains(JobId{1}));
    end_badly(c, ref("2_0"));
    BOOST_TEST((c.at(2).state == JobState::failed));
    BOOST_TEST(c.requeue(alice, {"2_0"}) == "2_0 ok");
    BOOST_TEST(c.running() == "2_0");
    c.restart();
    end_well(c, ref("2_0", 2));
    BOOST_TEST((c.at(2).state == JobState::cancelled));
}

BOOST_AUTO_TEST_CASE(a_singleton_waits_for_all_of_its_name)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().named("a"));
    c.submit(job().named("a").hold());
    c.submit(job().named("a").after("singleton"));
    c.submit(job().named("a").after("singleton"));
    c.submit(job().named("b").after("singleton"));
    c.submit(job().named("a").by(bob).after("singleton"));
    BOOST_TEST(c.running() == "1 5 6");
    end_well(c, ref(1));
    BOOST_TEST(c.running() == "5 6");
    c.cancel(alice, {2});
    BOOST_TEST(c.running() == "3 5 6");
    end_badly(c, ref(3));
    BOOST_TEST(c.running() == "4 5 6");
}

BOOST_AUTO_TEST_CASE(unknown_ids_and_its_own_are_refused)
{
    Cluster c(nodes(1), cores(8));
    BOOST_TEST(c.submit(job().after("afterok:1")) ==
               "not found: --dependency: no job 1; an ended job can be waited for only while jq knows it");
    c.submit(job().array("0-2"));
    BOOST_TEST(c.submit(job().after("afterok:1_5")) == "not found: --dependency: job 1 has no task 5");
    BOOST_TEST(c.submit(job().after("aftercorr:1")) == "invalid: --dependency: aftercorr stands between two arrays; this job is none");
    BOOST_TEST(c.submit(job().array("0-3").after("aftercorr:1")) ==
               "invalid: --dependency: aftercorr needs each task to have its like, and array 1 has no task 3");
    c.submit(job());
    BOOST_TEST(c.submit(job().array("0-3").after("aftercorr:2")) == "invalid: --dependency: aftercorr stands between two arrays; job 2 is none");
}

BOOST_AUTO_TEST_CASE(jobs_of_others_can_be_waited_for)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().by(bob));
    c.submit(job().after("afterany:1"));
    end_badly(c, ref(1));
    BOOST_TEST(c.running() == "2");
}

BOOST_AUTO_TEST_CASE(a_chain_of_ten_thousand_costs_nothing_while_it_waits)
{
    Cluster c(some_settings(nodes(1)));
    c.machines["n1"] = some_machine(cores(1));
    std::vector<Command> chain{c.command(job())};
    for (std::uint64_t i = 1; i < 10'000; ++i)
        chain.push_back(c.command(job().after(fmt::format("afterok:{}", i).c_str())));
    c.run(std::move(chain));
    BOOST_TEST(c.state().index.queues[0].size() == 1u);
    c.join("n1");
    end_well(c, ref(1));
    BOOST_TEST(c.event_count() == 3u); // its end, one dependency, one start
    BOOST_TEST(c.running() == "2");
    // The whole chain goes in steps when its beginning fails.
    c.submit(job().after("afterok:2").kill_on_invalid());
    end_badly(c, ref(2));
    BOOST_TEST(c.event_count() == 4u);
}

BOOST_AUTO_TEST_CASE(ten_thousand_dependents_are_resolved_in_slices)
{
    Cluster c(nodes(1), cores(1));
    std::vector<Command> commands{c.command(job())};
    for (int i = 0; i < 10'000; ++i)
        commands.push_back(c.command(job().after("afternotok:1").kill_on_invalid()));
    c.run(std::move(commands));
    end_well(c, ref(1));
    BOOST_TEST(c.event_count() == 20'001u);
    BOOST_TEST(c.slices() >= 3);
    BOOST_TEST(c.state().index.on_end.empty());
    BOOST_TEST(c.state().index.active_jobs == 0u);
}

BOOST_AUTO_TEST_CASE(a_chain_that_fails_goes_link_by_link)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    for (std::uint64_t i = 1; i < 1000; ++i)
        c.submit(job().after(fmt::format("afterok:{}", i).c_str()).kill_on_invalid());
    end_badly(c, ref(1));
    BOOST_TEST(c.state().index.active_jobs == 0u);
    BOOST_TEST((c.at(1000).state == JobState::cancelled));
}

BOOST_AUTO_TEST_CASE(what_the_end_of_the_controller_left_is_done_after_its_start)
{
    Cluster c(nodes(1), cores(1));
    std::vector<Command> commands{c.command(job())};
    for (int i = 0; i < 10; ++i)
        commands.push_back(c.command(job().after("afterok:1")));
    c.run(std::move(commands));
    c.may_start = false; // the storage is in its reserve: ends alone
    end_well(c, ref(1));
    BOOST_TEST(c.events() == "ended 1.1 COMPLETED none");
    c.pass(3h);
    BOOST_TEST((c.state().find({1}) != nullptr)); // it is still waited for
    c.may_start = true;
    c.restart();
    BOOST_TEST(c.state().index.on_end.empty());
    c.join("n1");
    BOOST_TEST(c.running() == "2");
}

BOOST_AUTO_TEST_CASE(no_task_is_cancelled_while_another_of_several_may_hold)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().hold());
    c.submit(job().array("0-1"));
    c.submit(job().array("0-1"));
    c.submit(job().array("0-1").after("afterok:1?aftercorr:2?aftercorr:3").kill_on_invalid());
    for (const auto* task : {"2_0", "2_1", "3_0", "3_1"})
        end_badly(c, ref(task));
    BOOST_TEST(c.array(4).cancelled.empty());
    BOOST_TEST(c.reason(4) == "Dependency: waits for afterok:1");
    c.release(alice, {1});
    end_well(c, ref(1));
    BOOST_TEST(c.running() == "4_0 4_1");
}

BOOST_AUTO_TEST_CASE(the_last_of_several_cancels_those_tasks_alone_that_nothing_lets_go)
{
    Cluster c(nodes(1), cores(3));
    c.submit(job());
    c.submit(job().array("0-1"));
    c.submit(job().array("0-1").after("afterok:1?aftercorr:2").kill_on_invalid());
    c.submit(job().tasks(2).priority(9));
    end_badly(c, ref("2_0"));
    BOOST_TEST(c.array(3).cancelled.empty()); // 1 may still end well
    end_well(c, ref("2_1"));
    BOOST_TEST(c.running() == "1 4"); // 3_1 may start, and finds no core
    end_badly(c, ref(1));
    BOOST_TEST(c.events() == "ended 1.1 FAILED user: exit code 1; dependency 0 of 3 never; ended 3_0 CANCELLED: dependency afterok:1 can "
                             "never hold: job 1 ended as FAILED; split 3_1; started 3_1.1 on n1 cores 0");
}

BOOST_AUTO_TEST_CASE(what_an_aftercorr_gave_up_is_cancelled_with_the_last_of_the_others)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job());
    c.submit(job().array("0-2"));
    c.submit(job().array("0-2").after("afterok:1?aftercorr:2").kill_on_invalid());
    c.hold(alice, {"3_1"});
    end_badly(c, ref("2_0"));
    end_badly(c, ref("2_1"));
    end_badly(c, ref(1));
    BOOST_TEST(format_index_set(c.array(3).cancelled) == "0,1"); // one of them was a job of its own
    BOOST_TEST(format_index_set(c.array(3).waiting) == "2");
    end_well(c, ref("2_2"));
    BOOST_TEST(c.running() == "3_2");
}

BOOST_AUTO_TEST_CASE(a_task_is_cancelled_once_none_of_several_arrays_lets_it_go)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().array("0-1"));
    c.submit(job().array("0-1"));
    c.submit(job().array("0-1").after("aftercorr:1?aftercorr:2").kill_on_invalid());
    end_badly(c, ref("1_0"));
    end_badly(c, ref("2_1"));
    BOOST_TEST(c.array(3).cancelled.empty());
    end_badly(c, ref("2_0"));
    BOOST_TEST(format_index_set(c.array(3).cancelled) == "0");
    end_well(c, ref("1_1"));
    BOOST_TEST(c.running() == "3_1");
}

BOOST_AUTO_TEST_CASE(several_alternatives_are_looked_at_together_at_the_submit)
{
    Cluster c(nodes(1), cores(12));
    c.submit(job().array("0-2"));
    c.submit(job().array("0-2"));
    c.submit(job());
    c.submit(job().hold());
    for (const auto* task : {"1_0", "1_1", "2_0", "3"})
        end_badly(c, ref(task));
    end_well(c, ref("2_1"));
    c.submit(job().array("0-2").after("aftercorr:1?aftercorr:2?afterok:3").kill_on_invalid());
    BOOST_TEST(format_index_set(c.array(5).cancelled) == "0");
    BOOST_TEST(c.running() == "1_2 2_2 5_1");
    c.submit(job().array("0-2").after("aftercorr:1?aftercorr:2?afterok:4").kill_on_invalid());
    BOOST_TEST(c.array(6).cancelled.empty());
    BOOST_TEST(c.running() == "1_2 2_2 5_1 6_1");
}

BOOST_AUTO_TEST_CASE(a_task_that_none_of_several_lets_go_says_so)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().array("0-1"));
    c.submit(job().array("0-1"));
    c.submit(job().array("0-1").after("aftercorr:1?aftercorr:2"));
    c.hold(alice, {"3_0"});
    c.release(alice, {"3_0"});
    end_badly(c, ref("1_0"));
    BOOST_TEST(c.reason("3_0") == "Dependency: waits for aftercorr:1?aftercorr:2");
    end_badly(c, ref("2_0"));
    BOOST_TEST(c.reason("3_0") == "DependencyNeverSatisfied: none of its dependencies can hold any more: tasks of the same number did not end well");
    end_well(c, ref("1_1"));
    BOOST_TEST(c.running() == "2_1 3_1");
}

BOOST_AUTO_TEST_CASE(tasks_that_became_jobs_before_go_with_the_others)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job());
    c.submit(job().array("0-2").after("afterok:1"));
    c.hold(alice, {"2_[0-1]"});
    c.release(alice, {"2_0"});
    BOOST_TEST(c.reason("2_0") == "Dependency: waits for afterok:1");
    end_well(c, ref(1));
    BOOST_TEST(c.running() == "2_0 2_2");
}

BOOST_AUTO_TEST_CASE(an_array_whose_dependency_never_holds_is_cancelled_task_by_task)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job());
    c.submit(job().array("0-3").after("afterok:1").kill_on_invalid());
    c.hold(alice, {"2_1"});
    end_badly(c, ref(1));
    BOOST_TEST(c.events() == "ended 1.1 FAILED user: exit code 1; dependency 0 of 2 never; "
                             "ended 2_[0,2,3] CANCELLED: dependency afterok:1 can never hold: job 1 ended as FAILED; "
                             "ended 2_1.1 CANCELLED user: dependency afterok:1 can never hold: job 1 ended as FAILED; "
                             "ended 2.1 CANCELLED user: 4 of 4 tasks were cancelled");
    c.submit(job().array("0-3").after("afterok:1").kill_on_invalid()); // it is known by now
    BOOST_TEST(c.events() == "submitted 3; dependency 0 of 3 never; "
                             "ended 3_[0-3] CANCELLED: dependency afterok:1 can never hold: job 1 ended as FAILED; "
                             "ended 3.1 CANCELLED user: 4 of 4 tasks were cancelled");
}

BOOST_AUTO_TEST_CASE(an_array_may_wait_for_the_first_tasks_of_a_longer_one)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().array("0-3"));
    c.submit(job().array("0-1").after("aftercorr:1"));
    end_well(c, ref("1_3"));
    BOOST_TEST(c.events() == "ended 1_3.1 COMPLETED none"); // none of its tasks is asked for
    end_well(c, ref("1_1"));
    BOOST_TEST(c.running() == "1_0 1_2 2_1");
}

BOOST_AUTO_TEST_CASE(many_arrays_that_wait_for_one_go_in_steps)
{
    Cluster c(nodes(1), cores(300));
    c.submit(job().array("0-1"));
    for (int i = 0; i < 150; ++i)
        c.submit(job().array("0-1").after("aftercorr:1"));
    end_well(c, ref("1_0"));
    BOOST_TEST(c.event_count() == 1u + 150 + 2 * 150); // the end; each array is told; a task of each is split off, and starts
    end_well(c, ref("1_1"));
    BOOST_TEST(c.state().index.corr.empty());
}

BOOST_AUTO_TEST_CASE(a_long_list_is_cut_where_it_is_shown)
{
    Cluster c(nodes(1), cores(8));
    for (int i = 0; i < 6; ++i)
        c.submit(job());
    c.submit(job().after("afterok:1:2:3:4:5:6"));
    BOOST_TEST(c.reason(7) == "Dependency: waits for afterok:1:2:3:4:5,...");
    end_well(c, ref(3));
    BOOST_TEST(c.reason(7) == "Dependency: waits for afterok:1:2:4:5:6");
}

BOOST_AUTO_TEST_SUITE_END()
