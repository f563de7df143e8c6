#include "controllers.hpp"

#include "base/result.hpp"
#include "cgroup/file.hpp"
#include "cgroup_directory.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <initializer_list>
#include <utility>

namespace jarvis::noded {
namespace {

using cgroup::first_line;

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

// What is wanted of the kernel, and what to do where it has not got it.
struct Controller {
    std::string_view name;
    std::string_view advice;
};
constexpr Controller controllers[] = {
    {"cpuset", ""}, {"cpu", ""}, {"memory", "boot with cgroup_enable=memory"}, {"pids", ""}, {"io", ""},
};

bool offers(const Fd& group, const char* file, std::string_view controller)
{
    return cgroup::has_word(read_value(group, file), controller);
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
        return fail(Errc::unavailable,
                    "{}/cgroup.procs has processes ({}), and a group with processes hands no controller on: "
                    "start them in a group of their own",
                    path, inside);
    return fail(written.error(), "{}", path);
}

constexpr auto* trial = "trial"; // no name of a job's group

// Writes values into files of one group until one is refused.
class Trial {
    const Fd& group_;
    std::vector<std::string>& problems_;

public:
    Trial(const Fd& group, std::vector<std::string>& problems) : group_(group), problems_(problems) {}

    bool takes(std::string_view controller, std::initializer_list<std::pair<const char*, std::string>> values) const
    {
        if (!offers(group_, "cgroup.controllers", controller))
            return false; // why is said by hand_on_controllers()
        for (const auto& [file, value] : values)
            if (auto written = write_value(group_, file, value); !written) {
                problems_.push_back(fmt::format("{}: {}", controller, written.error().message));
                return false;
            }
        return true;
    }
    // What is in force is written back, so that it is the file that is tried and not the value.
    std::string in_force(const char* file) const { return std::string(first_line(read_value(group_, file))); }
};

Capabilities without_controllers(const Fd& jobs)
{
    Capabilities set;
    if (has_file(jobs, "cgroup.freeze"))
        set.add(Capability::freeze);
    if (has_file(jobs, "cgroup.kill")) // since Linux 5.14
        set.add(Capability::kill);
    return set;
}

TriedCapabilities try_in(const Fd& jobs, const Fd& group)
{
    TriedCapabilities tried{.set = without_controllers(jobs), .problems = {}};
    const Trial attempt(group, tried.problems);
    if (attempt.takes("cpuset", {{"cpuset.cpus", attempt.in_force("cpuset.cpus.effective")},
                                 {"cpuset.mems", attempt.in_force("cpuset.mems.effective")}}))
        tried.set.add(Capability::cpuset);
    if (attempt.takes("memory", {{"memory.max", "max"}, {"memory.high", "max"}, {"memory.oom.group", "1"}}))
        tried.set.add(Capability::memory);
    if (attempt.takes("pids", {{"pids.max", "max"}}))
        tried.set.add(Capability::pids);
    if (has_file(group, "io.max")) // it takes limits of named devices alone
        tried.set.add(Capability::io);
    if (offers(group, "cgroup.controllers", "hugetlb"))
        tried.set.add(Capability::hugetlb);
    return tried;
}

// Why the groups below `parent` do not have it; empty: they do.
std::string take_from_parent(const Fd& parent, const std::string& path, const Controller& wanted, bool touch, bool version1)
{
    if (offers(parent, "cgroup.subtree_control", wanted.name))
        return {};
    if (!offers(parent, "cgroup.controllers", wanted.name))
        return fmt::format("not in {}/cgroup.controllers{}", path,
                           version1                ? ": version 1 hierarchies have it; boot with cgroup_no_v1=all to have it here"
                           : wanted.advice.empty() ? ""
                                                   : fmt::format(": {}", wanted.advice));
    if (!touch)
        return fmt::format("not in {}/cgroup.subtree_control, which is not ours to change", path);
    auto handed = hand_on(parent, path, wanted.name);
    return handed ? std::string() : handed.error().message;
}

} // namespace

TriedCapabilities try_capabilities(const Fd& jobs)
{
    constexpr int attempts = 5; // a service manager may remove an empty group of a unit that it cleans up
    for (int attempt = 1;; ++attempt) {
        const auto group = make_group(jobs, trial);
        if (!group)
            return {.set = without_controllers(jobs), .problems = {group.error().message}};
        auto tried = try_in(jobs, *group);
        const bool stayed = has_file(jobs, "trial/cgroup.procs");
        (void)remove_emptying(jobs, trial);
        if (stayed || attempt == attempts)
            return tried;
    }
}

std::vector<std::string> hand_on_controllers(const OpenGroup& parent, const std::vector<OpenGroup>& ours, bool touch_parent, bool version1)
{
    std::vector<std::pair<std::string, std::string>> missing; // names and reason: most have the same
    for (const auto& wanted : controllers) {
        auto problem = take_from_parent(parent.directory, parent.path, wanted, touch_parent, version1);
        for (const auto& group : ours)
            if (problem.empty())
                if (auto handed = hand_on(group.directory, group.path, wanted.name); !handed)
                    problem = handed.error().message;
        if (problem.empty())
            continue;
        if (missing.empty() || missing.back().second != problem)
            missing.emplace_back(wanted.name, std::move(problem));
        else
            missing.back().first += fmt::format(", {}", wanted.name);
    }
    // Of use to those who ask for huge pages alone; nobody else needs to hear that it is not there.
    bool handed = take_from_parent(parent.directory, parent.path, {"hugetlb", ""}, touch_parent, version1).empty();
    for (const auto& group : ours)
        handed = handed && hand_on(group.directory, group.path, "hugetlb");
    std::vector<std::string> words;
    for (const auto& [names, problem] : missing)
        words.push_back(fmt::format("{}: {}", names, problem));
    return words;
}

} // namespace jarvis::noded
