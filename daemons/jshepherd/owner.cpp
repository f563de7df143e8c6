#include "owner.hpp"

#include "base/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

bool become(const Owner& owner)
{
    return !must_change_identity(owner)
           || (::setgroups(owner.groups.size(), owner.groups.data()) == 0 && ::setresgid(owner.gid, owner.gid, owner.gid) == 0
               && ::setresuid(owner.uid, owner.uid, owner.uid) == 0);
}

[[noreturn]] void work_in_child(const Owner& owner, const std::function<Result<void>()>& work, int report)
{
    std::string problem;
    if (!become(owner))
        problem = system_error(errno, "cannot become its owner").message;
    else if (auto done = work(); !done)
        problem = done.error().message;
    [[maybe_unused]] const auto written = ::write(report, problem.data(), std::min<std::size_t>(problem.size(), PIPE_BUF));
    ::_exit(0);
}

// What the child wrote, until it closes its end.
Result<std::string> read_report(int fd, int limit_ms)
{
    std::string text;
    for (;;) {
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, limit_ms) == 0)
            return fail(Errc::unavailable, "no end after {} s", limit_ms / 1000);
        char part[512];
        const ssize_t size = ::read(fd, part, sizeof part);
        if (size <= 0)
            return text;
        text.append(part, static_cast<std::size_t>(size));
    }
}

} // namespace

bool must_change_identity(const Owner& owner)
{
    return ::geteuid() == 0 && owner.uid != 0;
}

Result<void> do_as_owner(const Owner& owner, int limit_ms, const std::function<Result<void>()>& work)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return std::unexpected(system_error(errno, "pipe"));
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
    const pid_t child = ::fork();
    if (child < 0)
        return std::unexpected(system_error(errno, "fork"));
    if (child == 0)
        work_in_child(owner, work, writer.get());
    writer = Fd();
    auto report = read_report(reader.get(), limit_ms);
    if (!report) {
        ::kill(child, SIGKILL); // it may not die before the file system answers: the launcher reaps it then
        return std::unexpected(report.error());
    }
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
    return report->empty() ? Result<void>{} : fail(Errc::unavailable, "{}", *report);
}

} // namespace jarvis::shepherd
