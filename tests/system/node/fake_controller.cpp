#include "fake_controller.hpp"

#include "base/fd.hpp"
#include "model/placement.hpp"
#include "wire/convert.hpp"
#include "wire/hello.hpp"
#include "wire/unix_socket.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string build_folder()
{
    if (const char* given = std::getenv("JARVIS_BUILD_DIR"))
        return given;
    return fs::read_symlink("/proc/self/exe").parent_path().parent_path().string();
}

std::string slurp(const std::string& path)
{
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string random_bytes(std::size_t count)
{
    std::string bytes(count, '\0');
    std::ifstream("/dev/urandom").read(bytes.data(), static_cast<std::streamsize>(count));
    return bytes;
}

// What a daemon that was stopped with jobs leaves for the next one.
void remove_cgroup(const fs::path& group)
{
    std::ofstream(group / "cgroup.kill") << "1";
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(group, error))
        if (entry.is_directory())
            remove_cgroup(entry.path());
    for (int i = 0; i < 100 && ::rmdir(group.c_str()) != 0; ++i)
        std::this_thread::sleep_for(10ms);
}

} // namespace

NodeUnderTest::NodeUnderTest(const std::string& name) : uuid_(random_bytes(16)), reader_(wire::limits::default_frame)
{
    folder_ = fmt::format("/tmp/node/{}_{}", name, ::getpid());
    static int count = 0;
    node_name_ = fmt::format("t{}x{}", ::getpid(), ++count);
    fs::remove_all(folder_);
    fs::create_directories(folder_ + "/tmp");
    fs::permissions(folder_, fs::perms(0755));
    fs::permissions(folder_ + "/tmp", fs::perms(01777));
    new_boot_id();
    write_configuration();
    listen();
    start_daemon();
}

NodeUnderTest::~NodeUnderTest()
{
    kill_grace = 0ms;
    if (daemon_ > 0)
        kill_daemon(SIGTERM);
    for (const auto pid : processes_with(run_folder())) // the launcher, if a job kept it
        ::kill(pid, SIGKILL);
    for (const auto& tree : cgroup_trees())
        remove_cgroup(tree);
    disconnect();
    ::close(listener_);
    if (std::getenv("KEEP") == nullptr)
        fs::remove_all(folder_);
    fs::remove_all(run_folder());
}

void NodeUnderTest::write_configuration()
{
    std::ofstream(path("jarvis.toml")) << fmt::format(R"([controller]
socket = "{0}/jctld.sock"
state_dir = "{0}/state"
[security]
allow_root_jobs = true
[jnoded]
name = "{1}"
run_dir = "{2}"
state_dir = "{0}/state"
tmp_dir = "{0}/tmp"
boot_id_file = "{0}/boot_id"
[[node]]
names = "{1}"
[[partition]]
name = "batch"
nodes = "ALL"
confinement = "none"
)",
                                                      folder_, node_name_, run_folder());
}

void NodeUnderTest::new_boot_id()
{
    std::string hex;
    for (unsigned char byte : random_bytes(16))
        hex += fmt::format("{:02x}", byte);
    std::ofstream(path("boot_id")) << hex << '\n';
}

void NodeUnderTest::listen()
{
    auto listening = wire::listen_unix({.path = path("jctld.sock")});
    BOOST_REQUIRE_MESSAGE(listening, listening.error().message);
    listener_ = listening->release();
}

void NodeUnderTest::start_daemon()
{
    const auto program = build_folder() + "/bin/jnoded";
    const auto log = path("jnoded.log"), config = path("jarvis.toml");
    daemon_ = ::fork();
    if (daemon_ == 0) {
        ::execl(program.c_str(), "jnoded", "--config", config.c_str(), "--log-file", log.c_str(), "--log-level", std::getenv("QUIET") ? "info" : "debug",
                nullptr);
        ::_exit(127);
    }
}

void NodeUnderTest::kill_daemon(int signal)
{
    ::kill(daemon_, signal);
    BOOST_CHECK_MESSAGE(daemon_ends_within(10s), "jnoded does not end:\n" + slurp(path("jnoded.log")));
}

bool NodeUnderTest::daemon_ends_within(std::chrono::milliseconds limit)
{
    const auto ended = wait_for([&] { return ::waitpid(daemon_, nullptr, WNOHANG) == daemon_; }, limit);
    daemon_ = ended ? 0 : daemon_;
    return ended;
}

void NodeUnderTest::disconnect()
{
    if (connection_ >= 0)
        ::close(connection_);
    connection_ = -1;
}

