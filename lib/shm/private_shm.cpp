#include "shm/private_shm.hpp"

#include "base/fd.hpp"
#include "shm/ipc_limits.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <fcntl.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::shm {
namespace {

constexpr const char* queues = "/dev/mqueue";
constexpr long queues_magic = 0x19800202; // ipc/mqueue.c: no header has it

// Kernels before 6.3 free IPC namespaces one after the other, tens of milliseconds each, and refuse to make more of them than
// user.max_ipc_namespaces: a node that starts hundreds of jobs a second waits for them instead of failing.
constexpr int shortage_rounds = 1000;
constexpr timespec shortage_pause{.tv_sec = 0, .tv_nsec = 10'000'000};

bool unshare_patiently()
{
    for (int round = 0; ::unshare(CLONE_NEWNS | CLONE_NEWIPC) != 0; ++round) {
        if (errno != ENOSPC || round >= shortage_rounds)
            return false;
        ::nanosleep(&shortage_pause, nullptr);
    }
    return true;
}

bool shows_queues()
{
    struct statfs is {};
    return ::statfs(queues, &is) == 0 && is.f_type == queues_magic;
}

} // namespace

Result<void> make_private(std::uint64_t size)
{
    const auto limits = read_ipc_limits();
    if (!unshare_patiently())
        return std::unexpected(system_error(errno, "cannot make namespaces for mounts and IPC"));
    // What is mounted here must not appear on the machine, and what is mounted there must appear here.
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
        return std::unexpected(system_error(errno, "cannot part its mounts from the machine's"));
    const auto options = size > 0 ? fmt::format("mode=1777,size={}", size) : std::string("mode=1777");
    if (::mount("tmpfs", folder.data(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
        return std::unexpected(system_error(errno, "cannot mount a tmpfs on /dev/shm"));
    // The mount belongs to the namespace in which it was made.
    if (shows_queues() && ::mount("mqueue", queues, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
        return std::unexpected(system_error(errno, "cannot mount its message queues on /dev/mqueue"));
    return set_ipc_limits(limits);
}

void remove_segments()
{
    shm_info there{};
    const int last = ::shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&there));
    for (int index = 0; there.used_ids > 0 && index <= last; ++index) {
        shmid_ds segment{};
        if (const int id = ::shmctl(index, SHM_STAT, &segment); id >= 0)
            ::shmctl(id, IPC_RMID, nullptr);
    }
}

Result<void> try_private()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return std::unexpected(system_error(errno, "pipe"));
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
    const pid_t child = ::fork();
    if (child < 0)
        return std::unexpected(system_error(errno, "fork"));
    if (child == 0) {
        const auto made = make_private(0);
        const auto problem = made ? std::string() : made.error().message;
        [[maybe_unused]] const auto written = ::write(writer.get(), problem.data(), std::min<std::size_t>(problem.size(), PIPE_BUF));
        ::_exit(0);
    }
    writer = Fd();
    std::string problem;
    char part[PIPE_BUF];
    for (ssize_t size = 0; (size = ::read(reader.get(), part, sizeof part)) != 0;) {
        if (size > 0)
            problem.append(part, static_cast<std::size_t>(size));
        else if (errno != EINTR)
            return std::unexpected(system_error(errno, "read"));
    }
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
    if (!problem.empty())
        return fail(Errc::unavailable, "{}", problem);
    return {};
}

} // namespace jarvis::shm
