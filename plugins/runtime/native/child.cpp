#include "child.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mempolicy.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace native {
namespace {

// A script that another process of the node daemon still holds open for writing (it was forked at a bad moment) is "busy"
// until that one has executed its own program.
constexpr int busy_attempts = 200;
constexpr timespec busy_pause{0, 2'000'000};

// glibc's setresuid() and its like tell other threads by signals; here there are none, and this is not our memory.
long set_identity(const jarvis_launch& launch)
{
    if (geteuid() != 0)
        return launch.uid == geteuid() ? 0 : (errno = EPERM, -1); // a personal cluster: we are that user already
    if (syscall(SYS_setgroups, static_cast<std::size_t>(launch.group_count), launch.groups) != 0
        || syscall(SYS_setresgid, launch.gid, launch.gid, launch.gid) != 0)
        return -1;
    return syscall(SYS_setresuid, launch.uid, launch.uid, launch.uid);
}

const jarvis_rlimit& limit_at(const jarvis_launch& launch, std::uint32_t index)
{
    return *reinterpret_cast<const jarvis_rlimit*>(reinterpret_cast<const char*>(launch.limits)
                                                   + std::size_t{index} * launch.limit_size);
}

// Without the privilege to raise a hard limit the job gets what there is, which is the stricter one.
int set_limit(const jarvis_rlimit& wanted)
{
    rlimit limit{wanted.soft, wanted.hard};
    const auto resource = static_cast<__rlimit_resource>(wanted.resource);
    if (setrlimit(resource, &limit) == 0)
        return 0;
    rlimit present{};
    if (errno != EPERM || getrlimit(resource, &present) != 0)
        return -1;
    if (limit.rlim_max > present.rlim_max)
        limit.rlim_max = present.rlim_max;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit);
}

class Steps {
    const Child& child_;
    const jarvis_launch& launch_;

public:
    explicit Steps(const Child& child) : child_(child), launch_(*child.launch) {}

    [[noreturn]] void fail(Step step, int detail = 0) const
    {
        child_.failure->error_number = errno;
        child_.failure->detail = detail;
        child_.failure->step = step;
        for (;;)
            syscall(SYS_exit_group, 127);
    }

    // Before the process is the user's: needs our privileges.
    void confine() const
    {
        if (child_.join_cgroup)
            join_cgroup();
        if (setsid() < 0)
            fail(Step::session);
        for (std::uint32_t i = 0; i < launch_.limit_count; ++i)
            if (set_limit(limit_at(launch_, i)) != 0)
                fail(Step::limit, limit_at(launch_, i).resource);
        if (child_.affinity_size != 0
            && syscall(SYS_sched_setaffinity, 0, child_.affinity_size, child_.affinity) < 0)
            fail(Step::affinity);
        if (child_.cpus)
            check_cpus();
        if (child_.numa_nodes)
            check_numa_nodes();
        if (child_.policy_nodes)
            set_memory_policy();
        umask(static_cast<mode_t>(launch_.umask & 0777));
    }

    void become_user() const
    {
        if (set_identity(launch_) != 0)
            fail(Step::identity);
    }

    // From here on everything is done as the user.
    void open_files() const
    {
        if (chdir(launch_.working_directory) != 0)
            fail(Step::directory);
        take(open(launch_.input_path ? launch_.input_path : "/dev/null", O_RDONLY | O_NOCTTY | O_CLOEXEC), STDIN_FILENO,
             Step::input);
        take(open_output(launch_.output_path), STDOUT_FILENO, Step::output);
        if (launch_.error_path)
            take(open_output(launch_.error_path), STDERR_FILENO, Step::error);
        else if (dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
            fail(Step::error);
    }

    void execute() const
    {
        // Our own descriptors are close-on-exec, and the launcher closed what it was born with; this is the second lock.
        if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0 && errno != ENOSYS && errno != EINVAL)
            fail(Step::descriptors);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        for (int attempt = 0; attempt < busy_attempts; ++attempt) {
            execve(launch_.program, const_cast<char* const*>(launch_.argv), const_cast<char* const*>(launch_.envp));
            if (errno != ETXTBSY)
                break;
            nanosleep(&busy_pause, nullptr);
            errno = ETXTBSY;
        }
        fail(Step::execute);
    }

private:
    // The kernel takes an affinity that the cpuset allows in part, and says nothing.
    void check_cpus() const
    {
        auto& found = child_.failure->found;
        if (syscall(SYS_sched_getaffinity, 0, sizeof found.bits, found.bits) < 0)
            fail(Step::affinity);
        if (!same(found, *child_.cpus))
            fail(Step::cpu_promise);
    }

    // Where this is not to be learned (a kernel without NUMA, a container's filter) the host's look at the cgroup has to do.
    void check_numa_nodes() const
    {
        auto& found = child_.failure->found;
        for (auto& word : found.bits)
            word = 0;
        if (syscall(SYS_get_mempolicy, nullptr, found.bits, Set::words * Set::word_bits, nullptr, MPOL_F_MEMS_ALLOWED) == 0 &&
            !same(found, *child_.numa_nodes))
            fail(Step::memory_promise);
    }

    // A kernel without NUMA has one node, and on that each policy is the same.
    void set_memory_policy() const
    {
        if (syscall(SYS_set_mempolicy, mode_of(launch_.memory_policy), child_.policy_nodes->bits, Set::words * Set::word_bits) == 0 ||
            errno == ENOSYS)
            return;
        if (launch_.memory_policy != JARVIS_MEMORY_PREFER) // that is a wish
            fail(Step::memory_policy);
    }

    static int mode_of(std::uint32_t policy)
    {
        switch (policy) {
        case JARVIS_MEMORY_PREFER: return MPOL_PREFERRED_MANY; // since Linux 5.15
        case JARVIS_MEMORY_BIND: return MPOL_BIND;
        case JARVIS_MEMORY_INTERLEAVE: return MPOL_INTERLEAVE;
        default: return -1; // the kernel refuses it, with EINVAL
        }
    }

    static bool same(const Set& a, const Set& b)
    {
        for (std::size_t i = 0; i < Set::words; ++i)
            if (a.bits[i] != b.bits[i])
                return false;
        return true;
    }

    void join_cgroup() const
    {
        const int fd = openat(launch_.cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
            fail(Step::cgroup);
        close(fd);
    }

    // Always appending, so that what several processes write stays whole, also when one of them opens /dev/stdout anew.
    int open_output(const char* path) const
    {
        const int keep = launch_.flags & JARVIS_LAUNCH_APPEND ? 0 : O_TRUNC;
        return open(path ? path : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC | keep, 0666);
    }

    void take(int opened, int wanted, Step step) const
    {
        if (opened < 0 || dup2(opened, wanted) < 0)
            fail(step);
    }
};

} // namespace

int run_child(void* argument)
{
    const Steps steps(*static_cast<const Child*>(argument));
    steps.confine();
    steps.become_user();
    steps.open_files();
    steps.execute();
    __builtin_unreachable();
}

} // namespace native
