// How many trivial jobs a second the launcher sees through, against the same work done by bench_bound.
//
//   bench_launcher_rate BUILD_FOLDER [AT_ONCE [COUNT [ROUNDS [CGROUP]]]]
//
// CGROUP: a cgroup2 folder of one's own. Launcher and bound take turns; job folders and outputs lie on /dev/shm.
#include "wire/blocking.hpp"

#include "shepherd.pb.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <signal.h>
#include <spawn.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace jarvis;
namespace fs = std::filesystem;

struct Setup {
    std::string build;
    int at_once = 2;
    int count = 2000;
    int rounds = 3;
    std::string cgroup;
    std::string folder; // of this run
};

double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void die(const std::string& what)
{
    std::fprintf(stderr, "bench_launcher_rate: %s\n", what.c_str());
    std::exit(1);
}

pid_t spawn(std::vector<std::string> words, const std::string& output = {})
{
    std::vector<char*> argv;
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (!output.empty())
        posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = 0;
    if (posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ) != 0)
        die("cannot start " + words[0]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

void write_script(const std::string& path)
{
    std::ofstream(path) << "#!/bin/sh\nexit 0\n";
    ::chmod(path.c_str(), 0755);
}

// An environment as a login shell has it, in number and length.
void add_environment(wire::LaunchOrder& order)
{
    for (int i = 0; i < 45; ++i)
        order.add_environment("VARIABLE_" + std::to_string(i) + "=" + std::string(40, 'x'));
    order.add_environment("PATH=/usr/bin:/bin");
}

wire::ToLauncher order_of(const Setup& setup, const std::string& jobs, std::uint64_t id)
{
    wire::ToLauncher message;
    auto& order = *message.mutable_launch();
    const std::string folder = jobs + '/' + std::to_string(id);
    order.set_job_id(id);
    order.set_incarnation(1);
    order.set_job_folder(folder);
    order.set_runtime("native");
    order.mutable_account()->set_uid(::geteuid());
    order.mutable_account()->set_gid(::getegid());
    order.mutable_account()->add_groups(::getegid());
    order.set_script_path(folder + "/script");
    add_environment(order);
    order.set_working_directory(setup.folder);
    order.set_output_path(jobs + "/out." + std::to_string(id));
    order.set_umask(022);
    for (const char* name : {"core", "nofile", "nproc", "stack"}) {
        auto& limit = *order.add_limits();
        limit.set_name(name);
        limit.set_soft(std::string_view(name) == "core" ? 0 : 65536 * 64);
        limit.set_hard(65536 * 64);
    }
    order.mutable_limits(1)->set_soft(1024);
    order.mutable_limits(1)->set_hard(65536);
    order.add_pus(0);
    order.add_pus(1);
    if (!setup.cgroup.empty())
        order.set_cgroup(setup.cgroup + "/job_" + std::to_string(id));
    order.set_temporary_folder(jobs + "/tmp." + std::to_string(id));
    return message;
}

double rate_of_launcher(const Setup& setup, wire::BlockingConnection& launcher, int round)
{
    const std::string jobs = setup.folder + "/jobs" + std::to_string(round);
    const std::uint64_t first = 1 + static_cast<std::uint64_t>(round) * 1'000'000;
    fs::create_directory(jobs);
    for (int i = 0; i < setup.count; ++i) {
        const std::string folder = jobs + '/' + std::to_string(first + static_cast<std::uint64_t>(i));
        fs::create_directory(folder);
        write_script(folder + "/script");
    }
    const double begin = now();
    int sent = 0;
    for (int gone = 0; gone < setup.count;) {
        while (sent < setup.count && sent - gone < setup.at_once)
            if (!launcher.send(order_of(setup, jobs, first + static_cast<std::uint64_t>(sent++)), wire::no_deadline))
                die("cannot send");
        auto message = launcher.receive<wire::FromLauncher>(wire::deadline_in(std::chrono::seconds(30)));
        if (!message)
            die(message.error().message);
        if (!message->launched().error().empty())
            die(message->launched().error());
        gone += message->has_gone();
    }
    const double seconds = now() - begin;
    for (int i = 0; i < setup.count; ++i) {
        std::ifstream file(jobs + '/' + std::to_string(first + static_cast<std::uint64_t>(i)) + "/exit", std::ios::binary);
        wire::ExitRecord record;
        if (!record.ParseFromIstream(&file) || record.wait_status() != 0 || !record.launch_error().empty()
            || !record.notes().empty())
            die("job " + std::to_string(i) + ": " + record.launch_error() + record.notes());
    }
    fs::remove_all(jobs);
    return setup.count / seconds;
}

double rate_of_bound(const Setup& setup)
{
    const std::string folder = setup.folder + "/bound", result = setup.folder + "/seconds";
    fs::create_directory(folder);
    write_script(setup.folder + "/script");
    std::vector<std::string> words{setup.build + "/bench/bench_bound", std::to_string(setup.at_once),
                                   std::to_string(setup.count), setup.folder + "/script", folder};
    if (!setup.cgroup.empty())
        words.push_back(setup.cgroup);
    int status = 0;
    ::waitpid(spawn(words, result), &status, 0);
    double seconds = 0;
    std::ifstream(result) >> seconds;
    if (status != 0 || seconds <= 0)
        die("bench_bound failed");
    fs::remove_all(folder);
    return setup.count / seconds;
}

void connect_and_run(const Setup& setup, const std::string& socket)
{
    for (int attempt = 0;; ++attempt) {
        auto launcher = wire::BlockingConnection::connect(socket, std::chrono::seconds(1));
        if (!launcher && attempt == 100)
            die(launcher.error().message);
        if (!launcher) {
            ::usleep(20'000);
            continue;
        }
        for (int round = 0; round < setup.rounds; ++round) {
            const double bound = rate_of_bound(setup);
            const double rate = rate_of_launcher(setup, *launcher, round);
            std::printf("launcher %6.0f jobs/s   bound %6.0f jobs/s   share %.2f\n", rate, bound, rate / bound);
        }
        return;
    }
}

} // namespace

int main(int argc, char** argv)
{
    if (argc < 2)
        die("usage: bench_launcher_rate BUILD_FOLDER [AT_ONCE [COUNT [ROUNDS [CGROUP]]]]");
    Setup setup{.build = argv[1]};
    setup.at_once = argc > 2 ? std::atoi(argv[2]) : setup.at_once;
    setup.count = argc > 3 ? std::atoi(argv[3]) : setup.count;
    setup.rounds = argc > 4 ? std::atoi(argv[4]) : setup.rounds;
    setup.cgroup = argc > 5 ? argv[5] : "";
    setup.folder = "/dev/shm/jarvis_launcher_rate_" + std::to_string(::getpid());
    fs::create_directory(setup.folder);
    const std::string socket = setup.folder + "/launcher.sock";
    const pid_t launcher = spawn({setup.build + "/bin/jshepherd", "--socket", socket, "--plugins",
                                  setup.build + "/lib/jarvis/plugins"});
    connect_and_run(setup, socket);
    ::kill(launcher, SIGTERM);
    ::waitpid(launcher, nullptr, 0);
    fs::remove_all(setup.folder);
}
