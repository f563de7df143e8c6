// Real jnoded and jshepherd on this machine, with the test as their controller.
#include "fake_controller.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

using namespace jarvis::test;

namespace {

constexpr std::uint32_t completed = 5, failed = 6, cancelled = 7, timeout = 8, node_fail = 10; // JobState by number
constexpr std::uint32_t user_class = 1, resources_class = 2, system_class = 4;                 // EndClass by number

bool record_is_gone(const NodeUnderTest& node, const std::string& name)
{
    return node.wait_for([&] { return !std::filesystem::exists(node.run_folder() + "/jobs/" + name); });
}

} // namespace

BOOST_AUTO_TEST_CASE(a_job_runs_and_is_forgotten_after_the_ack)
{
    NodeUnderTest node("run");
    const auto registration = node.accept();
    BOOST_TEST(registration.topology().cores_size() >= 1);
    BOOST_TEST(registration.report().running_size() == 0);
    node.send_start(node.job(7, "echo $GREETING from $JARVIS_JOB_ID; pwd; test -d $JARVIS_TMPDIR && echo tmp; exit 3"));
    const auto ended = node.wait_ended(7);
    BOOST_TEST(ended.end().state() == failed);
    BOOST_TEST(ended.end().end_class() == user_class);
    BOOST_TEST(ended.end().exit_code() == 3);
    BOOST_TEST(node.read("7.out") == "hello from 7\n" + node.folder() + "\ntmp\n");
    BOOST_TEST(std::filesystem::exists(node.run_folder() + "/jobs/7.1/exit"));
    node.send_ack(7);
    BOOST_TEST(record_is_gone(node, "7.1"));
    BOOST_TEST(std::filesystem::is_empty(node.path("tmp")));
}

BOOST_AUTO_TEST_CASE(a_job_has_its_limits_and_its_cores)
{
    NodeUnderTest node("limits");
    node.accept();
    auto start = node.job(1, "ulimit -n; ulimit -c; ulimit -f; nproc; echo $JARVIS_CPUS_ON_NODE");
    auto& propagated = *start.mutable_request()->add_limits();
    propagated.set_name("FSIZE");
    propagated.set_soft(512 * 1024);
    propagated.set_hard(512 * 1024);
    node.send_start(start);
    BOOST_TEST(node.wait_ended(1).end().state() == completed);
    BOOST_TEST(node.read("1.out") == "1024\n0\n1024\n1\n1\n"); // -f counts blocks of 512 bytes
}

BOOST_AUTO_TEST_CASE(a_doubled_start_runs_once)
{
    NodeUnderTest node("doubled");
    node.accept();
    jarvis::wire::ToNode message;
    *message.mutable_start() = node.job(1, "echo ran >> count; sleep 0.3");
    node.send(message, true);
    node.send_start(message.start());
    BOOST_TEST(node.wait_ended(1).end().state() == completed);
    node.send_start(message.start());
    BOOST_TEST(node.wait_ended(1).end().state() == completed);
    BOOST_TEST(node.read("count") == "ran\n");
}

BOOST_AUTO_TEST_CASE(a_stop_kills_what_ignores_sigterm_and_what_was_daemonised)
{
    NodeUnderTest node("stop");
    node.accept();
    const auto word = node.folder() + "/marker";
    node.send_start(node.job(2, "trap '' TERM; (trap '' TERM; setsid sh -c \"while :; do sleep 1; done # " + word +
                                    "\" &); echo up; while :; do sleep 1; done"));
    BOOST_TEST(node.wait_for([&] { return node.read("2.out") == "up\n" && !node.processes_with(word).empty(); }));
    node.send_stop(2);
    const auto ended = node.wait_ended(2);
    BOOST_TEST(ended.end().state() == cancelled);
    BOOST_TEST(ended.end().signal() == SIGKILL);
    BOOST_TEST(ended.end().cause() == "cancelled by alice");
    BOOST_TEST(node.processes_with(word).empty());
}

BOOST_AUTO_TEST_CASE(a_stop_right_behind_the_start_does_not_wait_for_the_grace)
{
    NodeUnderTest node("stop_early");
    node.kill_grace = 60s;
    node.accept();
    for (std::uint64_t id = 1; id <= 10; ++id) {
        node.send_start(node.job(id, "exec sleep 60"));
        node.send_stop(id);
    }
    for (std::uint64_t id = 1; id <= 10; ++id)
        BOOST_TEST(node.wait_ended(id).end().state() == cancelled);
}

