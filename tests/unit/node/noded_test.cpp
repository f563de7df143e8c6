// The parts of jnoded that need neither root nor a controller: real files and processes.
#include "cgroup_tree.hpp"
#include "messages.hpp"
#include "processes.hpp"
#include "run_folder.hpp"
#include "shm_choice.hpp"
#include "wire/convert.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::noded;

BOOST_AUTO_TEST_SUITE(private_shm)

Result<void> possible() { return {}; }
Result<void> refused() { return fail(Errc::denied, "not permitted"); }
Result<void> not_to_be_asked()
{
    BOOST_ERROR("asked");
    return {};
}

BOOST_AUTO_TEST_CASE(it_is_given_by_itself_at_level_full_alone)
{
    const std::vector<std::string> nothing;
    BOOST_TEST(choose_shm("auto", Confinement::full, nothing, possible).given);
    for (const auto level : {Confinement::none, Confinement::track}) {
        const auto left = choose_shm("auto", level, nothing, not_to_be_asked);
        BOOST_TEST(!left.given);
        BOOST_TEST(left.problem == "");
        BOOST_TEST(choose_shm("on", level, nothing, possible).given);
    }
    BOOST_TEST(!choose_shm("off", Confinement::full, nothing, not_to_be_asked).given);
}

BOOST_AUTO_TEST_CASE(what_stands_in_the_way_is_said)
{
    for (const auto* setting : {"auto", "on"}) {
        const auto denied = choose_shm(setting, Confinement::full, {"/run/x"}, refused);
        BOOST_TEST(!denied.given);
        BOOST_TEST(denied.problem.find("private_shm: not permitted: ") == 0u);
        const auto hidden = choose_shm(setting, Confinement::full, {"/run/x", "/dev/shm/x", "/dev/shmx"}, not_to_be_asked);
        BOOST_TEST(!hidden.given);
        BOOST_TEST(hidden.problem.find("private_shm: /dev/shm/x has to be seen in jobs") == 0u);
    }
    BOOST_TEST(choose_shm("auto", Confinement::full, {"/dev/shmx", ""}, possible).given);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(cgroups)

BOOST_AUTO_TEST_CASE(the_unified_mount_is_found)
{
    const auto* pure = "24 29 0:22 / /proc rw,relatime shared:13 - proc proc rw\n"
                       "35 25 0:30 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    BOOST_TEST(find_cgroup2_mount(pure).value() == "/sys/fs/cgroup");
    const auto* hybrid = "35 25 0:30 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
                         "36 35 0:31 / /sys/fs/cgroup/memory rw shared:1 - cgroup cgroup rw,memory\n"
                         "37 35 0:32 / /sys/fs/cgroup/unified rw,relatime shared:1 - cgroup2 none rw\n";
    BOOST_TEST(find_cgroup2_mount(hybrid).value() == "/sys/fs/cgroup/unified");
}

BOOST_AUTO_TEST_CASE(a_mount_that_is_read_only_or_odd_is_passed_over)
{
    BOOST_TEST(!find_cgroup2_mount("35 25 0:30 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw\n").has_value());
    BOOST_TEST(!find_cgroup2_mount("").has_value());
    BOOST_TEST(!find_cgroup2_mount("garbage\n - cgroup2\n").has_value());
    BOOST_TEST(find_cgroup2_mount("35 25 0:30 / /a\\040b rw - cgroup2 x rw").value() == "/a b");
}

BOOST_AUTO_TEST_CASE(a_processs_own_group_is_read)
{
    BOOST_TEST(cgroup2_of("9:memory:/x\n0::/system.slice/y.service\n").value() == "/system.slice/y.service");
    BOOST_TEST(!cgroup2_of("9:memory:/x\n").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(processes)

BOOST_AUTO_TEST_CASE(descendants_are_found_and_signalled)
{
    const pid_t child = ::fork();
    if (child == 0) {
        if (::fork() == 0)
            while (true)
                ::pause();
        while (true)
            ::pause();
    }
    std::vector<pid_t> found;
    for (int i = 0; i < 500 && found.size() < 2; ++i, ::usleep(10000)) {
        found = descendants(::getpid());
        std::erase_if(found, [&](pid_t pid) { return pid != child && read_process(pid)->parent != child; });
    }
    BOOST_TEST(found.size() == 2u);
    BOOST_TEST(signal_members([&] { return descendants(child); }, SIGKILL) == 1u);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    BOOST_TEST(!read_process(child).has_value());
}

BOOST_AUTO_TEST_CASE(who_left_the_list_is_not_signalled)
{
    const pid_t child = ::fork();
    if (child == 0)
        while (true)
            ::pause();
    int looks = 0;
    BOOST_TEST(signal_members([&] { return looks++ == 0 ? std::vector{child} : std::vector<pid_t>{}; }, SIGKILL) == 0u);
    BOOST_TEST(::waitpid(child, nullptr, WNOHANG) == 0);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(run_folder)

struct Folder {
    config::Config config;
    node::JobKey key{JobId{7}, Incarnation{2}};
    Folder()
    {
        config.jnoded.run_dir = "/tmp/noded_test_" + std::to_string(::getpid());
        std::filesystem::remove_all(config.jnoded.run_dir);
    }
    ~Folder() { std::filesystem::remove_all(config.jnoded.run_dir); }

    RunFolder open() const
    {
        auto folder = RunFolder::open(config, "n1");
        BOOST_REQUIRE_MESSAGE(folder.has_value(), (folder ? std::string() : folder.error().message));
        return std::move(*folder);
    }
    wire::LaunchOrder order() const
    {
        wire::LaunchOrder order;
        order.set_job_id(7);
        order.set_incarnation(2);
        order.mutable_account()->set_uid(::geteuid());
        order.mutable_account()->set_gid(::getegid());
        return order;
    }
    std::string job_path(const std::string& file) const { return config.jnoded.run_dir + "/jobs/7.2/" + file; }
};

BOOST_FIXTURE_TEST_CASE(an_order_is_found_again, Folder)
{
    const auto folder = open();
    BOOST_REQUIRE(folder.write_order(key, order(), "#!/bin/sh\n").has_value());
    BOOST_REQUIRE(folder.write_stop(key, record_from({JobState::timeout, "time limit of 1h reached", Instant(Duration(5))})).has_value());
    const auto records = folder.read_jobs();
    BOOST_REQUIRE_EQUAL(records.size(), 1u);
    BOOST_TEST((records[0].key == key));
    BOOST_TEST(records[0].order.SerializeAsString() == order().SerializeAsString());
    BOOST_REQUIRE(records[0].stop.has_value());
    BOOST_TEST((stop_from(*records[0].stop)->verdict == JobState::timeout));
    BOOST_TEST(!records[0].exit.has_value());
    BOOST_TEST(!folder.was_taken(key));
    struct stat status {};
    BOOST_REQUIRE(::stat(job_path("script").c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777) == 0500u);
    folder.remove(key);
    BOOST_TEST(folder.read_jobs().empty());
    BOOST_TEST(!std::filesystem::exists(job_path("")));
}

BOOST_FIXTURE_TEST_CASE(what_a_crash_left_half_made_is_removed, Folder)
{
    const auto folder = open();
    std::filesystem::create_directories(job_path(""));
    std::ofstream(job_path("script")) << "#!/bin/sh\n";
    std::ofstream(job_path("order.tmp")) << "half";
    BOOST_TEST(folder.read_jobs().empty());
    BOOST_TEST(!std::filesystem::exists(job_path("")));
}

BOOST_FIXTURE_TEST_CASE(a_damaged_order_is_left_alone, Folder)
{
    const auto folder = open();
    std::filesystem::create_directories(job_path(""));
    std::ofstream(job_path("order")) << "\xff\xff\xff";
    BOOST_TEST(folder.read_jobs().empty());
    BOOST_TEST(std::filesystem::exists(job_path("order")));
}

BOOST_FIXTURE_TEST_CASE(a_left_folder_of_the_same_name_is_replaced, Folder)
{
    const auto folder = open();
    std::filesystem::create_directories(job_path(""));
    std::ofstream(job_path("exit")) << "";
    BOOST_REQUIRE(folder.write_order(key, order(), "#!/bin/sh\n").has_value());
    BOOST_TEST(!folder.has_exit(key));
}

BOOST_FIXTURE_TEST_CASE(a_shepherd_is_known_by_pid_and_start_time, Folder)
{
    const auto folder = open();
    BOOST_REQUIRE(folder.write_order(key, order(), "#!/bin/sh\n").has_value());
    BOOST_TEST(!folder.living_shepherd(key).has_value());
    const auto self = read_process(::getpid());
    BOOST_REQUIRE(self.has_value());
    std::ofstream(job_path("shepherd.pid")) << self->pid << ' ' << self->start_time << "\n4711\n";
    BOOST_TEST(folder.was_taken(key));
    BOOST_REQUIRE(folder.living_shepherd(key).has_value());
    BOOST_TEST(folder.living_shepherd(key)->pid == self->pid);
    BOOST_TEST(folder.living_shepherd(key)->script == 4711);
    std::ofstream(job_path("shepherd.pid")) << self->pid << ' ' << self->start_time + 1 << "\n";
    BOOST_TEST(!folder.living_shepherd(key).has_value());
}

BOOST_FIXTURE_TEST_CASE(one_daemon_holds_it, Folder)
{
    const auto folder = open();
    const auto second = RunFolder::open(config, "n1");
    BOOST_REQUIRE(!second.has_value());
    BOOST_TEST(second.error().message.find("another jnoded of node n1") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(the_cluster_is_remembered, Folder)
{
    const auto folder = open();
    BOOST_TEST(folder.read_cluster() == "");
    const std::string uuid("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16);
    BOOST_REQUIRE(folder.write_cluster(uuid).has_value());
    BOOST_TEST(folder.read_cluster() == uuid);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(messages)

BOOST_AUTO_TEST_CASE(a_start_that_makes_no_sense_keeps_its_key)
{
    wire::ToNode message;
    message.mutable_start()->set_job_id(7);
    message.mutable_start()->set_incarnation(1);
    const auto input = input_from(message);
    BOOST_REQUIRE(input.has_value());
    const auto& order = std::get<node::StartOrder>(std::get<node::FromController>(*input).order);
    BOOST_TEST((order.key == node::JobKey{JobId{7}, Incarnation{1}}));
    BOOST_TEST(!order.defect.empty());
}

BOOST_AUTO_TEST_CASE(garbage_is_refused)
{
    wire::ToNode message;
    BOOST_TEST(!input_from(message).has_value());
    message.mutable_stop()->set_job_id(0);
    BOOST_TEST(!input_from(message).has_value());
    message.mutable_ack()->set_job_id(~std::uint64_t{});
    message.mutable_ack()->set_incarnation(1);
    BOOST_TEST(!input_from(message).has_value());
}

BOOST_AUTO_TEST_CASE(times_and_signals_out_of_range_are_refused)
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    wire::ToNode message;
    message.mutable_welcome()->set_heartbeat_us(10'000'000);
    BOOST_TEST(input_from(message).has_value());
    message.mutable_welcome()->set_heartbeat_us(most);
    BOOST_TEST(!input_from(message).has_value());
    message.mutable_welcome()->set_heartbeat_us(1);
    message.mutable_welcome()->set_kill_grace_us(-1);
    BOOST_TEST(!input_from(message).has_value());
    message.mutable_signal()->set_job_id(7);
    message.mutable_signal()->set_incarnation(1);
    for (auto [signal, good] : {std::pair(64, true), {65, false}, {0, false}, {-9, false}}) {
        message.mutable_signal()->set_signal(signal);
        BOOST_TEST(input_from(message).has_value() == good);
    }
}

BOOST_AUTO_TEST_CASE(a_stop_is_obeyed_whatever_its_cause_says)
{
    wire::ToNode message;
    message.mutable_stop()->set_job_id(7);
    message.mutable_stop()->set_incarnation(1);
    message.mutable_stop()->set_cause(std::string("a\0b", 3) + std::string(100'000, 'x'));
    BOOST_TEST(input_from(message).has_value());
}

BOOST_AUTO_TEST_CASE(damaged_records_are_refused)
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    wire::LaunchOrder order;
    order.set_job_id(7);
    order.set_incarnation(1);
    BOOST_TEST(recovered_from(order).has_value());
    order.set_started_boottime_us(most);
    BOOST_TEST(!recovered_from(order).has_value());

    wire::StopRecord stop = record_from({JobState::timeout, "time limit", Instant(Duration(5))});
    BOOST_TEST(stop_from(stop).has_value());
    stop.set_kill_at_us(most);
    BOOST_TEST(!stop_from(stop).has_value());
    stop = record_from({JobState::running, "time limit", Instant(Duration(5))});
    BOOST_TEST(!stop_from(stop).has_value());
}

// A controller refuses an end by a signal that there is not, and the node would repeat it with every report.
BOOST_AUTO_TEST_CASE(a_wait_status_is_that_of_an_ended_process)
{
    for (auto [status, good] : {std::pair(0, true), {0x100, true}, {9, true}, {0x8b, true}, {64, true}, {65, false}, {0x137f, false}, {-1, false}}) {
        wire::ExitRecord record;
        record.set_wait_status(status);
        BOOST_TEST(facts_from(record).has_value() == good, status);
    }
}

BOOST_AUTO_TEST_CASE(an_order_brings_back_what_the_core_needs)
{
    node::Launch launch;
    launch.order.key = {JobId{7}, Incarnation{1}};
    launch.order.request.time_limit = std::chrono::hours(1);
    launch.order.request.warning = WarningSignal{SIGUSR1, std::chrono::seconds(60), true};
    launch.started = Instant(Duration(123456));
    launch.epoch = Epoch{9};
    node::LaunchPlan plan{.key = launch.order.key};
    BOOST_TEST(!order_from(plan, launch, "boot").has_shm_size());
    plan.shm = MemorySize{};
    BOOST_TEST(order_from(plan, launch, "boot").has_shm_size());
    const auto recovered = recovered_from(order_from(plan, launch, "boot"));
    BOOST_REQUIRE(recovered.has_value());
    BOOST_TEST((recovered->key == launch.order.key));
    BOOST_TEST((recovered->started == launch.started));
    BOOST_TEST((recovered->time_limit == launch.order.request.time_limit));
    BOOST_TEST((recovered->warning == launch.order.request.warning));
}

BOOST_AUTO_TEST_CASE(a_report_is_complete)
{
    node::Report report;
    report.running = {{{JobId{1}, Incarnation{1}}}};
    report.ended = {{{JobId{2}, Incarnation{3}}, {JobState::failed, EndClass::user, 4, 0, "exit code 4"}, {}}};
    Registration registration{.name = "n1", .boot_id = "b", .notes = {"a note"}};
    const auto message = message_from({0, 5, node::Register{report}}, registration);
    BOOST_TEST(message.serial() == 5u);
    BOOST_REQUIRE(message.has_register_());
    BOOST_TEST(message.register_().name() == "n1");
    BOOST_TEST(message.register_().notes_size() == 1);
    BOOST_TEST(message.register_().report().running(0).job_id() == 1u);
    BOOST_TEST(message.register_().report().ended(0).end().exit_code() == 4);
}

BOOST_AUTO_TEST_SUITE_END()
