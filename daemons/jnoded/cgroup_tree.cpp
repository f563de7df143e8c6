#include "cgroup_tree.hpp"

#include "base/directory.hpp"
#include "cgroup/file.hpp"
#include "cgroup_directory.hpp"
#include "controllers.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

using cgroup::first_line;

constexpr std::string_view job_prefix = "job_";

std::vector<std::string> subgroups(const Fd& group)
{
    std::vector<std::string> names;
    // fdopendir owns its descriptor and moves its offset, so it gets one of its own.
    const Directory directory(::fdopendir(open_directory(group.get(), ".").release()));
    while (const auto* entry = directory ? ::readdir(directory.get()) : nullptr)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            names.emplace_back(entry->d_name);
    return names;
}

void add_own_processes(const Fd& group, std::vector<pid_t>& pids)
{
    const auto text = read_value(group, "cgroup.procs");
    for (const char *at = text.data(), *end = at + text.size(); at < end; ++at) {
        pid_t pid = 0;
        at = std::from_chars(at, end, pid).ptr;
        if (pid > 0)
            pids.push_back(pid);
    }
}

void add_processes(const Fd& group, std::vector<pid_t>& pids)
{
    add_own_processes(group, pids);
    for (const auto& name : subgroups(group))
        if (const auto below = open_directory(group.get(), name.c_str()))
            add_processes(below, pids);
}

bool is_populated(const Fd& group) { return read_value(group, "cgroup.events").find("populated 1") != std::string::npos; }

bool is_at(const Fd& group, const std::string& path)
{
    struct stat held {}, found {};
    return ::fstat(group.get(), &held) == 0 && ::stat(path.c_str(), &found) == 0 && held.st_ino == found.st_ino && held.st_dev == found.st_dev;
}

// Deepest first: a group with groups below it cannot be removed.
bool remove_groups_below(const Fd& group)
{
    bool gone = true;
    for (const auto& name : subgroups(group)) {
        if (const auto below = open_directory(group.get(), name.c_str()))
            gone = remove_groups_below(below) && gone;
        gone = ::unlinkat(group.get(), name.c_str(), AT_REMOVEDIR) == 0 && gone;
    }
    return gone;
}

std::string_view field(std::string_view line, std::size_t number)
{
    for (; number > 0; --number) {
        const auto space = line.find(' ');
        if (space == std::string_view::npos)
            return {};
        line.remove_prefix(space + 1);
    }
    return line.substr(0, line.find(' '));
}

