#include "step_cgroup.hpp"

#include "base/directory.hpp"
#include "base/fd.hpp"
#include "wire/limits.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

Fd open_group(int at, const char* name) { return Fd(::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)); }

Result<Fd> make_group(const Fd& parent, const std::string& name)
{
    if (::mkdirat(parent.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
        return std::unexpected(system_error(errno, fmt::format("cannot make cgroup {}", name)));
    auto group = open_group(parent.get(), name.c_str());
    if (!group)
        return std::unexpected(system_error(errno, fmt::format("cannot open cgroup {}", name)));
    return group;
}

std::string read_value(const Fd& group, const char* file)
{
    const Fd value(::openat(group.get(), file, O_RDONLY | O_CLOEXEC));
    char text[4096];
    const auto size = value ? ::read(value.get(), text, sizeof text) : 0;
    return std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0);
}

Result<void> write_value(const Fd& group, const char* file, std::string_view value)
{
    const Fd place(::openat(group.get(), file, O_WRONLY | O_CLOEXEC));
    if (!place || ::write(place.get(), value.data(), value.size()) < 0)
        return std::unexpected(system_error(errno, fmt::format("cannot write \"{}\" to {}", value, file)));
    return {};
}

// The number after a name at the beginning of a line, or the file's only number.
std::optional<std::int64_t> number_after(std::string_view text, std::string_view name)
{
    const auto at = text.starts_with(name) ? 0 : text.find(fmt::format("\n{}", name));
    if (at == text.npos)
        return std::nullopt;
    const auto* begin = text.data() + at + (at > 0 ? 1 : 0) + name.size();
    std::int64_t value = 0;
    if (std::from_chars(begin, text.data() + text.size(), value).ec != std::errc{})
        return std::nullopt;
    return std::clamp<std::int64_t>(value, 0, wire::limits::memory);
}

bool has_word(std::string_view line, std::string_view word)
{
    for (auto at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
        const auto end = at + word.size();
        if ((at == 0 || line[at - 1] == ' ') && (end == line.size() || line[end] == ' ' || line[end] == '\n'))
            return true;
    }
    return false;
}

// Hands on what the job has itself; where it has neither, its steps are followed and not bound by cgroups.
Result<void> hand_on(const Fd& group, std::string_view controller)
{
    if (!has_word(read_value(group, "cgroup.controllers"), controller) ||
        has_word(read_value(group, "cgroup.subtree_control"), controller))
        return {};
    return write_value(group, "cgroup.subtree_control", fmt::format("+{}", controller));
}

Result<void> let_enter(const Fd& group, uid_t owner)
{
    if (owner == ::geteuid() || ::fchownat(group.get(), "cgroup.procs", owner, static_cast<gid_t>(-1), 0) == 0)
        return {};
    return std::unexpected(system_error(errno, "cannot give cgroup.procs to the job's owner"));
}

Result<void> bind(const Fd& group, const TaskGroup& task)
{
    for (const auto& [file, value] : {std::pair{"cpuset.cpus", &task.cpus}, std::pair{"cpuset.mems", &task.mems}})
        if (!value->empty())
            if (auto written = write_value(group, file, *value); !written)
                return written;
    return {};
}

Result<void> make_all(const Fd& job, const std::string& name, const std::vector<TaskGroup>& tasks, uid_t owner)
{
    for (const auto* controller : {"cpuset", "memory"})
        if (auto handed = hand_on(job, controller); !handed)
            return handed;
    if (auto let = let_enter(job, owner); !let)
        return let;
    const auto step = make_group(job, name);
    if (!step)
        return std::unexpected(step.error());
    if (tasks.size() == 1) {
        if (auto bound = bind(*step, tasks.front()); !bound)
            return bound;
        return let_enter(*step, owner);
    }
    if (auto handed = hand_on(*step, "cpuset"); !handed)
        return handed;
    for (const auto& task : tasks) {
        const auto group = make_group(*step, fmt::format("task_{}", task.rank));
        if (!group)
            return std::unexpected(group.error());
        if (auto bound = bind(*group, task); !bound)
            return bound;
        if (auto let = let_enter(*group, owner); !let)
            return let;
    }
    return {};
}

} // namespace

Result<std::string> make_step_groups(const std::string& job_group, std::uint32_t step, const std::vector<TaskGroup>& tasks,
                                     uid_t owner)
{
    const auto job = open_group(AT_FDCWD, job_group.c_str());
    if (!job)
        return std::unexpected(system_error(errno, fmt::format("cannot open cgroup {}", job_group)));
    const auto name = fmt::format("step_{}", step);
    auto path = job_group + "/" + name;
    if (auto made = make_all(job, name, tasks, owner); !made) {
        (void)remove_step_groups(path);
        return fail(made.error(), "{}", path);
    }
    return path;
}

void add_step_usage(const std::string& group, wire::Usage& usage)
{
    const auto step = open_group(AT_FDCWD, group.c_str());
    if (!step)
        return;
    const auto times = read_value(step, "cpu.stat");
    if (const auto user = number_after(times, "user_usec "))
        usage.set_cpu_user_us(std::max(usage.cpu_user_us(), *user));
    if (const auto system = number_after(times, "system_usec "))
        usage.set_cpu_system_us(std::max(usage.cpu_system_us(), *system));
    if (const auto peak = number_after(read_value(step, "memory.peak"), ""))
        usage.set_memory_peak(*peak);
}

bool remove_step_groups(const std::string& group)
{
    if (::rmdir(group.c_str()) == 0 || errno == ENOENT)
        return true;
    const Directory below(::opendir(group.c_str()));
    while (const auto* entry = below ? ::readdir(below.get()) : nullptr)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            if (!remove_step_groups(group + "/" + entry->d_name))
                return false;
    return ::rmdir(group.c_str()) == 0 || errno == ENOENT;
}

} // namespace jarvis::noded
