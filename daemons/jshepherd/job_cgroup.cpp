#include "job_cgroup.hpp"

#include "base/directory.hpp"
#include "processes.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

// After a kill the kernel takes a moment to let go of the dead (measured: below a millisecond).
constexpr int remove_attempts = 100;
constexpr int remove_pause_ms = 50;
// cgroup.events wakes us; this is for the case that it does not, and for reaping.
constexpr int events_pause_ms = 50;

std::string read_small(int fd)
{
    char text[256];
    const ssize_t size = ::pread(fd, text, sizeof text, 0);
    return std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0);
}

bool is_populated(int events)
{
    return read_small(events).find("populated 1") != std::string::npos;
}

// Without cgroup.kill: one by one, again and again until a round finds nobody.
void kill_listed(const std::string& path)
{
    const Fd procs(::open((path + "/cgroup.procs").c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char part[4096];
    for (ssize_t size; procs && (size = ::read(procs.get(), part, sizeof part)) > 0;)
        text.append(part, static_cast<std::size_t>(size));
    const char* at = text.data();
    const char* const end = at + text.size();
    for (pid_t pid = 0; at < end;) {
        const auto [next, error] = std::from_chars(at, end, pid);
        if (error == std::errc{} && pid > 0)
            ::kill(pid, SIGKILL);
        at = next + 1;
    }
}

template <class Action>
void for_each_below(const std::string& path, const Action& action)
{
    const Directory directory(::opendir(path.c_str()));
    while (const dirent* entry = directory ? ::readdir(directory.get()) : nullptr)
        if (entry->d_type == DT_DIR && std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
            action(path + '/' + entry->d_name);
}

void kill_tree(const std::string& path)
{
    if (kill_cgroup(path))
        return;
    kill_listed(path);
    for_each_below(path, kill_tree);
}

// A job of root may have made groups of its own below ours.
void remove_below(const std::string& path)
{
    for_each_below(path, [](const std::string& below) {
        remove_below(below);
        ::rmdir(below.c_str());
    });
}

} // namespace

bool kill_cgroup(const std::string& path)
{
    const Fd kill(::open((path + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
    return kill && ::write(kill.get(), "1", 1) == 1;
}

Result<JobCgroup> JobCgroup::make(const std::string& path)
{
    JobCgroup cgroup(path);
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
        return std::unexpected(system_error(errno, "cannot make cgroup " + path));
    const std::string leaf = cgroup.leaf_path();
    if (::mkdir(leaf.c_str(), 0755) != 0
        && (errno != EEXIST || ::rmdir(leaf.c_str()) != 0 || ::mkdir(leaf.c_str(), 0755) != 0)) {
        auto error = system_error(errno, "cannot make cgroup " + leaf);
        ::rmdir(path.c_str());
        return std::unexpected(std::move(error));
    }
    cgroup.leaf_ = Fd(::open(leaf.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup.leaf_)
        return std::unexpected(system_error(errno, "cannot open cgroup " + leaf));
    return cgroup;
}

bool JobCgroup::remove_leaf() const
{
    return ::rmdir(leaf_path().c_str()) == 0 || errno == ENOENT;
}

bool JobCgroup::empty()
{
    (void)remove_leaf(); // else what lives in it is killed first
    const Fd events(::open((path_ + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
    if (!events)
        return false;
    bool killed = false;
    while (is_populated(events.get())) {
        kill_tree(path_);
        killed = true;
        reap_ended_children();
        pollfd waiting{.fd = events.get(), .events = POLLPRI, .revents = 0};
        if (is_populated(events.get()))
            ::poll(&waiting, 1, events_pause_ms);
    }
    return killed;
}

Result<void> JobCgroup::remove()
{
    for (int attempt = 0;; ++attempt) {
        if (::rmdir(path_.c_str()) == 0 || errno == ENOENT)
            return {};
        if (errno != EBUSY || attempt == remove_attempts)
            return std::unexpected(system_error(errno, "cannot remove cgroup " + path_));
        remove_below(path_);
        if (attempt > 0)
            ::poll(nullptr, 0, remove_pause_ms);
    }
}

} // namespace jarvis::shepherd
