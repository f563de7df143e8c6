#include "cgroup_tree.hpp"

#include "base/directory.hpp"

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

constexpr std::string_view job_prefix = "job_";

Fd open_directory(int at, const char* name)
{
    return Fd(::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

Result<Fd> make_group(const Fd& at, const char* name)
{
    if (::mkdirat(at.get(), name, 0755) != 0 && errno != EEXIST)
        return std::unexpected(system_error(errno, fmt::format("cannot make cgroup {}", name)));
    auto made = open_directory(at.get(), name);
    if (!made)
        return std::unexpected(system_error(errno, fmt::format("cannot open cgroup {}", name)));
    return made;
}

Result<void> write_value(const Fd& group, const char* file, std::string_view value)
{
    const Fd target(::openat(group.get(), file, O_WRONLY | O_CLOEXEC));
    if (!target || ::write(target.get(), value.data(), value.size()) < 0)
        return std::unexpected(system_error(errno, fmt::format("cannot write {} to {}", value, file)));
    return {};
}

std::string read_value(const Fd& group, const char* file)
{
    const Fd source(::openat(group.get(), file, O_RDONLY | O_CLOEXEC));
    std::string value;
    char part[4096];
    for (ssize_t size = 0; source && (size = ::read(source.get(), part, sizeof part)) > 0;)
        value.append(part, static_cast<std::size_t>(size));
    return value;
}

std::string first_line(std::string text)
{
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
}

// So many lines at most, as "1, 7, ...".
std::string first_lines(std::string_view text, int most)
{
    std::string list;
    for (; !text.empty() && most > 0; --most) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        list += fmt::format("{}{}", list.empty() ? "" : ", ", line);
    }
    return text.empty() ? list : list + ", ...";
}

bool has_file(const Fd& group, const char* file) { return ::faccessat(group.get(), file, W_OK, AT_EACCESS) == 0; }

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

// A process that is just ending (a template after its launcher) holds its group for a moment.
bool remove_emptying(const Fd& parent, const char* name)
{
    constexpr int attempts = 100;
    for (int i = 0; i < attempts; ++i) {
        if (::unlinkat(parent.get(), name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return true;
        if (errno != EBUSY)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    errno = EBUSY;
    return false;
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

std::optional<std::string> find_cgroup2_mount(std::string_view mountinfo)
{
    // 36 35 98:0 /root /mount/point rw,options shared:1 - type source super-options
    std::optional<std::string> found;
    for_each_line(mountinfo, [&](std::string_view line) {
        const auto separator = line.find(" - ");
        if (found || separator == std::string_view::npos || field(line.substr(separator + 3), 0) != "cgroup2")
            return;
        const auto options = field(line, 5);
        if (options == "rw" || options.starts_with("rw,"))
            found = unescape_octal(field(line, 4));
    });
    return found;
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

namespace {

// What is wanted of the kernel, and what to do where it is not there.
struct Controller {
    std::string_view name;
    std::string_view advice;
};
constexpr Controller controllers[] = {
    {"cpuset", ""}, {"cpu", ""}, {"memory", "boot with cgroup_enable=memory"}, {"pids", ""}, {"io", ""},
};

bool offers(const Fd& group, const char* file, std::string_view controller)
{
    const auto line = first_line(read_value(group, file));
    bool found = false;
    for (std::string_view rest = line; !rest.empty();) {
        const auto word = rest.substr(0, rest.find(' '));
        found = found || word == controller;
        rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    }
    return found;
}

Result<void> hand_on(const Fd& group, const std::string& path, std::string_view controller)
{
    if (offers(group, "cgroup.subtree_control", controller))
        return {};
    auto written = write_value(group, "cgroup.subtree_control", fmt::format("+{}", controller));
    if (written)
        return {};
    const auto inside = first_lines(read_value(group, "cgroup.procs"), 3);
    if (!inside.empty())
        return fail(Errc::unavailable, "{}/cgroup.procs has processes ({}), and a group with processes hands no controller on: "
                                       "start them in a group of their own", path, inside);
    return fail(written.error(), "{}", path);
}

// Why the groups below `parent` do not have it; empty: they do.
std::string take_from_parent(const Fd& parent, const std::string& path, const Controller& wanted, bool touch, bool version1)
{
    if (offers(parent, "cgroup.subtree_control", wanted.name))
        return {};
    if (!offers(parent, "cgroup.controllers", wanted.name))
        return fmt::format("not in {}/cgroup.controllers{}", path,
                           version1 ? ": version 1 hierarchies have it; boot with cgroup_no_v1=all to have it here"
                           : wanted.advice.empty() ? ""
                                                   : fmt::format(": {}", wanted.advice));
    if (!touch)
        return fmt::format("not in {}/cgroup.subtree_control, which is not ours to change", path);
    auto handed = hand_on(parent, path, wanted.name);
    return handed ? std::string() : handed.error().message;
}

} // namespace

Capabilities CgroupTree::capabilities() const
{
    Capabilities set;
    if (has_file(jobs_, "cgroup.freeze"))
        set.add(Capability::freeze);
    if (has_file(jobs_, "cgroup.kill")) // since Linux 5.14
        set.add(Capability::kill);
    constexpr auto* trial = "trial"; // no name of a job's group
    const auto group = make_group(jobs_, trial);
    if (!group)
        return set;
    // What is in force is written back, so that it is the file that is tried and not the value.
    const auto takes = [&](const char* file, std::string_view value) { return write_value(*group, file, value).has_value(); };
    if (takes("cpuset.cpus", first_line(read_value(*group, "cpuset.cpus.effective"))) &&
        takes("cpuset.mems", first_line(read_value(*group, "cpuset.mems.effective"))))
        set.add(Capability::cpuset);
    if (takes("memory.max", "max") && takes("memory.high", "max") && takes("memory.oom.group", "1"))
        set.add(Capability::memory);
    if (takes("pids.max", "max"))
        set.add(Capability::pids);
    if (has_file(*group, "io.max")) // it takes limits of named devices alone
        set.add(Capability::io);
    if (offers(*group, "cgroup.controllers", "hugetlb"))
        set.add(Capability::hugetlb);
    (void)remove_emptying(jobs_, trial);
    return set;
}

std::vector<std::string> CgroupTree::enable_controllers(bool touch_parent, bool version1) const
{
    std::vector<std::pair<std::string, std::string>> missing; // names and reason: most have the same
    const auto parent = path_.substr(0, path_.rfind('/'));
    for (const auto& wanted : controllers) {
        auto problem = take_from_parent(parent_, parent, wanted, touch_parent, version1);
        for (const auto& [group, path] : {std::pair{&root_, path_}, std::pair{&jobs_, jobs_path()}})
            if (problem.empty())
                if (auto handed = hand_on(*group, path, wanted.name); !handed)
                    problem = handed.error().message;
        if (problem.empty())
            continue;
        if (missing.empty() || missing.back().second != problem)
            missing.emplace_back(wanted.name, std::move(problem));
        else
            missing.back().first += fmt::format(", {}", wanted.name);
    }
    // Of no use but to those who have it already; nobody needs to hear that it is not there.
    if (offers(parent_, "cgroup.subtree_control", "hugetlb") && hand_on(root_, path_, "hugetlb"))
        (void)hand_on(jobs_, jobs_path(), "hugetlb");
    std::vector<std::string> words;
    for (const auto& [names, problem] : missing)
        words.push_back(fmt::format("{}: {}", names, problem));
    return words;
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
        const auto channel = first_line(read_value(process, "wchan"));
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