BOOST_AUTO_TEST_CASE(a_stop_of_a_job_that_is_not_here_ends_it)
{
    NodeUnderTest node("stop_unknown");
    node.accept();
    node.send_stop(99);
    BOOST_TEST(node.wait_ended(99).end().state() == cancelled);
}

BOOST_AUTO_TEST_CASE(signals_reach_the_script_or_everything)
{
    NodeUnderTest node("signals");
    node.accept();
    node.send_start(node.job(3, "trap 'echo script' USR1; sh -c 'trap \"echo child\" USR1; echo up; while :; do sleep 0.1; done' &\n"
                                "while :; do sleep 0.1; done"));
    BOOST_TEST(node.wait_for([&] { return node.read("3.out") == "up\n"; }));
    // The script may say something before its shepherd has written down which process it is.
    BOOST_TEST(node.wait_for([&] {
        std::ifstream file(node.run_folder() + "/jobs/3.1/shepherd.pid");
        const std::string text(std::istreambuf_iterator<char>(file), {});
        return std::ranges::count(text, '\n') == 2;
    }));
    node.send_signal(3, SIGUSR1, true);
    BOOST_TEST(node.wait_for([&] { return node.read("3.out") == "up\nscript\n"; }));
    node.send_stop(3);
    BOOST_TEST(node.wait_ended(3).end().state() == cancelled);
}

BOOST_AUTO_TEST_CASE(the_time_limit_warns_then_stops)
{
    NodeUnderTest node("limit");
    node.accept();
    auto start = node.job(4, "trap 'echo warned' USR1; while :; do sleep 0.1; done");
    start.mutable_request()->set_time_limit_us(2'000'000);
    start.mutable_request()->mutable_warning()->set_signal(SIGUSR1);
    start.mutable_request()->mutable_warning()->set_before_us(1'000'000);
    start.mutable_request()->mutable_warning()->set_batch_only(true);
    node.send_start(start);
    const auto ended = node.wait_ended(4);
    BOOST_TEST(ended.end().state() == timeout);
    BOOST_TEST(ended.end().end_class() == resources_class);
    BOOST_TEST(ended.end().cause() == "time limit of 2s reached");
    BOOST_TEST(node.read("4.out") == "warned\n");
}

BOOST_AUTO_TEST_CASE(a_restart_adopts_running_jobs_and_ends_that_came_meanwhile)
{
    for (const int how : {SIGKILL, SIGTERM}) {
        NodeUnderTest node(how == SIGKILL ? "adopt_kill" : "adopt_term");
        node.accept();
        node.send_start(node.job(1, "echo on; while [ ! -e go ]; do sleep 0.05; done; echo off; exit 5"));
        node.send_start(node.job(2, "while [ ! -e early ]; do sleep 0.05; done; exit 6"));
        node.send_start(node.job(3, "exec sleep 60"));
        BOOST_TEST(node.wait_for([&] { return node.read("1.out") == "on\n" && std::filesystem::exists(node.path("3.out")); }));
        node.kill_daemon(how);
        std::filesystem::create_directory(node.path("early"));
        BOOST_TEST(node.wait_for([&] { return std::filesystem::exists(node.run_folder() + "/jobs/2.1/exit"); }));
        node.start_daemon();
        const auto registration = node.accept();
        BOOST_TEST(registration.report().running_size() == 2);
        BOOST_TEST(registration.report().ended_size() == 1);
        node.send_start(node.job(1, "echo again >> 1.out"));
        std::filesystem::create_directory(node.path("go"));
        BOOST_TEST(node.wait_ended(1).end().exit_code() == 5);
        BOOST_TEST(node.wait_ended(2).end().exit_code() == 6);
        BOOST_TEST(node.read("1.out") == "on\noff\n");
        node.send_stop(3);
        BOOST_TEST(node.wait_ended(3).end().state() == cancelled);
    }
}

BOOST_AUTO_TEST_CASE(a_stop_is_remembered_over_a_restart)
{
    NodeUnderTest node("stop_restart");
    node.kill_grace = 3s;
    node.accept();
    node.send_start(node.job(1, "trap '' TERM; echo up; while :; do sleep 0.1; done"));
    BOOST_TEST(node.wait_for([&] { return node.read("1.out") == "up\n"; }));
    node.send_stop(1);
    BOOST_TEST(node.wait_for([&] { return std::filesystem::exists(node.run_folder() + "/jobs/1.1/stop"); }));
    node.kill_daemon(SIGKILL);
    node.start_daemon();
    node.accept();
    const auto ended = node.wait_ended(1);
    BOOST_TEST(ended.end().state() == cancelled);
    BOOST_TEST(ended.end().signal() == SIGKILL);
}

