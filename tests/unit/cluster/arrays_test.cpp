// Arrays: one record until tasks start; parts of them cancelled, held and released; throttles; a million tasks.
#include "cluster.hpp"

#include "cluster/relations.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;

namespace {

std::string waiting(const Cluster& c, std::uint64_t array) { return format_index_set(c.array(array).waiting); }

} // namespace

BOOST_AUTO_TEST_SUITE(arrays)

BOOST_AUTO_TEST_CASE(tasks_become_jobs_when_they_start)
{
    Cluster c(nodes(1), cores(2));
    BOOST_TEST(c.submit(job().array("0-4")) == "job 1");
    BOOST_TEST(c.events() == "submitted 1; split 1_0; started 1_0.1 on n1 cores 0; split 1_1; started 1_1.1 on n1 cores 1");
    BOOST_TEST(c.effects() == "start 1_0.1 on n1; start 1_1.1 on n1");
    BOOST_TEST(c.running() == "1_0 1_1");
    BOOST_TEST(waiting(c, 1) == "2-4");
    BOOST_TEST(c.state().jobs.size() == 3u);
    BOOST_TEST((c.at(1).state == JobState::pending));
    BOOST_TEST(c.state().index.active_jobs == 3u);

    c.report_end("n1", ended(ref("1_1")));
    BOOST_TEST(c.events() == "ended 1_1.1 COMPLETED none; split 1_2; started 1_2.1 on n1 cores 1");
}

BOOST_AUTO_TEST_CASE(the_array_ends_with_its_last_task)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().array("3,7"));
    c.report_end("n1", ended(ref("1_7")));
    BOOST_TEST(c.events() == "ended 1_7.1 COMPLETED none");
    c.report_end("n1", ended(ref("1_3")));
    BOOST_TEST(c.events() == "ended 1_3.1 COMPLETED none; ended 1.1 COMPLETED none");
    BOOST_TEST(c.state().index.active_jobs == 0u);
    c.pass(2h);
    c.pass(0s); // an array is forgotten after its tasks
    BOOST_TEST(c.state().jobs.empty());
    BOOST_TEST(c.state().arrays.empty());
}

BOOST_AUTO_TEST_CASE(one_failed_task_makes_it_a_failed_array)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().array("0-2"));
    auto failed = ended(ref("1_1"), JobState::failed, EndClass::user, "exit code 3");
    failed.end.exit_code = 3;
    c.report_end("n1", failed);
    c.report_end("n1", ended(ref("1_0")));
    c.report_end("n1", ended(ref("1_2"), JobState::cancelled, EndClass::user));
    BOOST_TEST(c.events() == "ended 1_2.1 CANCELLED user; ended 1.1 FAILED user: 1 of 3 tasks failed");
    BOOST_TEST((c.at(1).ended->end.exit_code == 3));
}

BOOST_AUTO_TEST_CASE(tasks_keep_the_arrays_place_in_the_queue)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job().array("0-1"));
    c.submit(job());
    c.submit(job().array("5").priority(1));
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "4_5");
    for (const auto* task : {"4_5", "2_0", "2_1"})
        c.report_end("n1", ended(ref(task)));
    BOOST_TEST(c.running() == "3");
}

BOOST_AUTO_TEST_CASE(a_throttle_holds_for_all_of_its_tasks)
{
    Cluster c(nodes(1), cores(8));
    c.submit(job().array("0-9%2"));
    c.submit(job());
    BOOST_TEST(c.running() == "1_0 1_1 2");
    BOOST_TEST(c.reason(1) == "ArrayTaskLimit: 2 tasks of array 1 run, its limit (%2 in --array)");
    c.hold(alice, {"1_2"});
    c.release(alice, {"1_2"});
    BOOST_TEST(c.reason("1_2") == "ArrayTaskLimit: 2 tasks of array 1 run, its limit (%2 in --array)");
    c.report_end("n1", ended(ref("1_0")));
    BOOST_TEST(c.running() == "1_1 1_2 2");
    c.cancel(alice, {"1_1"});
    BOOST_TEST(c.running() == "1_1 1_2 2"); // until it is over
    c.report_end("n1", ended(ref("1_1"), JobState::cancelled, EndClass::user));
    BOOST_TEST(c.running() == "1_2 1_3 2");
}

