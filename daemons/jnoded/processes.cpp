#include "processes.hpp"

#include "base/directory.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sys/syscall.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

// The fields behind the command name, which may itself hold anything: "S 1 ...".
std::optional<Process> parse_stat(pid_t pid, std::string_view stat)
{
    const auto name_end = stat.rfind(')');
    if (name_end == std::string_view::npos || name_end + 2 >= stat.size())
        return std::nullopt;
    Process process{.pid = pid, .state = stat[name_end + 2]};
    // Field 3 (state) is at name_end + 2; 4 is the parent, 22 the start time (proc(5)).
    int field = 3;
    for (auto at = name_end + 2; at < stat.size(); ++field) {
        const auto space = std::min(stat.find(' ', at), stat.size());
        const auto* first = stat.data() + at;
        const auto* last = stat.data() + space;
        if (field == 4)
            std::from_chars(first, last, process.parent);
        if (field == 22) {
            std::from_chars(first, last, process.start_time);
            return process;
        }
        at = space + 1;
    }
    return std::nullopt;
}

std::vector<Process> all_processes()
{
    std::vector<Process> processes;
    const Directory proc(::opendir("/proc"));
    if (!proc)
        return processes;
    while (const auto* entry = ::readdir(proc.get())) {
        const std::string_view name(entry->d_name);
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size())
            continue;
        if (auto process = read_process(pid))
            processes.push_back(*process);
    }
    return processes;
}

} // namespace

std::optional<Process> read_process(pid_t pid)
{
    const Fd file(::open(fmt::format("/proc/{}/stat", pid).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        return std::nullopt;
    char text[1024];
    const auto size = ::read(file.get(), text, sizeof text);
    return size > 0 ? parse_stat(pid, {text, static_cast<std::size_t>(size)}) : std::nullopt;
}

std::vector<pid_t> descendants(pid_t ancestor)
{
    std::unordered_map<pid_t, std::vector<const Process*>> children;
    const auto all = all_processes();
    for (const auto& process : all)
        children[process.parent].push_back(&process);
    std::vector<pid_t> found, open{ancestor};
    while (!open.empty()) {
        const auto parent = open.back();
        open.pop_back();
        for (const auto* child : children[parent]) {
            open.push_back(child->pid);
            if (child->state != 'Z')
                found.push_back(child->pid);
        }
        children.erase(parent); // a parent seen twice in a changing table must not be followed for ever
    }
    return found;
}

Fd open_process(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool send_signal(const Fd& process, int signal)
{
    return process && ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

std::size_t signal_members(const std::function<std::vector<pid_t>()>& members, int signal)
{
    std::vector<std::pair<pid_t, Fd>> opened;
    for (const auto pid : members())
        if (auto process = open_process(pid))
            opened.emplace_back(pid, std::move(process));
    if (opened.empty())
        return 0;
    auto still = members();
    std::ranges::sort(still);
    std::size_t reached = 0;
    for (const auto& [pid, process] : opened)
        if (std::ranges::binary_search(still, pid) && send_signal(process, signal))
            ++reached;
    return reached;
}

} // namespace jarvis::noded