wire::Register NodeUnderTest::accept()
{
    disconnect();
    pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
    BOOST_REQUIRE_MESSAGE(::poll(&waiting, 1, 20000) == 1, "jnoded does not connect:\n" + slurp(path("jnoded.log")));
    connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    reader_ = wire::FrameReader(wire::limits::default_frame);
    auto hello = wire::make_hello(wire::Hello::CONTROLLER, "jctld", std::chrono::time_point_cast<std::chrono::microseconds>(
                                                                         std::chrono::system_clock::now()));
    hello.set_cluster_name("jarvis");
    hello.set_cluster_uuid(uuid_);
    hello.set_epoch(epoch_);
    std::string out;
    wire::append_frame(out, hello);
    BOOST_REQUIRE(::write(connection_, out.data(), out.size()) == static_cast<ssize_t>(out.size()));
    auto frame = reader_.next();
    char bytes[4096];
    for (; frame && !*frame; frame = reader_.next()) {
        const auto size = ::read(connection_, bytes, sizeof bytes);
        BOOST_REQUIRE(size > 0);
        reader_.feed({bytes, static_cast<std::size_t>(size)});
    }
    BOOST_REQUIRE(frame);
    auto theirs = wire::parse<wire::Hello>(**frame);
    BOOST_REQUIRE(theirs);
    BOOST_TEST(theirs->node_name() == node_name_);
    auto first = receive(10s);
    BOOST_REQUIRE(first && first->has_register_());
    wire::ToNode welcome;
    ++session_;
    serial_ = 0;
    auto& body = *welcome.mutable_welcome();
    body.set_cluster_uuid(uuid_);
    body.set_cluster_name("jarvis");
    body.set_heartbeat_us(500'000);
    body.set_kill_grace_us(std::chrono::microseconds(kill_grace).count());
    send(welcome);
    return first->register_();
}

std::optional<wire::FromNode> NodeUnderTest::receive(std::chrono::milliseconds limit)
{
    const auto until = Clock::now() + limit;
    while (true) {
        const auto frame = reader_.next();
        BOOST_REQUIRE(frame);
        if (*frame) {
            auto message = wire::parse<wire::FromNode>(**frame);
            BOOST_REQUIRE(message);
            received_.push_back(*message);
            return *message;
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
        pollfd waiting{.fd = connection_, .events = POLLIN, .revents = 0};
        if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) != 1)
            return std::nullopt;
        char bytes[65536];
        const auto size = ::read(connection_, bytes, sizeof bytes);
        if (size <= 0)
            return std::nullopt;
        reader_.feed({bytes, static_cast<std::size_t>(size)});
    }
}

wire::StartJob NodeUnderTest::job(std::uint64_t id, const std::string& script, std::uint32_t incarnation)
{
    const auto* user = ::getpwuid(::geteuid());
    const auto* group = ::getgrgid(::getegid());
    wire::StartJob start;
    start.set_cluster_uuid(uuid_);
    start.set_job_id(id);
    start.set_incarnation(incarnation);
    auto& request = *start.mutable_request();
    auto& account = *request.mutable_account();
    account.set_uid(::geteuid());
    account.set_gid(::getegid());
    account.set_user(user ? user->pw_name : "nobody");
    account.set_group(group ? group->gr_name : "nogroup");
    account.set_home(folder_);
    account.set_shell("/bin/sh");
    request.set_name("test");
    request.set_partition("batch");
    request.mutable_resources()->set_tasks(1);
    request.mutable_resources()->set_cpus_per_task(1);
    request.set_working_directory(folder_);
    request.set_output("%j.out");
    request.set_umask(022);
    request.set_requeue(false);
    request.set_submit_directory(folder_);
    request.set_submit_host("here");
    request.set_script(std::string(32, 's'));
    request.set_environment(std::string(32, 'e'));
    const std::string text = "#!/bin/sh\n" + script + "\n";
    request.set_script_size(text.size());
    start.set_script(text);
    *start.mutable_environment() = wire::environment_message(std::vector<std::string>{"PATH=/usr/bin:/bin", "GREETING=hello"});
    NodePlacement placement;
    placement.cores.insert(0);
    placement.memory = {{0, mebibytes(64)}};
    *start.mutable_placement() = wire::to_message(placement);
    start.set_node_list(node_name_);
    start.set_node_count(1);
    return start;
}

wire::StartJob NodeUnderTest::member(std::uint64_t id, std::uint32_t incarnation)
{
    auto start = job(id, "echo this must not run > ran", incarnation);
    start.set_role(wire::StartJob::MEMBER);
    start.set_node_list("first," + node_name_);
    start.set_node_count(2);
    start.add_tasks_per_node(1);
    start.add_tasks_per_node(1);
    return start;
}

void NodeUnderTest::send(wire::ToNode message, bool twice)
{
    message.set_epoch(epoch_);
    message.set_session(session_);
    message.set_serial(++serial_);
    std::string out;
    wire::append_frame(out, message);
    if (twice)
        wire::append_frame(out, message);
    BOOST_REQUIRE(::send(connection_, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size()));
}