BOOST_AUTO_TEST_CASE(parts_are_cancelled_in_one_event)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().array("0-9"));
    BOOST_TEST(c.cancel(alice, {"1_[0,2-4,8]"}) == "1_[0,2-4,8] ok");
    BOOST_TEST(c.events() == "ended 1_[2-4,8] CANCELLED: cancelled by alice; stopping 1_0: cancelled by alice");
    BOOST_TEST(waiting(c, 1) == "5-7,9");
    BOOST_TEST(c.cancel(alice, {"1_3", "1_4"}) == "1_3 ok; 1_4 ok");
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.cancel(alice, {"1_[5-6]", "1_[6-7]"}) == "1_[5,6] ok; 1_[6,7] ok");
    BOOST_TEST(c.events() == "ended 1_[5,6] CANCELLED: cancelled by alice; ended 1_7 CANCELLED: cancelled by alice");
    BOOST_TEST(c.cancel(alice, {"1_[9-12]"}) == "1_[9-12] not found: array 1 has no task 10 (nor 2 others that were named)");
    BOOST_TEST(c.cancel(bob, {"1_9"}) == "1_9 denied: job 1 belongs to alice");
}

BOOST_AUTO_TEST_CASE(the_whole_array_is_cancelled)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().array("0-9"));
    c.hold(alice, {"1_5"});
    BOOST_TEST(c.cancel(alice, {1, "1_3"}) == "1 ok; 1_3 ok");
    BOOST_TEST(c.events() == "ended 1_[2-4,6-9] CANCELLED: cancelled by alice; stopping 1_0: cancelled by alice; "
                             "stopping 1_1: cancelled by alice; ended 1_5.1 CANCELLED user: cancelled by alice");
    c.report_end("n1", ended(ref("1_0"), JobState::cancelled, EndClass::user));
    c.report_end("n1", ended(ref("1_1"), JobState::cancelled, EndClass::user));
    BOOST_TEST(c.events() == "ended 1_1.1 CANCELLED user; ended 1.1 CANCELLED user: 10 of 10 tasks were cancelled");
}

BOOST_AUTO_TEST_CASE(an_array_that_never_started_is_over_at_once)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job().array("0-9"));
    c.cancel(alice, {2});
    BOOST_TEST(c.events() == "ended 2_[0-9] CANCELLED: cancelled by alice; ended 2.1 CANCELLED user: 10 of 10 tasks were cancelled");
}

BOOST_AUTO_TEST_CASE(parts_are_held_and_released)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job().array("0-5"));
    BOOST_TEST(c.hold(alice, {"2_[0-1]"}) == "2_[0,1] ok");
    BOOST_TEST(c.events() == "split 2_[0,1]; held 2_0 by alice; held 2_1 by alice");
    BOOST_TEST(c.reason("2_0") == "Held: held by alice");
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "2_2");
    BOOST_TEST(c.release(alice, {"2_1"}) == "2_1 ok");
    c.report_end("n1", ended(ref("2_2")));
    BOOST_TEST(c.running() == "2_1"); // before 2_3
    BOOST_TEST(c.release(alice, {2}) == "2 ok");
    BOOST_TEST(c.events() == "released 2_0");
}

BOOST_AUTO_TEST_CASE(the_whole_array_is_held)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().array("0-5"));
    BOOST_TEST(c.hold(alice, {1}) == "1 ok");
    BOOST_TEST(c.events() == "held 1 by alice");
    c.report_end("n1", ended(ref("1_0")));
    BOOST_TEST(c.running() == "1_1");
    BOOST_TEST(c.release(alice, {"1_4"}) == "1_4 ok"); // that one alone
    BOOST_TEST(c.running() == "1_1 1_4");
    BOOST_TEST(c.release(alice, {1}) == "1 ok");
    c.report_end("n1", ended(ref("1_4")));
    BOOST_TEST(c.running() == "1_1 1_2");
}

BOOST_AUTO_TEST_CASE(an_operators_hold_is_the_operators_to_release)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job().array("0-5"));
    c.hold(otto, {2, "2_3"});
    BOOST_TEST(c.release(alice, {2}) == "2 denied: job 2 was held by otto: only an operator can release it");
    BOOST_TEST(c.release(alice, {"2_3"}) == "2_3 denied: job 2 was held by otto: only an operator can release it");
    BOOST_TEST(c.release(otto, {2}) == "2 ok");
}

BOOST_AUTO_TEST_CASE(signals_reach_the_tasks_that_run)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().array("0-3"));
    BOOST_TEST(c.signal(alice, {1}, 10) == "1 ok");
    BOOST_TEST(c.effects() == "signal 10 to 1_0.1 on n1; signal 10 to 1_1.1 on n1");
    BOOST_TEST(c.signal(alice, {"1_[1-2]"}, 10) == "1_[1,2] ok");
    BOOST_TEST(c.signal(alice, {"1_3"}, 10) == "1_3 invalid: no task of array 1 runs: only a running job can be sent a signal");
}

BOOST_AUTO_TEST_CASE(a_begin_time_holds_for_all_tasks)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().array("0-1").begin(c.wall() + 1h));
    BOOST_TEST(c.running() == "");
    c.hold(alice, {"1_0"});
    c.release(alice, {"1_0"});
    BOOST_TEST(c.running() == "");
    c.pass(1h);
    BOOST_TEST(c.running() == "1_0 1_1");
}