BOOST_AUTO_TEST_CASE(jobs_and_limits_go_on_while_the_controller_is_away)
{
    NodeUnderTest node("away");
    node.accept();
    auto start = node.job(1, "exec sleep 60");
    start.mutable_request()->set_time_limit_us(1'000'000);
    node.send_start(start);
    node.send_start(node.job(2, "sleep 0.5; exit 4"));
    BOOST_TEST(node.wait_for([&] { return std::filesystem::exists(node.path("2.out")); }));
    node.disconnect();
    BOOST_TEST(node.wait_for([&] {
        return std::filesystem::exists(node.run_folder() + "/jobs/1.1/exit") &&
               std::filesystem::exists(node.run_folder() + "/jobs/2.1/exit");
    }));
    const auto registration = node.accept();
    // The daemon hears of an end a moment after its record is there.
    BOOST_TEST(registration.report().ended_size() + registration.report().running_size() == 2);
    BOOST_TEST(node.wait_ended(1).end().state() == timeout);
    BOOST_TEST(node.wait_ended(2).end().exit_code() == 4);
}

BOOST_AUTO_TEST_CASE(a_dead_launcher_is_replaced_and_its_jobs_are_followed)
{
    NodeUnderTest node("launcher");
    node.accept();
    node.send_start(node.job(1, "echo up; while [ ! -e go ]; do sleep 0.05; done; exit 5"));
    BOOST_TEST(node.wait_for([&] { return node.read("1.out") == "up\n"; }));
    using namespace std::string_literals;
    const auto launchers = node.processes_with("--socket\0"s + node.run_folder());
    BOOST_REQUIRE_EQUAL(launchers.size(), 1u);
    ::kill(launchers.front(), SIGKILL);
    node.send_start(node.job(2, "exit 8"));
    BOOST_TEST(node.wait_ended(2).end().exit_code() == 8);
    std::filesystem::create_directory(node.path("go"));
    BOOST_TEST(node.wait_ended(1).end().exit_code() == 5);
}

BOOST_AUTO_TEST_CASE(a_dead_shepherd_fails_its_job_and_leaves_nothing)
{
    NodeUnderTest node("shepherd");
    node.accept();
    const auto word = node.folder() + "/marker";
    node.send_start(node.job(1, "echo up; sh -c 'while :; do sleep 0.1; done # " + word + "'"));
    BOOST_TEST(node.wait_for([&] { return node.read("1.out") == "up\n"; }));
    std::ifstream pid_file(node.run_folder() + "/jobs/1.1/shepherd.pid");
    pid_t shepherd = 0;
    BOOST_REQUIRE(pid_file >> shepherd);
    ::kill(shepherd, SIGKILL);
    const auto ended = node.wait_ended(1);
    BOOST_TEST(ended.end().state() == failed);
    BOOST_TEST(ended.end().end_class() == system_class);
    BOOST_TEST(node.wait_for([&] { return node.processes_with("while :; do sleep 0.1; done # " + word).empty(); }));
}

