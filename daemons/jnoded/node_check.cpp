#include "node_check.hpp"

#include "base/directory.hpp"
#include "cgroup/file.hpp"
#include "devices/device_access.hpp"
#include "model/huge_pages.hpp"
#include "cgroup_tree.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <sys/utsname.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

namespace json = boost::json;
using cgroup::first_line;
using cgroup::has_word;
using cgroup::read_file;

// All that is known of a capability. One that has another ground than a controller and a file is judged by a function of its own.
struct Explained {
    Capability capability;
    std::string_view name;
    std::string_view what;
    std::string_view controller;   // empty: it needs none
    std::string_view version1;     // the names of that in version 1
    std::string_view file;         // of the kernel's interface, without which it cannot be; empty: the controller is enough
    std::string_view since;        // the Linux version with that file
    std::string_view option;       // with which the kernel is built
    std::string_view boot;         // what to boot with where it is switched off
};
constexpr std::array explained{
    Explained{Capability::cpuset, "cpuset", "jobs stay on their cores and NUMA nodes", "cpuset", "cpuset", "cpuset.mems", "5.0",
              "CONFIG_CPUSETS", "without cgroup_disable=cpuset"},
    Explained{Capability::memory, "memory", "jobs get no more than their memory", "memory", "memory", "memory.oom.group", "4.19",
              "CONFIG_MEMCG", "with cgroup_enable=memory"},
    Explained{Capability::pids, "pids", "jobs start no more processes than they may", "pids", "pids", "pids.max", "4.5",
              "CONFIG_CGROUP_PIDS", "without cgroup_disable=pids"},
    Explained{Capability::io, "io", "jobs share disks by their cores, and what they read and write is counted", "io", "blkio", "io.max",
              "4.5", "CONFIG_BLK_CGROUP and CONFIG_BLK_DEV_THROTTLING", "without cgroup_disable=io"},
    Explained{Capability::freeze, "freeze", "all of a job stands still at once", "", "", "cgroup.freeze", "5.2", "CONFIG_CGROUPS", ""},
    Explained{Capability::kill, "kill", "all of a job is killed at once", "", "", "cgroup.kill", "5.14", "CONFIG_CGROUPS", ""},
    Explained{Capability::devices, "devices", "jobs open no devices but their own", "", "", "", "", "CONFIG_CGROUP_BPF", ""},
    Explained{Capability::hugetlb, "hugetlb", "huge pages are counted by job", "hugetlb", "hugetlb", "", "5.6", "CONFIG_CGROUP_HUGETLB",
              "without cgroup_disable=hugetlb"},
    Explained{Capability::isolation, "isolation", "jobs that ask for it have cores that the kernel's scheduler leaves alone", "cpuset", "cpuset",
              "cpuset.cpus.partition", "6.7", "CONFIG_CPUSETS", ""},
};

std::string proc(const char* path)
{
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return std::move(text).str();
}

std::vector<std::string> names_in(const std::string& folder)
{
    std::vector<std::string> names;
    const Directory directory(::opendir(folder.c_str()));
    while (const auto* entry = directory ? ::readdir(directory.get()) : nullptr)
        names.emplace_back(entry->d_name);
    return names;
}

// The tree of this node below `parent`, whoever made it.
std::string find_tree(const std::string& parent, const std::string& node)
{
    for (const auto& name : names_in(parent))
        if (name.starts_with("jarvis_") && name.ends_with("_" + node) && ::access((parent + '/' + name + "/jobs").c_str(), F_OK) == 0)
            return parent + '/' + name;
    return {};
}

// Where the tree would be: as NodeDaemon::tree_parent() decides, but by what is there.
std::string likely_parent(const CheckSituation& situation, const std::string& mount)
{
    if (situation.setting != "auto")
        return situation.setting;
    const auto service = mount + "/system.slice/jarvis-launch.service";
    return ::access(service.c_str(), F_OK) == 0 ? service : mount;
}

