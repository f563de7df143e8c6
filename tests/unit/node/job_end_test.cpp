#include "node/job_end.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>

using namespace jarvis;
using namespace jarvis::node;

namespace {

ExitFacts with_status(int status)
{
    ExitFacts facts;
    facts.wait_status = status;
    return facts;
}
const Stop cancel{JobState::cancelled, "cancelled by alice", {}};
const Stop time_limit{JobState::timeout, "time limit of 1h reached", {}};

} // namespace

BOOST_AUTO_TEST_CASE(exit_zero_is_completed)
{
    const auto end = judge_exit(with_status(0), {});
    BOOST_TEST((end == JobEnd{JobState::completed, EndClass::none, 0, 0, ""}));
}

BOOST_AUTO_TEST_CASE(another_exit_code_is_the_users)
{
    const auto end = judge_exit(with_status(255 << 8), {});
    BOOST_TEST((end == JobEnd{JobState::failed, EndClass::user, 255, 0, "exit code 255"}));
}

BOOST_AUTO_TEST_CASE(a_signal_is_named)
{
    const auto end = judge_exit(with_status(SIGSEGV | 0x80), {}); // with a core dump
    BOOST_TEST((end == JobEnd{JobState::failed, EndClass::user, {}, SIGSEGV, "ended by signal 11 (SEGV)"}));
}

BOOST_AUTO_TEST_CASE(a_launch_failure_is_its_causers)
{
    ExitFacts facts;
    facts.launch_error = "cannot open output file /x/y: permission denied";
    facts.launch_fault = LaunchFault::user;
    BOOST_TEST((judge_exit(facts, {}) == JobEnd{JobState::failed, EndClass::user, {}, 0, facts.launch_error}));
    facts.launch_fault = LaunchFault::system;
    BOOST_TEST((judge_exit(facts, {}).end_class == EndClass::system));
    facts.launch_error.clear();
    BOOST_TEST(!judge_exit(facts, {}).cause.empty());
}

BOOST_AUTO_TEST_CASE(a_stop_that_reached_the_job_names_its_end)
{
    BOOST_TEST((judge_exit(with_status(SIGTERM), cancel) ==
                JobEnd{JobState::cancelled, EndClass::user, {}, SIGTERM, "cancelled by alice"}));
    BOOST_TEST((judge_exit(with_status(0), cancel) == JobEnd{JobState::cancelled, EndClass::user, 0, 0, cancel.cause}));
    BOOST_TEST((judge_exit({}, cancel) == JobEnd{JobState::cancelled, EndClass::user, {}, 0, cancel.cause})); // before it ran
    BOOST_TEST((judge_exit(with_status(SIGKILL), time_limit) ==
                JobEnd{JobState::timeout, EndClass::resources, {}, SIGKILL, time_limit.cause}));
}

BOOST_AUTO_TEST_CASE(a_stop_that_came_too_late_changes_nothing)
{
    auto facts = with_status(0);
    facts.stop_reached = false;
    BOOST_TEST((judge_exit(facts, cancel).state == JobState::completed));
    facts.wait_status = 1 << 8;
    BOOST_TEST((judge_exit(facts, time_limit).state == JobState::failed));
}

BOOST_AUTO_TEST_CASE(a_lost_shepherd_is_a_system_failure_unless_the_job_was_stopped)
{
    BOOST_TEST((judge_lost_shepherd({}).state == JobState::failed));
    BOOST_TEST((judge_lost_shepherd({}).end_class == EndClass::system));
    BOOST_TEST((judge_lost_shepherd(time_limit).state == JobState::timeout));
}

BOOST_AUTO_TEST_CASE(a_reboot_is_the_nodes)
{
    BOOST_TEST((judge_reboot().state == JobState::node_fail));
    BOOST_TEST((judge_reboot().end_class == EndClass::node));
}

BOOST_AUTO_TEST_CASE(a_member_ends_as_the_stop_says)
{
    const ExitFacts over;
    BOOST_TEST((judge_member(over, Stop{JobState::completed, "", {}}) == JobEnd{JobState::completed, EndClass::none, {}, 0, ""}));
    BOOST_TEST((judge_member(over, cancel) == JobEnd{JobState::cancelled, EndClass::user, {}, 0, "cancelled by alice"}));
    // Nobody had told it to end.
    const auto early = judge_member(over, {});
    BOOST_TEST((early.state == JobState::failed));
    BOOST_TEST((early.end_class == EndClass::system));
    BOOST_TEST(early.cause == "this node's part of the job ended before it was told to");
}

BOOST_AUTO_TEST_CASE(a_member_that_could_not_be_prepared_failed_before_the_stop)
{
    ExitFacts facts;
    facts.launch_error = "no space left on device";
    facts.launch_fault = LaunchFault::system;
    facts.stop_reached = false;
    BOOST_TEST(judge_member(facts, cancel).cause == "no space left on device");
    facts.stop_reached = true;
    BOOST_TEST(judge_member(facts, cancel).cause == "cancelled by alice");
}

BOOST_AUTO_TEST_CASE(a_job_that_ran_out_of_memory_is_that_whatever_its_script_says)
{
    for (const int status : {0, 1 << 8, int{SIGKILL}}) {
        auto facts = with_status(status);
        facts.out_of_memory = "out of memory: the job's limit on this node is 64M";
        const auto end = judge_exit(facts, {});
        BOOST_TEST((end.state == JobState::out_of_memory));
        BOOST_TEST((end.end_class == EndClass::resources));
        BOOST_TEST(end.cause == facts.out_of_memory);
        BOOST_TEST(end.signal == (status & 0x7f));
        BOOST_TEST((end.exit_code == (status & 0x7f ? std::nullopt : std::optional(status >> 8))));
    }
}

BOOST_AUTO_TEST_CASE(a_stop_comes_before_the_memory_and_tells_of_it)
{
    auto facts = with_status(SIGKILL);
    facts.out_of_memory = "out of memory: so it was";
    auto end = judge_exit(facts, time_limit);
    BOOST_TEST((end.state == JobState::timeout));
    BOOST_TEST(end.cause == "time limit of 1h reached; out of memory: so it was");
    facts.stop_reached = false; // it was over before
    BOOST_TEST((judge_exit(facts, time_limit).state == JobState::out_of_memory));
}

BOOST_AUTO_TEST_CASE(a_node_that_does_not_confine_is_to_blame)
{
    ExitFacts facts;
    facts.launch_error = "cpuset.cpus says 0-3, asked for 0-2";
    facts.launch_fault = LaunchFault::node;
    const JobEnd expected{JobState::node_fail, EndClass::node, {}, 0, facts.launch_error};
    BOOST_TEST((judge_exit(facts, {}) == expected));
    BOOST_TEST((judge_member(facts, {}) == expected));
    BOOST_TEST((judge_exit(facts, cancel).state == JobState::cancelled));
}