BOOST_AUTO_TEST_CASE(a_shepherd_that_dies_with_launcher_and_daemon_leaves_nothing)
{
    NodeUnderTest node("all_dead");
    node.accept();
    node.send_start(node.job(1, "echo up; while :; do sleep 0.1; done"));
    BOOST_TEST(node.wait_for([&] { return node.read("1.out") == "up\n"; }));
    const bool tracked = !node.cgroup_trees().empty();
    node.kill_daemon(SIGKILL);
    using namespace std::string_literals;
    for (const auto pid : node.processes_with("--socket\0"s + node.run_folder()))
        ::kill(pid, SIGKILL);
    std::ifstream pid_file(node.run_folder() + "/jobs/1.1/shepherd.pid");
    pid_t shepherd = 0;
    BOOST_REQUIRE(pid_file >> shepherd);
    ::kill(shepherd, SIGKILL);
    node.start_daemon();
    node.accept();
    const auto ended = node.wait_ended(1);
    BOOST_TEST(ended.end().state() == failed);
    BOOST_TEST(ended.end().end_class() == system_class);
    BOOST_TEST(node.wait_for([&] { return std::filesystem::is_empty(node.path("tmp")); }));
    const auto script = node.run_folder() + "/jobs/1.1/script";
    if (tracked)
        BOOST_TEST(node.processes_with(script).empty());
    for (const auto pid : node.processes_with(script)) // at level none nobody knows whose they are
        ::kill(pid, SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_new_boot_id_gives_the_job_back)
{
    NodeUnderTest node("boot");
    node.accept();
    node.send_start(node.job(1, "echo up; exec sleep 5"));
    BOOST_TEST(node.wait_for([&] { return node.read("1.out") == "up\n"; }));
    node.kill_daemon(SIGKILL);
    for (const auto pid : node.processes_with(node.run_folder())) // a reboot leaves no process
        ::kill(pid, SIGKILL);
    node.new_boot_id();
    const auto temporary = node.path("tmp");
    BOOST_TEST(!std::filesystem::is_empty(temporary));
    node.start_daemon();
    const auto registration = node.accept();
    BOOST_TEST(node.wait_for([&] { return std::filesystem::is_empty(temporary); }));
    BOOST_REQUIRE(registration.report().ended_size() == 1);
    BOOST_TEST(registration.report().ended(0).end().state() == node_fail);
}

BOOST_AUTO_TEST_CASE(a_member_prepares_its_node_and_is_cleaned_when_the_job_is_finished)
{
    NodeUnderTest node("member");
    node.accept();
    node.send_start(node.member(5));
    BOOST_REQUIRE(node.wait_prepared(5));
    BOOST_TEST(!std::filesystem::is_empty(node.path("tmp")));
    for (const auto& tree : node.cgroup_trees())
        BOOST_TEST(std::filesystem::exists(tree + "/jobs/job_5"));
    // A process of the job that came here by itself ends with it.
    const auto trees = node.cgroup_trees();
    pid_t guest = 0;
    if (!trees.empty() && (guest = ::fork()) == 0) {
        std::ofstream(trees.front() + "/jobs/job_5/tasks.0/cgroup.procs") << "0";
        ::execl("/bin/sleep", "sleep", "600", nullptr);
        ::_exit(1);
    }
    if (guest > 0) {
        BOOST_TEST(node.wait_for([&] {
            std::ifstream file("/proc/" + std::to_string(guest) + "/cgroup");
            return std::string(std::istreambuf_iterator<char>(file), {}).find("job_5") != std::string::npos;
        }));
    }
    node.send_finish(5);
    const auto ended = node.wait_ended(5);
    BOOST_TEST(ended.end().state() == completed);
    BOOST_TEST(!ended.end().has_exit_code());
    if (guest > 0) {
        int status = 0;
        BOOST_TEST(::waitpid(guest, &status, 0) == guest);
        BOOST_TEST(WTERMSIG(status) == SIGKILL);
    }
    BOOST_TEST(std::filesystem::is_empty(node.path("tmp")));
    for (const auto& tree : node.cgroup_trees())
        BOOST_TEST(!std::filesystem::exists(tree + "/jobs/job_5"));
    BOOST_TEST(!std::filesystem::exists(node.path("ran")));
    BOOST_TEST(!std::filesystem::exists(node.path("5.out")));
    node.send_finish(5);
    BOOST_TEST(node.wait_ended(5).end().state() == completed);
    node.send_ack(5);
    BOOST_TEST(record_is_gone(node, "5.1"));
}

BOOST_AUTO_TEST_CASE(a_member_is_adopted_and_finished_after_restarts)
{
    NodeUnderTest node("member_restart");
    node.accept();
    node.send_start(node.member(1));
    node.send_start(node.member(2));
    node.send_start(node.member(3));
    node.send_start(node.member(4));
    for (std::uint64_t id = 1; id <= 4; ++id)
        BOOST_REQUIRE(std::filesystem::exists(node.run_folder() + "/jobs/" + std::to_string(id) + ".1/prepared") || node.wait_prepared(id));
    node.kill_daemon(SIGKILL);
    node.start_daemon();
    const auto registration = node.accept();
    BOOST_REQUIRE(registration.report().running_size() == 4);
    for (const auto& running : registration.report().running())
        BOOST_TEST(running.prepared());
    node.send_start(node.member(1)); // sent again: answered again
    BOOST_TEST(node.wait_prepared(1));
    node.send_finish(1);
    BOOST_TEST(node.wait_ended(1).end().state() == completed);
    node.send_stop(2);
    const auto cancelled_one = node.wait_ended(2);
    BOOST_TEST(cancelled_one.end().state() == cancelled);
    BOOST_TEST(cancelled_one.end().cause() == "cancelled by alice");
    // Its launcher gone, too.
    using namespace std::string_literals;
    for (const auto pid : node.processes_with("--socket\0"s + node.run_folder()))
        ::kill(pid, SIGKILL);
    node.send_finish(3);
    BOOST_TEST(node.wait_ended(3).end().state() == completed);
    node.kill_daemon(SIGTERM);
    node.start_daemon();
    node.accept();
    node.send_finish(4);
    BOOST_TEST(node.wait_ended(4).end().state() == completed);
    BOOST_TEST(std::filesystem::is_empty(node.path("tmp")));
}

BOOST_AUTO_TEST_CASE(a_member_that_is_finished_at_once_or_unknown_ends)
{
    NodeUnderTest node("member_early");
    node.accept();
    for (std::uint64_t id = 1; id <= 10; ++id) {
        node.send_start(node.member(id));
        node.send_finish(id);
    }
    for (std::uint64_t id = 1; id <= 10; ++id)
        BOOST_TEST(node.wait_ended(id).end().state() == completed);
    node.send_finish(99);
    BOOST_TEST(node.wait_ended(99).end().state() == completed);
}

BOOST_AUTO_TEST_CASE(a_member_that_cannot_be_prepared_fails_with_the_reason)
{
    NodeUnderTest node("member_fault");
    node.accept();
    std::filesystem::remove(node.path("tmp"));
    std::ofstream(node.path("tmp")) << "in the way";
    node.send_start(node.member(1));
    const auto ended = node.wait_ended(1);
    BOOST_TEST(ended.end().state() == failed);
    BOOST_TEST(ended.end().end_class() == system_class);
    BOOST_TEST(ended.end().cause().find("tmp") != std::string::npos, ended.end().cause());
}

BOOST_AUTO_TEST_CASE(a_members_dead_shepherd_fails_it)
{
    NodeUnderTest node("member_shepherd");
    node.accept();
    node.send_start(node.member(1));
    BOOST_REQUIRE(node.wait_prepared(1));
    std::ifstream pid_file(node.run_folder() + "/jobs/1.1/shepherd.pid");
    pid_t shepherd = 0;
    BOOST_REQUIRE(pid_file >> shepherd);
    ::kill(shepherd, SIGTERM); // a stray signal is nothing to it
    ::kill(shepherd, SIGKILL);
    const auto ended = node.wait_ended(1);
    BOOST_TEST(ended.end().state() == failed);
    BOOST_TEST(ended.end().end_class() == system_class);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_launched_ends_with_the_reason)
{
    NodeUnderTest node("fault");
    node.accept();
    auto start = node.job(1, "true");
    start.mutable_request()->set_working_directory(node.folder() + "/missing");
    node.send_start(start);
    const auto ended = node.wait_ended(1);
    BOOST_TEST(ended.end().state() == failed);
    BOOST_TEST(ended.end().end_class() == user_class);
    BOOST_TEST(ended.end().cause().find("missing") != std::string::npos, ended.end().cause());
    start = node.job(2, "true");
    start.mutable_placement()->add_core_words(std::uint64_t{1} << 63);
    start.mutable_placement()->add_core_words(std::uint64_t{1} << 63);
    node.send_start(start);
    BOOST_TEST(node.wait_ended(2).end().end_class() == system_class);
}

BOOST_AUTO_TEST_CASE(a_second_daemon_of_the_same_node_refuses)
{
    NodeUnderTest node("twice");
    node.accept();
    NodeUnderTest* first = &node;
    const auto log_size = first->read("jnoded.log").size();
    // start_daemon forgets the first one's pid; the second one must end by itself.
    // While it starts its launcher, that has its command line for a moment.
    BOOST_REQUIRE(first->wait_for([&] { return first->processes_with(first->folder() + "/jarvis.toml").size() == 1; }));
    const auto running = first->processes_with(first->folder() + "/jarvis.toml");
    first->start_daemon();
    BOOST_TEST(first->daemon_ends_within(10s));
    BOOST_TEST(first->read("jnoded.log").find("another jnoded", log_size) != std::string::npos);
    ::kill(running.front(), SIGTERM);
    BOOST_TEST(first->wait_for([&] { return first->processes_with(first->folder() + "/jarvis.toml").empty(); }));
}

BOOST_AUTO_TEST_CASE(a_clean_stop_without_jobs_leaves_no_process_and_no_cgroup)
{
    NodeUnderTest node("clean");
    node.accept();
    node.send_start(node.job(1, "true"));
    BOOST_TEST(node.wait_ended(1).end().state() == completed);
    node.send_ack(1);
    BOOST_TEST(record_is_gone(node, "1.1"));
    node.kill_daemon(SIGTERM);
    BOOST_TEST(node.wait_for([&] { return node.processes_with(node.run_folder()).empty(); }));
    BOOST_TEST(node.cgroup_trees().empty());
}