// The first group on the way from the top to `parent`, without that, which does not hand on what it has.
std::string first_that_keeps(const std::string& top, const std::string& parent)
{
    if (!parent.starts_with(top + "/"))
        return {};
    for (auto end = top.size(); end != std::string::npos && end < parent.size(); end = parent.find('/', end + 1)) {
        const auto group = parent.substr(0, end);
        const auto has = read_file(group, "cgroup.controllers").value_or("");
        const auto hands = read_file(group, "cgroup.subtree_control").value_or("");
        if (first_line(has) != first_line(hands))
            return group;
    }
    return {};
}

struct Verdict {
    bool works = false;
    std::string why, remedy;
};

// What stands in the way before any controller is looked at.
std::optional<Verdict> no_tree(const CheckSituation& situation, const CheckFacts& facts)
{
    if (situation.setting == "none")
        return Verdict{.why = "switched off: jnoded.cgroup = \"none\"", .remedy = "set jnoded.cgroup to \"auto\" and restart jnoded"};
    if (facts.mount.empty())
        return Verdict{.why = "no cgroup2 file system is mounted",
                       .remedy = "mount -t cgroup2 none /sys/fs/cgroup/unified, or boot with systemd.unified_cgroup_hierarchy=1"};
    if (!facts.writable)
        return Verdict{.why = fmt::format("{} is mounted read-only", facts.mount),
                       .remedy = fmt::format("mount -o remount,rw {}; a container has to be given it writable", facts.mount)};
    if (!situation.root && situation.setting == "auto" && facts.tree.empty()) // who looks need not be who runs it
        return Verdict{.why = "jnoded does not run as root and has no delegated cgroup",
                       .remedy = "run it as root, or name a cgroup that was delegated to its user in jnoded.cgroup"};
    if (facts.tree.empty() && ::access(facts.parent.c_str(), F_OK) != 0)
        return Verdict{.why = fmt::format("{} is not there", facts.parent), .remedy = "make it, or change jnoded.cgroup"};
    return std::nullopt;
}

std::string top_of(const CheckFacts& facts)
{
    return facts.mount + "/cgroup.controllers";
}

// The kernel does not give it to cgroup2 at all.
Verdict not_at_the_top(const Explained& one, const CheckFacts& facts)
{
    const auto* known = facts.groups.find(one.version1);
    if (!known)
        known = facts.groups.find(one.controller);
    if (known && known->enabled && !known->mount.empty() && known->mount != facts.mount)
        return {.why = fmt::format("not in {}: version 1 has it, at {}", top_of(facts), known->mount),
                .remedy = fmt::format("boot with cgroup_no_v1={} (or =all); with systemd also with systemd.unified_cgroup_hierarchy=1",
                                      one.version1)};
    if (known && !known->enabled)
        return {.why = fmt::format("not in {}: it was switched off at the boot", top_of(facts)),
                .remedy = fmt::format("boot {}", one.boot)};
    return {.why = fmt::format("not in {}: this kernel has not got it", top_of(facts)),
            .remedy = fmt::format("a kernel that is built with {}{}", one.option,
                                  one.since.empty() ? "" : fmt::format(", Linux {} or newer", one.since))};
}

