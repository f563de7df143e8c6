#include "out_of_memory.hpp"

#include "base/fd.hpp"
#include "base/units.hpp"
#include "cgroup/file.hpp"
#include "wire/job_id.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

using cgroup::number_in;
using cgroup::value_of;

// A hung file system must not keep the job from ending.
constexpr int append_limit_ms = 10'000;

// The part of a cgroup's path that is the same wherever it is seen from: "<tree>/jobs/job_<id>".
std::string_view own_part(std::string_view group)
{
    auto at = group.size();
    for (int names = 0; names < 3 && at != group.npos && at > 0; ++names)
        at = group.rfind('/', at - 1);
    return at == group.npos ? group : group.substr(at);
}

// All records that the kernel still has; empty where they may not be read (a container).
std::string kernel_log()
{
    const Fd log(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    std::string text;
    char record[8192]; // a read gives one record (CONSOLE_EXT_LOG_MAX)
    for (;;) {
        const ssize_t size = log ? ::read(log.get(), record, sizeof record) : 0;
        if (size < 0 && errno == EPIPE) // overwritten meanwhile: the next read goes on behind the gap
            continue;
        if (size <= 0)
            return text;
        if (const std::string_view found(record, static_cast<std::size_t>(size)); found.find("oom-kill:") != found.npos)
            text.append(found.substr(0, found.find('\n'))) += '\n';
    }
}

std::string value_in(const wire::LaunchOrder& order, std::string_view file)
{
    for (const auto& limit : order.cgroup_values())
        if (limit.file() == file)
            return limit.value();
    return {};
}

std::string size_words(std::optional<std::int64_t> bytes) { return bytes ? format_memory_size(MemorySize{*bytes}) : "unknown"; }

Result<void> append_line(const std::string& folder, const std::string& path, const std::string& line)
{
    if (::chdir(folder.c_str()) != 0)
        return std::unexpected(system_error(errno, folder));
    const Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    struct stat what{};
    if (!file && errno == ENOENT)
        return {};
    if (!file || ::fstat(file.get(), &what) != 0)
        return std::unexpected(system_error(errno, path));
    if (S_ISREG(what.st_mode) && ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        return std::unexpected(system_error(errno, path));
    return {};
}

} // namespace

std::string killed_process(std::string_view log, std::string_view group)
{
    const auto own = own_part(group);
    std::string found;
    while (!log.empty()) {
        const auto line = log.substr(0, log.find('\n'));
        log.remove_prefix(std::min(line.size() + 1, log.size()));
        // ...oom-kill:constraint=C,nodemask=N,cpuset=C,mems_allowed=M,oom_memcg=PATH,task_memcg=PATH,task=NAME,pid=N,uid=N; a
        // task's name may hold commas, and a name like ",pid=": the last one is the kernel's.
        constexpr std::string_view memcg = ",task_memcg=";
        constexpr std::string_view task = ",task=";
        constexpr std::string_view pid = ",pid=";
        const auto begin = line.find(memcg);
        const auto name = begin == line.npos ? line.npos : line.find(task, begin);
        const auto number = line.rfind(pid);
        if (name == line.npos || number == line.npos || number < name + task.size())
            continue;
        const auto path = line.substr(begin + memcg.size(), name - begin - memcg.size());
        if (!path.ends_with(own) && path.find(std::string(own) + '/') == path.npos)
            continue;
        if (const auto process = number_in(line.substr(number + pid.size())))
            found = fmt::format("{} (process {})", line.substr(name + task.size(), number - name - task.size()), *process);
    }
    return found;
}

std::optional<std::string> find_oom(const wire::LaunchOrder& order)
{
    const auto events = cgroup::read_file(order.cgroup(), "memory.events");
    const auto kills = events ? value_of(*events, "oom_kill") : std::nullopt;
    if (!kills || *kills <= 0)
        return std::nullopt;
    const auto peak = cgroup::read_file(order.cgroup(), "memory.peak");
    std::string words = "out of memory: ";
    // "oom" counts how often the job's own limit left the kernel no other way.
    if (const auto max = value_in(order, "memory.max"); !max.empty() && value_of(*events, "oom").value_or(0) > 0)
        words += fmt::format("the job's limit on this node is {}, its peak was {}", size_words(number_in(max)),
                             size_words(peak ? number_in(*peak) : std::nullopt));
    else
        words += fmt::format("not the job's own limit but the memory of the node was used up; the job's peak was {}",
                             size_words(peak ? number_in(*peak) : std::nullopt));
    if (const auto nodes = value_in(order, "cpuset.mems"); !nodes.empty())
        words += fmt::format(" (NUMA nodes {})", nodes);
    const auto who = killed_process(kernel_log(), order.cgroup());
    words += "; the kernel killed " + (who.empty() ? fmt::format("{} of its processes", *kills) : who);
    if (order.continue_after_oom())
        words += ", and the job went on (--oom=continue)";
    else if (!who.empty() && *kills > 1)
        words += fmt::format(" and with it {} more of the job", *kills - 1);
    return words;
}

Result<void> append_to_error_file(const wire::LaunchOrder& order, const Owner& owner, const std::string& words)
{
    const auto& path = order.error_path().empty() ? order.output_path() : order.error_path();
    if (path.empty())
        return {};
    auto told = do_as_owner(owner, append_limit_ms, [&] {
        return append_line(order.working_directory(), path, fmt::format("jarvis: job {}: {}\n", wire::job_id_in(order), words));
    });
    return told ? told : fail(told.error(), "cannot add a line to {}", path);
}

} // namespace jarvis::shepherd
