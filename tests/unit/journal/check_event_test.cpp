// What replay refuses to apply: an event that does not fit the state it comes upon.
#include "values.hpp"

#include "cluster/apply.hpp"
#include "journal/codec.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster;
using namespace jarvis::journal::test;

namespace {

// In it: 5 and 6 pending, 7 completing, 8 cancelled, 9 ended out of memory, 10 pending, 11 forgotten; three nodes.
std::string refusal(const Event& event)
{
    static const State state = state_of_0_1();
    auto checked = journal::check_event(state, event);
    if (checked)
        return "fits";
    BOOST_TEST((checked.error().code == Errc::corrupt));
    return checked.error().message;
}

std::shared_ptr<const JobRequest> a_request() { return std::make_shared<const JobRequest>(plain_request()); }

} // namespace

BOOST_AUTO_TEST_SUITE(events_that_fit)

BOOST_AUTO_TEST_CASE(ids_grow)
{
    BOOST_TEST(refusal(JobSubmitted{.job = JobId{12}, .request = a_request()}) == "fits");
    BOOST_TEST(refusal(JobSubmitted{.job = JobId{99}, .request = a_request()}) == "fits");
    BOOST_TEST(refusal(JobSubmitted{.job = JobId{11}, .request = a_request()}) == "a submit gives the id 11 again (the next is 12)");
    BOOST_TEST(refusal(JobSubmitted{.job = max_job_id, .request = a_request()}) ==
               "a submit gives the id 9007199254740992 again (the next is 12)");
}

BOOST_AUTO_TEST_CASE(pending_jobs_alone)
{
    BOOST_TEST(refusal(JobHeld{JobId{5}, {}}) == "fits");
    BOOST_TEST(refusal(JobHeld{JobId{7}, {}}) == "a hold does not fit job 7, which is COMPLETING");
    BOOST_TEST(refusal(JobHeld{JobId{9}, {}}) == "a hold does not fit job 9, which is OUT_OF_MEMORY");
    BOOST_TEST(refusal(JobHeld{JobId{11}, {}}) == "a hold names job 11, which does not exist");
    BOOST_TEST(refusal(BeginReached{JobId{5}}) == "fits");
    BOOST_TEST(refusal(BeginReached{JobId{8}}) == "a begin time does not fit job 8, which is CANCELLED");
    BOOST_TEST(refusal(JobReleased{JobId{6}}) == "fits");
    BOOST_TEST(refusal(JobReleased{JobId{8}}) == "a release does not fit job 8, which is CANCELLED");
}

BOOST_AUTO_TEST_CASE(starts)
{
    BOOST_TEST(refusal(JobStarted{JobId{10}, Incarnation{1}, placement_on(1)}) == "fits");
    BOOST_TEST(refusal(JobStarted{JobId{7}, Incarnation{2}, placement_on(1)}) == "a start does not fit job 7, which is COMPLETING");
    BOOST_TEST(refusal(JobStarted{JobId{10}, Incarnation{1}, {}}) == "a start of job 10 names no node");
    BOOST_TEST(refusal(JobStarted{JobId{10}, Incarnation{1}, placement_on(3)}) == "a start names node number 3 of 3");
}

BOOST_AUTO_TEST_CASE(stops_ends_and_requeues)
{
    const JobEnd end{.state = JobState::failed};
    BOOST_TEST(refusal(JobStopRequested{JobId{7}, {}}) == "fits");
    BOOST_TEST(refusal(JobStopRequested{JobId{10}, {}}) == "a stop does not fit job 10, which is PENDING");
    BOOST_TEST(refusal(JobEnded{JobId{7}, Incarnation{2}, end, {}}) == "fits");
    BOOST_TEST(refusal(JobEnded{JobId{10}, Incarnation{1}, end, {}}) == "fits"); // cancelled before its start
    BOOST_TEST(refusal(JobEnded{JobId{9}, Incarnation{1}, end, {}}) == "an end does not fit job 9, which is OUT_OF_MEMORY");
    BOOST_TEST(refusal(JobEnded{JobId{7}, Incarnation{2}, {.state = JobState::running}, {}}) == "an end of job 7 says RUNNING");
    BOOST_TEST(refusal(JobRequeued{JobId{7}, Incarnation{2}, ""}) == "fits");
    BOOST_TEST(refusal(JobRequeued{JobId{10}, Incarnation{1}, ""}) == "a requeue does not fit job 10, which is PENDING");
}