Verdict judge_controller(const Explained& one, const CheckFacts& facts)
{
    if (has_word(facts.jobs_controllers, one.controller))
        return {.works = true};
    if (!has_word(facts.top_controllers, one.controller))
        return not_at_the_top(one, facts);
    if (!has_word(facts.parent_controllers, one.controller))
        return {.why = fmt::format(
                    "not in {}/cgroup.controllers{}", facts.parent,
                    facts.missing_in.empty() ? "" : fmt::format(": {}/cgroup.subtree_control does not hand it on", facts.missing_in)),
                .remedy = facts.missing_in.empty()
                              ? "delegate it to this group (systemd: Delegate=yes)"
                              : fmt::format("echo +{} >{}/cgroup.subtree_control; with systemd, Delegate=yes in the unit", one.controller,
                                            facts.missing_in)};
    if (!has_word(facts.parent_handed, one.controller)) {
        if (facts.parent_occupied && !facts.parent_is_top)
            return {.why = fmt::format("{}/cgroup.procs has processes, and a group with processes hands no controller on", facts.parent),
                    .remedy = "start them in a group of their own, and restart jnoded"};
        if (facts.version1 && facts.parent_is_top)
            return {.why = fmt::format("not in {}/cgroup.subtree_control, which is not Jarvis's to change beside version 1 hierarchies",
                                       facts.parent),
                    .remedy = fmt::format("echo +{} >{}/cgroup.subtree_control, and restart jnoded", one.controller, facts.parent)};
        if (facts.tree.empty())
            return {.works = true}; // jnoded switches it on
        return {.why = fmt::format("not in {}/cgroup.subtree_control", facts.parent),
                .remedy = fmt::format("echo +{} >{}/cgroup.subtree_control, and restart jnoded", one.controller, facts.parent)};
    }
    if (facts.tree.empty())
        return {.works = true};
    return {.why = fmt::format("not in {}/jobs/cgroup.controllers", facts.tree),
            .remedy = "restart jnoded, whose log says what is in the way"};
}

Verdict judge_devices(const CheckFacts& facts)
{
    if (facts.device_problem.empty())
        return {.works = true};
    return {.why = facts.device_problem,
            .remedy = "CAP_BPF and CAP_NET_ADMIN for jnoded, which nested containers do not give, and a kernel built with CONFIG_CGROUP_BPF"};
}

// Until Linux 6.6 every group above must be a partition root, and only whoever owns those can make them so.
Verdict judge_isolation(const CheckFacts& facts)
{
    if (std::ranges::find(facts.files, "cpuset.cpus.exclusive") != facts.files.end())
        return {.works = true};
    return {.why = fmt::format("on this kernel (Linux {}) every group above must be a partition root", facts.kernel),
            .remedy = fmt::format("Linux 6.7 or newer; or a group for Jarvis that is one, as jnoded(8) tells, in the place of {}",
                                  facts.parent.empty() ? "its present one" : facts.parent)};
}

Verdict judge_one(const Explained& one, const CheckSituation& situation, const CheckFacts& facts)
{
    if (situation.in_force && situation.in_force->has(one.capability))
        return {.works = true};
    if (auto none = no_tree(situation, facts))
        return std::move(*none);
    if (one.capability == Capability::devices)
        return judge_devices(facts);
    if (one.capability == Capability::isolation)
        return judge_isolation(facts);
    Verdict verdict = one.controller.empty() ? Verdict{.works = true} : judge_controller(one, facts);
    // Files of a controller are there only where it has come through; those of groups are in every group but the top.
    const bool looked = !facts.tree.empty() || (one.controller.empty() && !facts.parent_is_top);
    if (verdict.works && looked && !one.file.empty() && std::ranges::find(facts.files, one.file) == facts.files.end())
        verdict = {.why = fmt::format("this kernel (Linux {}) has no {}", facts.kernel, one.file),
                   .remedy = fmt::format("Linux {} or newer, built with {}", one.since, one.option)};
    if (verdict.works && situation.in_force)
        verdict = {.why = "the kernel refused it when jnoded tried it at its start",
                   .remedy = "restart jnoded, whose log says what is in the way"};
    return verdict;
}

std::string missing_for_full(const std::vector<CheckedCapability>& checked)
{
    std::string names;
    for (const auto& one : checked)
        if (!one.works && required_capabilities(Confinement::full).has(one.capability))
            names += fmt::format("{}{}", names.empty() ? "" : ", ", one.name);
    return names;
}

Capabilities set_of(const std::vector<CheckedCapability>& checked)
{
    Capabilities set;
    for (const auto& one : checked)
        if (one.works)
            set.add(one.capability);
    return set;
}

