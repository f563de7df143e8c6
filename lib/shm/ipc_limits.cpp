#include "shm/ipc_limits.hpp"

#include "base/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <tuple>
#include <unistd.h>

namespace jarvis::shm {
namespace {

// With what the kernel gives to a new namespace: ipc_namespace.h (DFLT_*, HARD_*), unchanged since Linux 3.5.
struct File {
    const char* path;
    std::string_view usual;
};
constexpr std::array<File, std::tuple_size_v<decltype(IpcLimits::others)>> files{{
    {"/proc/sys/kernel/shm_rmid_forced", "0\n"},
    {"/proc/sys/fs/mqueue/queues_max", "256\n"},
    {"/proc/sys/fs/mqueue/msg_max", "10\n"},
    {"/proc/sys/fs/mqueue/msgsize_max", "8192\n"},
    {"/proc/sys/fs/mqueue/msg_default", "10\n"},
    {"/proc/sys/fs/mqueue/msgsize_default", "8192\n"},
}};

IpcLimits ask_kernel()
{
    IpcLimits limits;
    ::shmctl(0, IPC_INFO, reinterpret_cast<shmid_ds*>(&limits.shared));
    ::semctl(0, 0, IPC_INFO, &limits.semaphores);
    ::msgctl(0, IPC_INFO, reinterpret_cast<msqid_ds*>(&limits.queues));
    return limits;
}

std::string read_file(const char* path)
{
    const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
    char text[128];
    const ssize_t size = file ? ::read(file.get(), text, sizeof text) : 0;
    return {text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

Result<void> write_file(const char* path, std::string_view text)
{
    const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
    if (!file || ::write(file.get(), text.data(), text.size()) < 0)
        return std::unexpected(system_error(errno, fmt::format("cannot write {} in an IPC namespace", path)));
    return {};
}

template <class Number>
Result<void> set(const char* path, Number wanted, Number found)
{
    return wanted == found ? Result<void>{} : write_file(path, fmt::format("{}\n", wanted));
}

Result<void> set_semaphores(const seminfo& wanted, const seminfo& found)
{
    const auto text = [](const seminfo& of) { return fmt::format("{} {} {} {}\n", of.semmsl, of.semmns, of.semopm, of.semmni); };
    return text(wanted) == text(found) ? Result<void>{} : write_file("/proc/sys/kernel/sem", text(wanted));
}

} // namespace

IpcLimits read_ipc_limits()
{
    IpcLimits limits = ask_kernel();
    std::ranges::transform(files, limits.others.begin(), [](const File& file) { return read_file(file.path); });
    return limits;
}

Result<void> set_ipc_limits(const IpcLimits& wanted)
{
    const IpcLimits found = ask_kernel();
    for (const auto& done : {set("/proc/sys/kernel/shmmax", wanted.shared.shmmax, found.shared.shmmax),
                             set("/proc/sys/kernel/shmall", wanted.shared.shmall, found.shared.shmall),
                             set("/proc/sys/kernel/shmmni", wanted.shared.shmmni, found.shared.shmmni),
                             set("/proc/sys/kernel/msgmax", wanted.queues.msgmax, found.queues.msgmax),
                             set("/proc/sys/kernel/msgmnb", wanted.queues.msgmnb, found.queues.msgmnb),
                             set("/proc/sys/kernel/msgmni", wanted.queues.msgmni, found.queues.msgmni),
                             set_semaphores(wanted.semaphores, found.semaphores)})
        if (!done)
            return done;
    for (std::size_t i = 0; i < files.size(); ++i)
        if (wanted.others[i] != files[i].usual && wanted.others[i] != read_file(files[i].path))
            if (auto done = write_file(files[i].path, wanted.others[i]); !done)
                return done;
    return {};
}

} // namespace jarvis::shm