void NodeUnderTest::send_start(const wire::StartJob& start)
{
    wire::ToNode message;
    *message.mutable_start() = start;
    send(message);
}

void NodeUnderTest::send_stop(std::uint64_t id, std::uint32_t incarnation, const std::string& cause)
{
    wire::ToNode message;
    message.mutable_stop()->set_job_id(id);
    message.mutable_stop()->set_incarnation(incarnation);
    message.mutable_stop()->set_cause(cause);
    send(message);
}

void NodeUnderTest::send_finish(std::uint64_t id, std::uint32_t incarnation)
{
    wire::ToNode message;
    message.mutable_stop()->set_job_id(id);
    message.mutable_stop()->set_incarnation(incarnation);
    message.mutable_stop()->set_why(wire::StopJob::FINISHED);
    send(message);
}

void NodeUnderTest::send_signal(std::uint64_t id, int signal, bool batch_only)
{
    wire::ToNode message;
    message.mutable_signal()->set_job_id(id);
    message.mutable_signal()->set_incarnation(1);
    message.mutable_signal()->set_signal(signal);
    message.mutable_signal()->set_batch_only(batch_only);
    send(message);
}

void NodeUnderTest::send_ack(std::uint64_t id, std::uint32_t incarnation)
{
    wire::ToNode message;
    message.mutable_ack()->set_job_id(id);
    message.mutable_ack()->set_incarnation(incarnation);
    send(message);
}

wire::Ended NodeUnderTest::wait_ended(std::uint64_t id, std::uint32_t incarnation, std::chrono::milliseconds limit)
{
    const auto until = Clock::now() + limit;
    const auto is_it = [&](const wire::Ended& e) { return e.job_id() == id && e.incarnation() == incarnation; };
    // It may have come while the end of another job was awaited.
    if (const auto early = std::ranges::find_if(early_, is_it); early != early_.end()) {
        auto ended = *early;
        early_.erase(early);
        return ended;
    }
    while (Clock::now() < until) {
        const auto message = receive(100ms);
        if (message && message->has_ended() && is_it(message->ended()))
            return message->ended();
        if (message && message->has_ended())
            early_.push_back(message->ended());
        if (message && message->has_report())
            for (const auto& ended : message->report().ended())
                if (is_it(ended))
                    return ended;
    }
    BOOST_REQUIRE_MESSAGE(false, fmt::format("no end of job {}.{}:\n{}", id, incarnation, slurp(path("jnoded.log"))));
    return {};
}

bool NodeUnderTest::wait_prepared(std::uint64_t id, std::chrono::milliseconds limit)
{
    for (const auto until = Clock::now() + limit; Clock::now() < until;) {
        const auto message = receive(100ms);
        if (message && message->has_prepared() && message->prepared().job_id() == id)
            return true;
        if (message && message->has_report())
            for (const auto& running : message->report().running())
                if (running.job_id() == id && running.prepared())
                    return true;
    }
    return false;
}

wire::Report NodeUnderTest::wait_report(std::chrono::milliseconds limit)
{
    const auto until = Clock::now() + limit;
    while (Clock::now() < until)
        if (const auto message = receive(100ms); message && message->has_report())
            return message->report();
    BOOST_REQUIRE_MESSAGE(false, "no report:\n" + slurp(path("jnoded.log")));
    return {};
}

int NodeUnderTest::count_ended(std::uint64_t id) const
{
    return static_cast<int>(std::ranges::count_if(
        received_, [&](const auto& message) { return message.has_ended() && message.ended().job_id() == id; }));
}

// On a tmpfs, as it should be.
std::string NodeUnderTest::run_folder() const { return "/dev/shm/jarvis_test_" + node_name_; }

std::vector<std::string> NodeUnderTest::cgroup_trees() const
{
    std::vector<std::string> trees;
    for (const auto* mount : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(mount, error))
            if (entry.path().filename().string().ends_with("_" + node_name_))
                trees.push_back(entry.path().string());
    }
    return trees;
}

std::string NodeUnderTest::read(const std::string& name) const { return slurp(path(name)); }

bool NodeUnderTest::wait_for(const std::function<bool()>& condition, std::chrono::milliseconds limit) const
{
    for (const auto until = Clock::now() + limit; Clock::now() < until; std::this_thread::sleep_for(10ms))
        if (condition())
            return true;
    return condition();
}

std::vector<pid_t> NodeUnderTest::processes_with(const std::string& word) const
{
    std::vector<pid_t> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos || std::stoi(name) == ::getpid())
            continue;
        if (slurp(entry.path().string() + "/cmdline").find(word) != std::string::npos)
            found.push_back(std::stoi(name));
    }
    return found;
}

} // namespace jarvis::test