// Of all jobs together, as libcgroup reads it.
std::vector<std::pair<std::string, std::string>> values_of_jobs(const CheckFacts& facts)
{
    std::vector<std::pair<std::string, std::string>> values;
    if (facts.tree.empty() || !facts.tree.starts_with(facts.mount))
        return values;
    const auto group = facts.tree.substr(facts.mount.size()) + "/jobs";
    for (const auto& [controller, file] :
         {std::pair{"cpuset", "cpuset.cpus.effective"}, std::pair{"cpuset", "cpuset.mems.effective"}, std::pair{"memory", "memory.max"},
          std::pair{"memory", "memory.current"}, std::pair{"pids", "pids.current"}})
        if (const auto* known = facts.groups.find(controller); known && known->mount == facts.mount)
            if (auto value = read_group_value(controller, group, file))
                values.emplace_back(file, std::move(*value));
    return values;
}

std::string place_words(const CheckFacts& facts)
{
    if (facts.mount.empty())
        return "no cgroup2 is mounted";
    return fmt::format("cgroup2 at {} ({}){}", facts.mount, facts.writable ? "writable" : "read-only",
                       facts.version1 ? ", beside version 1 hierarchies" : "");
}

} // namespace

CheckSituation situation_of(const config::Config& config, const std::string& node)
{
    return {.node = node, .setting = config.jnoded.cgroup, .root = ::geteuid() == 0, .tree = {}, .in_force = {}};
}

CheckFacts read_facts(const CheckSituation& situation)
{
    CheckFacts facts;
    utsname system{};
    if (::uname(&system) == 0)
        facts.kernel = system.release;
    const auto mountinfo = proc("/proc/self/mountinfo");
    const auto mounts = cgroup2_mounts(mountinfo);
    if (const auto found = std::ranges::find(mounts, true, &Cgroup2Mount::writable); found != mounts.end())
        std::tie(facts.mount, facts.writable) = std::pair(found->path, true);
    else if (!mounts.empty())
        facts.mount = mounts.front().path;
    facts.version1 = has_version1_mounts(mountinfo);
    facts.pressure = ::access("/proc/pressure/cpu", F_OK) == 0;
    facts.groups = read_kernel_groups();
    if (const auto program = devices::Program::load({.rules = {}, .otherwise = true}); !program)
        facts.device_problem = program.error().message;
    if (facts.mount.empty() || situation.setting == "none")
        return facts;
    facts.tree = situation.tree;
    facts.parent = facts.tree.empty() ? likely_parent(situation, facts.mount) : facts.tree.substr(0, facts.tree.rfind('/'));
    if (facts.tree.empty() && !situation.in_force)
        facts.tree = find_tree(facts.parent, situation.node);
    facts.parent_is_top = facts.parent == facts.mount;
    facts.top_controllers = read_file(facts.mount, "cgroup.controllers").value_or("");
    facts.parent_controllers = read_file(facts.parent, "cgroup.controllers").value_or("");
    facts.parent_handed = read_file(facts.parent, "cgroup.subtree_control").value_or("");
    facts.parent_occupied = !read_file(facts.parent, "cgroup.procs").value_or("").empty();
    facts.missing_in = first_that_keeps(facts.mount, facts.parent);
    const auto looked_at = facts.tree.empty() ? facts.parent : facts.tree + "/jobs";
    if (!facts.tree.empty())
        facts.jobs_controllers = read_file(facts.tree + "/jobs", "cgroup.controllers").value_or("");
    facts.files = names_in(looked_at);
    return facts;
}

std::vector<CheckedCapability> judge(const CheckSituation& situation, const CheckFacts& facts)
{
    std::vector<CheckedCapability> checked;
    for (const auto& one : explained) {
        auto verdict = judge_one(one, situation, facts);
        checked.push_back({one.capability, std::string(one.name), std::string(one.what), verdict.works, std::move(verdict.why),
                           std::move(verdict.remedy)});
    }
    // Other sizes than those that the machine has are no lack.
    for (const auto& size : huge_page_sizes()) {
        const bool there = std::ranges::find(facts.files, fmt::format("hugetlb.{}.max", size.in_cgroup)) != facts.files.end();
        if (situation.in_force ? situation.in_force->has(size.capability) : there)
            checked.push_back({size.capability, format_capabilities(Capabilities(static_cast<std::uint32_t>(size.capability))),
                               fmt::format("jobs get no more huge pages of {} than they ask for", size.text), true, {}, {}});
    }
    return checked;
}

