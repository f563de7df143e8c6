#include "processes.hpp"

#include "base/directory.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <unordered_set>

namespace jarvis::shepherd {
namespace {

constexpr int first_pause_ms = 1;
constexpr int longest_pause_ms = 50;

// The fields of /proc/<pid>/stat after the command, which may hold blanks and parentheses: the first is the state.
std::string_view stat_fields(const char* path, char* buffer, std::size_t size)
{
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return {};
    const ssize_t got = ::read(fd, buffer, size - 1);
    ::close(fd);
    if (got <= 0)
        return {};
    buffer[got] = '\0';
    const std::string_view text(buffer, static_cast<std::size_t>(got));
    const auto end = text.rfind(')');
    return end == text.npos || end + 2 >= text.size() ? std::string_view{} : text.substr(end + 2);
}

} // namespace

std::vector<Process> list_processes()
{
    std::vector<Process> result;
    const Directory proc(::opendir("/proc"));
    if (!proc)
        return result;
    char buffer[1024];
    while (const dirent* entry = ::readdir(proc.get())) {
        if (!std::isdigit(static_cast<unsigned char>(entry->d_name[0])))
            continue;
        const std::string path = std::string("/proc/") + entry->d_name + "/stat";
        const std::string_view fields = stat_fields(path.c_str(), buffer, sizeof buffer);
        if (fields.size() > 2) // "S 123 ..."
            result.push_back({std::atoi(entry->d_name), std::atoi(fields.data() + 2)});
    }
    return result;
}

std::vector<pid_t> descendants(const std::vector<Process>& processes, pid_t root)
{
    std::vector<Process> by_parent = processes;
    std::ranges::sort(by_parent, {}, &Process::parent);
    std::vector<pid_t> found{root};
    std::unordered_set<pid_t> seen{root}; // /proc is no snapshot: a number may have come twice
    for (std::size_t i = 0; i < found.size(); ++i)
        for (const Process& child : std::ranges::equal_range(by_parent, found[i], {}, &Process::parent))
            if (seen.insert(child.pid).second)
                found.push_back(child.pid);
    found.erase(found.begin());
    return found;
}

bool reap_ended_children()
{
    for (;;) {
        const pid_t ended = ::waitpid(-1, nullptr, WNOHANG);
        if (ended == 0)
            return true;
        if (ended < 0 && errno != EINTR)
            return false;
    }
}

bool kill_descendants()
{
    if (!reap_ended_children())
        return false;
    int pause = first_pause_ms;
    do {
        for (const pid_t pid : descendants(list_processes(), ::getpid()))
            ::kill(pid, SIGKILL);
        ::poll(nullptr, 0, pause);
        pause = std::min(2 * pause, longest_pause_ms);
    } while (reap_ended_children());
    return true;
}

std::string own_start_time()
{
    char buffer[1024];
    std::string_view fields = stat_fields("/proc/self/stat", buffer, sizeof buffer);
    for (int skip = 3; skip < 22 && !fields.empty(); ++skip) { // the first one here is field 3 (proc(5))
        const auto blank = fields.find(' ');
        fields = blank == fields.npos ? std::string_view{} : fields.substr(blank + 1);
    }
    return std::string(fields.substr(0, fields.find(' ')));
}

} // namespace jarvis::shepherd
