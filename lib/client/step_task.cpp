#include "client/step_task.hpp"

#include "base/escape.hpp"
#include "base/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

// As shells have it.
constexpr int not_executable = 126, not_found = 127;
// linux/mempolicy.h
constexpr int policy_bind = 2, policy_interleave = 3;

// Bits as the kernel takes sets of CPUs and of NUMA nodes.
std::vector<unsigned long> bits_of(const std::vector<std::uint32_t>& numbers)
{
    constexpr std::size_t width = 8 * sizeof(unsigned long);
    std::vector<unsigned long> bits;
    for (const auto number : numbers) {
        if (bits.size() <= number / width)
            bits.resize(number / width + 1);
        bits[number / width] |= 1ul << (number % width);
    }
    return bits;
}

// All that the child needs, so that it allocates nothing between fork and exec.
struct Prepared {
    std::vector<char*> environment;
    std::vector<unsigned long> cpus;
    std::vector<unsigned long> nodes;
};

[[noreturn]] void fail_child(const char* what, int code)
{
    const char* why = ::strerrordesc_np(errno);
    char text[512] = "jrun: ";
    ::strncat(text, what, 400);
    ::strncat(text, ": ", 3);
    ::strncat(text, why ? why : "unknown error", 80);
    ::strncat(text, "\n", 2);
    (void)!::write(STDERR_FILENO, text, ::strlen(text));
    ::_exit(code);
}

// Standard descriptors may stand in each other's way: all come above them first.
void take_descriptors(const TaskStart& start)
{
    int from[3] = {start.input, start.output, start.error};
    for (int i = 0; i < 3; ++i)
        if (from[i] != i && from[i] <= STDERR_FILENO)
            from[i] = ::fcntl(from[i], F_DUPFD, STDERR_FILENO + 1);
    for (int i = 0; i < 3; ++i)
        if (from[i] != i && ::dup2(from[i], i) < 0)
            fail_child("cannot set up its standard descriptors", not_executable);
}

[[noreturn]] void become_task(const TaskStart& start, const Prepared& prepared, const OwnState& own)
{
    ::setpgid(0, 0);
    if (start.barrier[0] >= 0) {
        ::close(start.barrier[1]);
        char byte = 0;
        if (::read(start.barrier[0], &byte, 1) != 1)
            ::_exit(not_executable);
    }
    take_descriptors(start);
    if (!prepared.cpus.empty() &&
        ::syscall(SYS_sched_setaffinity, 0, prepared.cpus.size() * sizeof(unsigned long), prepared.cpus.data()) < 0)
        fail_child("cannot bind the task to its processors", not_executable);
    if (!prepared.nodes.empty() &&
        ::syscall(SYS_set_mempolicy, start.interleave ? policy_interleave : policy_bind, prepared.nodes.data(),
                  prepared.nodes.size() * 8 * sizeof(unsigned long) + 1) < 0 &&
        errno != ENOSYS) // a kernel without NUMA has one node
        fail_child("cannot bind the task to its memory", not_executable);
    ::setrlimit(RLIMIT_NOFILE, &own.files);
    ::signal(SIGPIPE, SIG_DFL);
    ::sigprocmask(SIG_SETMASK, &own.signals, nullptr);
    ::execve(start.program, start.arguments, prepared.environment.data());
    fail_child(start.program, errno == ENOENT ? not_found : not_executable);
}

} // namespace

Result<pid_t> start_task(const TaskStart& start, const OwnState& own)
{
    Prepared prepared{.environment = {}, .cpus = bits_of(start.pus), .nodes = bits_of(start.numa_nodes)};
    for (const auto& variable : start.environment)
        prepared.environment.push_back(const_cast<char*>(variable.c_str()));
    prepared.environment.push_back(nullptr);
    clone_args how{};
    how.exit_signal = SIGCHLD;
    Fd group;
    if (!start.cgroup.empty()) {
        group = Fd(::open(start.cgroup.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!group)
            return std::unexpected(system_error(errno, fmt::format("cannot open cgroup {}", start.cgroup)));
        how.flags = CLONE_INTO_CGROUP;
        how.cgroup = static_cast<std::uint64_t>(group.get());
    }
    const auto pid = ::syscall(SYS_clone3, &how, sizeof how);
    if (pid < 0)
        return std::unexpected(
            system_error(errno, start.cgroup.empty() ? "cannot fork" : fmt::format("cannot fork into cgroup {}", start.cgroup)));
    if (pid == 0)
        become_task(start, prepared, own);
    ::setpgid(static_cast<pid_t>(pid), static_cast<pid_t>(pid)); // so that a signal to the group finds it at once
    return static_cast<pid_t>(pid);
}

std::uint64_t start_time_of(pid_t pid)
{
    const Fd file(::open(fmt::format("/proc/{}/stat", pid).c_str(), O_RDONLY | O_CLOEXEC));
    char text[1024];
    const auto size = file ? ::read(file.get(), text, sizeof text) : 0;
    std::string_view rest(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    rest.remove_prefix(std::min(rest.size(), rest.rfind(')') + 1)); // the name before it may hold anything
    // Field 22; the first after the name is the third (proc(5)).
    for (int field = 3; field <= 22 && !rest.empty(); ++field)
        rest.remove_prefix(std::min(rest.size(), rest.find(' ') + 1));
    std::uint64_t time = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), time);
    return time;
}

Result<std::string> find_program(const std::string& name, const char* path)
{
    const auto check = [](const std::string& candidate) {
        struct stat status {};
        if (::stat(candidate.c_str(), &status) != 0)
            return errno;
        if (S_ISDIR(status.st_mode))
            return EISDIR;
        return ::access(candidate.c_str(), X_OK) == 0 ? 0 : errno;
    };
    const auto failure = [&](int error) {
        auto why = system_error(error, fmt::format("cannot execute {}", escape_for_terminal(name)));
        why.code = error == ENOENT ? Errc::not_found : Errc::denied;
        return std::unexpected(why);
    };
    if (name.find('/') != std::string::npos) {
        if (const int error = check(name); error != 0)
            return failure(error == ENOTDIR ? ENOENT : error);
        return name;
    }
    int worst = ENOENT;
    std::string_view rest(path ? path : "/usr/local/bin:/usr/bin:/bin");
    while (true) {
        const auto folder = rest.substr(0, rest.find(':'));
        auto candidate = folder.empty() ? "./" + name : fmt::format("{}/{}", folder, name);
        if (const int error = check(candidate); error == 0)
            return candidate;
        else if (error == EACCES)
            worst = error;
        if (folder.size() == rest.size())
            return failure(name.empty() ? ENOENT : worst);
        rest.remove_prefix(folder.size() + 1);
    }
}

} // namespace jarvis::client