wire::NodeCheck render_check(const CheckSituation& situation, const CheckFacts& facts, const std::vector<CheckedCapability>& checked)
{
    const auto set = set_of(checked);
    const auto level = name(confinement_of(set));
    const auto missing = missing_for_full(checked);
    const auto values = values_of_jobs(facts);
    std::string text = fmt::format("node {}: confinement {} ({}){}\n", situation.node, level, format_capabilities(set),
                                   missing.empty() ? "" : fmt::format("; full takes {} as well", missing));
    text += fmt::format("Linux {}; {}; {}\n", facts.kernel, place_words(facts),
                        !facts.tree.empty()  ? fmt::format("jobs are below {}/jobs", facts.tree)
                        : situation.in_force ? "jobs have no cgroups"
                                             : "no jnoded runs here that has a tree");
    json::array capabilities;
    for (const auto& one : checked) {
        text += fmt::format("{:<10} {:<3} {}\n", one.name, one.works ? "yes" : "no", one.what);
        if (!one.works)
            text += fmt::format("             {}{}\n", one.why, one.remedy.empty() ? "" : fmt::format("; to have it: {}", one.remedy));
        const auto or_null = [&](const std::string& words) {
            return one.works || words.empty() ? json::value(nullptr) : json::value(words);
        };
        capabilities.push_back(json::object{
            {"name", one.name}, {"works", one.works}, {"for", one.what}, {"why_not", or_null(one.why)}, {"remedy", or_null(one.remedy)}});
    }
    text += fmt::format("{:<8} {:<3} what jobs wait for is counted (PSI)\n", "pressure", facts.pressure ? "yes" : "no");
    if (!facts.pressure)
        text += "             /proc/pressure is not there; to have it: boot with psi=1, or a kernel that is built with CONFIG_PSI\n";
    json::array found;
    std::string places;
    for (const auto& controller : facts.groups.controllers) {
        const auto place = !controller.enabled ? "off" : controller.mount.empty() ? "not mounted" : controller.mount;
        places += fmt::format("{}{} {}", places.empty() ? "" : ", ", controller.name, place);
        found.push_back(json::object{
            {"name", controller.name},
            {"enabled", controller.enabled},
            {"mount", controller.mount.empty() ? json::value(nullptr) : json::value(controller.mount)},
            {"version", controller.mount.empty() ? json::value(nullptr) : json::value(controller.mount == facts.mount ? 2 : 1)}});
    }
    text += fmt::format("controllers: {}\n", places.empty() ? fmt::format("none are known ({})", facts.groups.trouble) : places);
    json::object of_jobs;
    std::string words;
    for (const auto& [file, value] : values) {
        words += fmt::format("{}{} {}", words.empty() ? "" : ", ", file, value);
        of_jobs[file] = value;
    }
    if (!words.empty())
        text += fmt::format("all jobs together: {}\n", words);
    const auto path = [](const std::string& one) { return one.empty() ? json::value(nullptr) : json::value(one); };
    const json::object object{{"node", situation.node},          {"confinement", level},       {"kernel", facts.kernel},
                              {"mount", path(facts.mount)},      {"writable", facts.writable}, {"version1", facts.version1},
                              {"tree", path(facts.tree)},        {"pressure", facts.pressure}, {"capabilities", std::move(capabilities)},
                              {"controllers", std::move(found)}, {"jobs", std::move(of_jobs)}};
    wire::NodeCheck check;
    check.set_text(text);
    check.set_json(json::serialize(object));
    return check;
}

wire::NodeCheck check_node(const CheckSituation& situation)
{
    const auto facts = read_facts(situation);
    return render_check(situation, facts, judge(situation, facts));
}

} // namespace jarvis::noded