template <class F>
void for_each_line(std::string_view text, F f)
{
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        f(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

// mountinfo writes space, tab, newline and backslash as \040, \011, \012, \134 (proc(5)).
std::string unescape_octal(std::string_view text)
{
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        int code = 0;
        if (text[i] == '\\' && i + 3 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr == text.data() + i + 4) {
            plain += static_cast<char>(code);
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

} // namespace

std::vector<Cgroup2Mount> cgroup2_mounts(std::string_view mountinfo)
{
    // 36 35 98:0 /root /mount/point rw,options shared:1 - type source super-options
    std::vector<Cgroup2Mount> mounts;
    for_each_line(mountinfo, [&](std::string_view line) {
        const auto separator = line.find(" - ");
        if (separator == std::string_view::npos || field(line.substr(separator + 3), 0) != "cgroup2")
            return;
        const auto options = field(line, 5);
        mounts.push_back({unescape_octal(field(line, 4)), options == "rw" || options.starts_with("rw,")});
    });
    return mounts;
}

std::optional<std::string> find_cgroup2_mount(std::string_view mountinfo)
{
    for (auto& mount : cgroup2_mounts(mountinfo))
        if (mount.writable)
            return std::move(mount.path);
    return std::nullopt;
}

std::optional<std::string> cgroup2_of(std::string_view proc_cgroup)
{
    std::optional<std::string> found;
    for_each_line(proc_cgroup, [&](std::string_view line) {
        if (line.starts_with("0::"))
            found = std::string(line.substr(3));
    });
    return found;
}

bool has_version1_mounts(std::string_view mountinfo)
{
    bool found = false;
    for_each_line(mountinfo, [&](std::string_view line) {
        const auto separator = line.find(" - ");
        found = found || (separator != std::string_view::npos && field(line.substr(separator + 3), 0) == "cgroup");
    });
    return found;
}

Result<CgroupTree> CgroupTree::open(const std::string& parent, const std::string& name)
{
    CgroupTree tree;
    tree.path_ = parent + "/" + name;
    tree.name_ = name;
    tree.parent_ = Fd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!tree.parent_)
        return std::unexpected(system_error(errno, fmt::format("cannot open {}", parent)));
    const auto make = [&](Fd& where, const Fd& at, const char* what) -> Result<void> {
        auto made = make_group(at, what);
        if (!made)
            return fail(made.error(), "{}", tree.path_);
        where = std::move(*made);
        return {};
    };
    if (auto made = make(tree.root_, tree.parent_, name.c_str()); !made)
        return std::unexpected(made.error());
    if (!has_file(tree.root_, "cgroup.procs"))
        return fail(Errc::unavailable, "{}: not a cgroup2 directory that this daemon may use", tree.path_);
    if (auto made = make(tree.shepherds_, tree.root_, "shepherds"); !made)
        return std::unexpected(made.error());
    if (auto made = make(tree.jobs_, tree.root_, "jobs"); !made)
        return std::unexpected(made.error());
    return tree;
}

TriedCapabilities CgroupTree::capabilities() const { return try_capabilities(jobs_); }

bool CgroupTree::is_there() const { return is_at(jobs_, jobs_path()) && is_at(shepherds_, path_ + "/shepherds"); }

std::vector<std::string> CgroupTree::enable_controllers(bool touch_parent, bool version1) const
{
    return hand_on_controllers({parent_, path_.substr(0, path_.rfind('/'))}, {{root_, path_}, {jobs_, jobs_path()}}, touch_parent, version1);
}

Result<void> CgroupTree::adopt_processes_of_parent() const
{
    std::vector<pid_t> pids;
    add_own_processes(parent_, pids);
    for (const auto pid : pids)
        if (auto moved = add_shepherd(pid); !moved && ::kill(pid, 0) == 0)
            return moved;
    return {};
}

std::vector<std::string> CgroupTree::limit_jobs(const std::vector<node::CgroupValue>& limits) const
{
    std::vector<std::string> problems;
    for (const auto& limit : limits)
        if (auto written = write_value(jobs_, limit.file.c_str(), limit.value); !written && !limit.optional)
            problems.push_back(fmt::format("{}: {}", jobs_path(), written.error().message));
    return problems;
}

Result<void> CgroupTree::add_shepherd(pid_t pid) const
{
    if (auto moved = write_value(shepherds_, "cgroup.procs", fmt::format("{}", pid)); !moved)
        return fail(moved.error(), "{}/shepherds", path_);
    return {};
}

Result<Fd> CgroupTree::open_shepherds_procs() const
{
    Fd procs(::openat(shepherds_.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
    if (!procs)
        return std::unexpected(system_error(errno, fmt::format("cannot open {}/shepherds/cgroup.procs", path_)));
    return procs;
}

Result<void> CgroupTree::enter_daemon_leaf()
{
    auto leaf = make_group(root_, "daemon");
    if (!leaf)
        return fail(leaf.error(), "{}", path_);
    if (auto moved = write_value(*leaf, "cgroup.procs", "0"); !moved)
        return fail(moved.error(), "{}/daemon", path_);
    in_daemon_leaf_ = true;
    return {};
}

std::vector<JobId> CgroupTree::jobs() const
{
    std::vector<JobId> found;
    for (const std::string_view name : subgroups(jobs_))
        if (const auto job = name.starts_with(job_prefix) ? job_id_from_text(name.substr(job_prefix.size())) : std::nullopt)
            found.push_back(*job);
    return found;
}

// What stands in the way of a group's removal, in words.
Result<void> CgroupTree::stuck(const std::string& name) const
{
    const auto path = jobs_path() + "/" + name;
    const auto group = open_directory(jobs_.get(), name.c_str());
    if (!group || !is_populated(group))
        return std::unexpected(system_error(EBUSY, fmt::format("cannot remove cgroup {}", path)));
    const auto who = stuck_processes(path);
    return fail(Errc::unavailable, "cannot remove cgroup {}: {}", path, who.empty() ? "processes in it do not end" : who);
}

Result<void> CgroupTree::remove_job(JobId job) const
{
    // An order of magnitude longer than the kernel takes for a process that is not stuck in a device or file system.
    constexpr auto patience = std::chrono::seconds(5);
    const auto name = fmt::format("{}{}", job_prefix, job);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (true) {
        const auto group = open_directory(jobs_.get(), name.c_str());
        if (!group)
            return {}; // gone, by its shepherd or launcher
        if (is_populated(group))
            (void)write_value(group, "cgroup.kill", "1");
        else if (remove_groups_below(group) && ::unlinkat(jobs_.get(), name.c_str(), AT_REMOVEDIR) == 0)
            return {};
        if (std::chrono::steady_clock::now() > until)
            return stuck(name);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

Result<void> CgroupTree::remove()
{
    if (in_daemon_leaf_) {
        if (auto moved = write_value(parent_, "cgroup.procs", "0"); !moved)
            return fail(moved.error(), "cannot leave {}", path_);
        in_daemon_leaf_ = false;
    }
    for (const auto* leaf : {"jobs", "shepherds", "daemon"})
        if (!remove_emptying(root_, leaf))
            return std::unexpected(system_error(errno, fmt::format("cannot remove cgroup {}/{}", path_, leaf)));
    if (::unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot remove cgroup {}", path_)));
    return {};
}

std::vector<pid_t> cgroup_processes(const std::string& path)
{
    std::vector<pid_t> pids;
    if (const auto group = open_directory(AT_FDCWD, path.c_str()))
        add_processes(group, pids);
    return pids;
}

std::string stuck_processes(const std::string& path)
{
    std::string words;
    for (const auto pid : cgroup_processes(path)) {
        const Fd process(::open(fmt::format("/proc/{}", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        // "214 (cp) D 1 ...": the name may hold anything, also parentheses.
        const auto stat = process ? read_value(process, "stat") : std::string();
        const auto name = stat.find('(');
        const auto end = stat.rfind(')');
        if (name == stat.npos || end == stat.npos || end + 2 >= stat.size() || stat[end + 2] != 'D')
            continue;
        const std::string channel(first_line(read_value(process, "wchan")));
        words += fmt::format("{}process {} ({}) waits in {}", words.empty() ? "" : ", ", pid, stat.substr(name + 1, end - name - 1),
                             channel.empty() || channel == "0" ? "the kernel" : channel);
    }
    return words;
}

bool cgroup_kill(const std::string& path)
{
    const auto group = open_directory(AT_FDCWD, path.c_str());
    return group && is_populated(group) && write_value(group, "cgroup.kill", "1").has_value();
}

bool cgroup_freeze(const std::string& path, bool frozen)
{
    const auto group = open_directory(AT_FDCWD, path.c_str());
    return group && write_value(group, "cgroup.freeze", frozen ? "1" : "0").has_value();
}

} // namespace jarvis::noded