BOOST_AUTO_TEST_CASE(a_restart_goes_on_where_the_array_was)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job().array("0-4%1"));
    c.hold(alice, {"1_2"});
    c.restart();
    c.join("n1", {.running = {ref("1_0")}, .ended = {}});
    BOOST_TEST(c.running() == "1_0");
    c.report_end("n1", ended(ref("1_0")));
    BOOST_TEST(c.running() == "1_1");
}

BOOST_AUTO_TEST_CASE(a_job_that_is_no_array_has_no_tasks)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    BOOST_TEST(c.cancel(alice, {"1_3"}) == "1_3 not found: job 1 is no array and has no tasks");
    BOOST_TEST(c.cancel(alice, {"7_3"}) == "7_3 not found: no job 7 (ended jobs are in jacct)");
}

BOOST_AUTO_TEST_CASE(a_million_tasks_are_one_record)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().array("0-999999"));
    BOOST_TEST(c.state().jobs.size() == 5u);
    BOOST_TEST(c.array(1).waiting.ranges().size() == 1u);
    BOOST_TEST(c.state().index.queues[0].size() == 1u);
    c.cancel(alice, {"1_[1000-499999]", "1_[600000-999999]"});
    BOOST_TEST(c.event_count() == 2u);
    BOOST_TEST(c.array(1).cancelled.size() == 899'000u);
    BOOST_TEST(c.hold(alice, {"1_[4-999]", "1_[500000-599999]"}) ==
               "1_[4-999] ok; 1_[500000-599999] invalid: 100000 tasks of array 1 are too many to hold one by one; the limit is 10000. "
               "Name the whole array, or fewer");
    c.cancel(alice, {1});
    BOOST_TEST(c.array(1).waiting.empty());
}

BOOST_AUTO_TEST_CASE(what_names_no_task_that_it_fits_is_refused)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job().array("0-3"));
    c.cancel(alice, {"1_3"});
    BOOST_TEST(c.hold(alice, {"1_3"}) == "1_3 invalid: no task of array 1 is pending: only a pending job can be held");
    BOOST_TEST(c.requeue(alice, {"1_3"}) == "1_3 not found: no such task of array 1 is known any more");
    BOOST_TEST(c.requeue(alice, {"1_[1-3]"}) == "1_[1-3] ok"); // those that wait go on waiting
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_CASE(a_task_that_is_no_job_is_shown_as_one)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job().array("0-3"));
    c.pass(5s);
    c.cancel(alice, {"1_3"});
    const auto task = [&](std::uint32_t k) { return cluster::unsplit_task(c.at(1), c.array(1), k); };
    BOOST_REQUIRE(task(2));
    BOOST_TEST((task(2)->id == JobId{1, 2}));
    BOOST_TEST((task(2)->state == JobState::pending));
    BOOST_REQUIRE(task(3));
    BOOST_TEST((task(3)->state == JobState::cancelled));
    BOOST_TEST(task(3)->ended->end.cause == "cancelled by alice");
    BOOST_TEST((task(3)->ended->at == Instant(5s)));
    BOOST_TEST(!task(0)); // it has a job of its own
}

BOOST_AUTO_TEST_CASE(a_task_waits_for_its_arrays_begin_time)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().array("0-1").begin(c.wall() + 1h));
    c.hold(alice, {"1_0"});
    c.release(alice, {"1_0"});
    BOOST_TEST(c.reason("1_0") == c.reason(1));
    BOOST_TEST(c.reason("1_0").starts_with("BeginTime: begins at "));
}

BOOST_AUTO_TEST_CASE(ends_of_tasks_that_never_started_are_told_apart_up_to_a_number)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job().array("0-99"));
    for (std::uint32_t k = 0; k < 80; ++k) {
        c.pass(1s);
        c.run(cluster::CancelJobs{0, alice, {JobSelection{2, IndexSet{k}}}});
    }
    BOOST_TEST(c.array(2).unstarted.size() == 64u);
    BOOST_TEST(format_index_set(c.array(2).unstarted.back().tasks) == "63-79");
    BOOST_TEST(format_index_set(c.array(2).cancelled) == "0-79");
}

BOOST_AUTO_TEST_CASE(a_signal_counts_as_a_shell_counts_it)
{
    Cluster c(nodes(1), cores(4));
    c.submit(job().array("0-1"));
    auto failed = ended(ref("1_0"), JobState::failed, EndClass::user, "exit code 3");
    failed.end.exit_code = 3;
    c.report_end("n1", failed);
    auto killed = ended(ref("1_1"), JobState::failed, EndClass::user, "ended by signal 9 (KILL)");
    killed.end.exit_code.reset();
    killed.end.signal = 9;
    c.report_end("n1", killed);
    BOOST_TEST((c.at(1).ended->end.exit_code == 137));
}

BOOST_AUTO_TEST_SUITE_END()