BOOST_AUTO_TEST_CASE(suspensions)
{
    BOOST_TEST(refusal(JobSuspended{JobId{7}, "alice", false}) == "a suspension does not fit job 7, which is COMPLETING");
    BOOST_TEST(refusal(JobSuspended{JobId{10}, "alice", false}) == "a suspension does not fit job 10, which is PENDING");
    BOOST_TEST(refusal(JobResumed{JobId{7}}) == "a resumption does not fit job 7, which is COMPLETING");
    BOOST_TEST(refusal(JobResumed{JobId{11}}) == "a resumption names job 11, which does not exist");
}

BOOST_AUTO_TEST_CASE(steps)
{
    const std::vector<StepEnd> two(2);
    BOOST_TEST(refusal(StepsEnded{JobId{7}, Incarnation{2}, 1, two}) == "fits");
    BOOST_TEST(refusal(StepsEnded{JobId{10}, Incarnation{1}, 1, two}) == "an end of steps does not fit job 10, which is PENDING");
    for (const auto& event : {StepsEnded{JobId{7}, Incarnation{2}, 0, two}, StepsEnded{JobId{7}, Incarnation{1}, 1, two},
                              StepsEnded{JobId{7}, Incarnation{2}, ~std::uint64_t{0}, two}, StepsEnded{JobId{7}, Incarnation{2}, 1, {}}})
        BOOST_TEST(refusal(event).find("does not follow") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(removals)
{
    BOOST_TEST(refusal(JobForgotten{JobId{9}}) == "fits");
    BOOST_TEST(refusal(JobForgotten{JobId{7}}) == "a removal does not fit job 7, which is COMPLETING");
    BOOST_TEST(refusal(JobForgotten{JobId{11}}) == "a removal names job 11, which does not exist");
}

BOOST_AUTO_TEST_CASE(nodes_that_are_there)
{
    BOOST_TEST(refusal(NodeLost{NodeId{2}}) == "fits");
    BOOST_TEST(refusal(NodeLost{NodeId{3}}) == "a lost connection names node number 3 of 3");
    BOOST_TEST(refusal(NodeRegistered{NodeId{4}, {}}) == "a registration names node number 4 of 3");
    BOOST_TEST(refusal(NodeDrained{NodeId{5}, {}}) == "a drain names node number 5 of 3");
    BOOST_TEST(refusal(NodeResumed{NodeId{6}}) == "a resume names node number 6 of 3");
}

BOOST_AUTO_TEST_CASE(runs_over_several_nodes)
{
    // 12 and 13 run on n2 and n1; n4 (c1) has joined.
    static const State state = full_state();
    const auto refused = [](const Event& event) {
        auto checked = journal::check_event(state, event);
        return checked ? std::string("fits") : checked.error().message;
    };
    BOOST_TEST(refused(NodePrepared{JobId{12}, Incarnation{1}, NodeId{0}}) == "fits");
    BOOST_TEST(refused(NodePrepared{JobId{12}, Incarnation{1}, NodeId{2}}) ==
               "a preparation names node number 2, which is no member of job 12");
    BOOST_TEST(refused(NodePrepared{JobId{7}, Incarnation{2}, NodeId{1}}) == "a preparation names node number 1, which is no member of job 7");
    BOOST_TEST(refused(NodeFinished{JobId{9}, Incarnation{1}, NodeId{1}, {}}) ==
               "an end on a further node does not fit job 9, which is OUT_OF_MEMORY");
    BOOST_TEST(refused(RunEnding{JobId{12}, Incarnation{1}, NodeId{0}, {.end = {.state = JobState::running}}}) == "an end of job 12 says RUNNING");
    BOOST_TEST(refused(RunEnding{JobId{12}, Incarnation{1}, NodeId{9}, {}}) == "an end on one node names node number 9 of 4");
    BOOST_TEST(refused(NodeJoined{NodeId{4}, "c2", "cloud"}) == "fits");
    BOOST_TEST(refused(NodeJoined{NodeId{4}, "n1", "cloud"}) == "node n1 joins as number 4, and there are 4");
    BOOST_TEST(refused(NodeJoined{NodeId{7}, "c2", "cloud"}) == "node c2 joins as number 7, and there are 4");
    BOOST_TEST(refused(NodeDowned{NodeId{4}, {}}) == "a node that is down names node number 4 of 4");
    BOOST_TEST(refused(NodeCleared{NodeId{4}}) == "a node that is clear names node number 4 of 4");
    BOOST_TEST(refused(NodeViolation{NodeId{4}, {}, {}, false}) == "a violation names node number 4 of 4");
}

BOOST_AUTO_TEST_SUITE_END()
