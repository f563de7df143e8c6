#include "temporary_folder.hpp"

#include "base/fd.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

// A hung file system must not keep a job from ending for ever.
constexpr int removal_limit_ms = 600'000;

bool must_change_identity(const Owner& owner)
{
    return ::geteuid() == 0 && owner.uid != 0;
}

bool become(const Owner& owner)
{
    return !must_change_identity(owner)
           || (::setgroups(owner.groups.size(), owner.groups.data()) == 0 && ::setresgid(owner.gid, owner.gid, owner.gid) == 0
               && ::setresuid(owner.uid, owner.uid, owner.uid) == 0);
}

[[noreturn]] void remove_as_owner(const std::string& path, const Owner& owner, int report)
{
    std::string problem;
    if (!become(owner))
        problem = system_error(errno, "cannot become its owner").message;
    else if (auto removed = remove_contents(path); !removed)
        problem = removed.error().message;
    [[maybe_unused]] const auto written = ::write(report, problem.data(), std::min<std::size_t>(problem.size(), PIPE_BUF));
    ::_exit(0);
}

// What the child wrote, until it closes its end.
Result<std::string> read_report(int fd)
{
    std::string text;
    for (;;) {
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, removal_limit_ms) == 0)
            return fail(Errc::unavailable, "no end after {} s", removal_limit_ms / 1000);
        char part[512];
        const ssize_t size = ::read(fd, part, sizeof part);
        if (size <= 0)
            return text;
        text.append(part, static_cast<std::size_t>(size));
    }
}

Result<void> remove_contents_in_child(const std::string& path, const Owner& owner)
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
        remove_as_owner(path, owner, writer.get());
    writer = Fd();
    auto report = read_report(reader.get());
    if (!report) {
        ::kill(child, SIGKILL); // it may not die before the file system answers: the launcher reaps it then
        return std::unexpected(report.error());
    }
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
    return report->empty() ? Result<void>{} : fail(Errc::unavailable, "{}", *report);
}

// Gone, also when somebody else was quicker.
bool remove_if_empty(const std::string& path)
{
    return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

} // namespace

Result<void> make_temporary_folder(const std::string& path, const Owner& owner)
{
    if (::mkdir(path.c_str(), 0700) != 0)
        return std::unexpected(system_error(errno, "cannot make temporary folder " + path));
    if (!must_change_identity(owner) || ::lchown(path.c_str(), owner.uid, owner.gid) == 0)
        return {};
    auto error = system_error(errno, "cannot give temporary folder " + path + " to its owner");
    ::rmdir(path.c_str());
    return std::unexpected(std::move(error));
}

Result<void> remove_temporary_folder(const std::string& path, const Owner& owner)
{
    if (remove_if_empty(path))
        return {};
    auto removed = remove_contents_in_child(path, owner);
    if (remove_if_empty(path))
        return {};
    const int why = errno;
    const std::string what = "cannot remove temporary folder " + path;
    return removed ? std::unexpected(system_error(why, what)) : fail(removed.error(), "{}", what);
}

} // namespace jarvis::shepherd
