#include "capability_trials.hpp"

#include "base/fd.hpp"
#include "base/result.hpp"
#include "cgroup/file.hpp"
#include "cgroup_directory.hpp"
#include "devices/device_access.hpp"
#include "model/huge_pages.hpp"

#include <cerrno>
#include <optional>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

// The calls of cgroup_directory.hpp on a group that was opened by its path; on one that could not be, all of them fail.
class Group {
    std::string path_;
    Fd directory_;

public:
    explicit Group(std::string path) : path_(std::move(path)), directory_(open_directory(AT_FDCWD, path_.c_str())) {}
    const std::string& path() const { return path_; }

    bool has(const char* file) const { return directory_ && has_file(directory_, file); }
    std::string read(const char* file) const { return directory_ ? std::string(cgroup::first_line(read_value(directory_, file))) : std::string(); }
    bool write(const char* file, std::string_view value) const { return directory_ && write_value(directory_, file, value).has_value(); }
};

class TrialGroup {
    std::optional<Group> group_;

public:
    explicit TrialGroup(const std::string& jobs_path)
    {
        auto path = jobs_path + "/trial"; // no name of a job's group
        if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST)
            group_.emplace(std::move(path));
    }
    TrialGroup(const TrialGroup&) = delete;
    TrialGroup& operator=(const TrialGroup&) = delete;
    ~TrialGroup()
    {
        if (group_)
            ::rmdir(group_->path().c_str());
    }
    explicit operator bool() const { return group_.has_value(); }
    bool is_there() const { return ::access((group_->path() + "/cgroup.procs").c_str(), F_OK) == 0; }
    const Group& operator*() const { return *group_; }
};

// The group of all jobs keeps one as well, from the first start of this daemon on. It only refuses to make device files; but with the
// first program of a machine the kernel changes its own code, and with the last one back again, which each job would wait for.
Result<void> try_device_program(const Group& group, const Group& jobs)
{
    const auto program = devices::Program::load({.rules = {}, .otherwise = true});
    if (!program)
        return std::unexpected(program.error());
    if (const auto attached = devices::attached_programs(jobs.path()); attached && attached->empty())
        if (auto kept = program->attach(jobs.path()); !kept)
            return kept;
    return program->attach(group.path());
}

void find_huge_pages(const Group& group, Capabilities& capabilities)
{
    if (capabilities.has(Capability::hugetlb))
        for (const auto& size : huge_page_sizes())
            if (group.has(fmt::format("hugetlb.{}.max", size.in_cgroup).c_str()))
                capabilities.add(size.capability);
}

constexpr const char* partition_file = "cpuset.cpus.partition";
constexpr const char* exclusive_file = "cpuset.cpus.exclusive"; // since Linux 6.7

bool is_partition(const Group& group) { return group.read(partition_file) == "root" || group.read(partition_file) == "isolated"; }

bool become_partition(const Group& group, std::vector<std::string>& problems)
{
    if (is_partition(group) || (group.write(partition_file, "root") && is_partition(group)))
        return true;
    problems.push_back(fmt::format("isolation: {}/{} says {}", group.path(), partition_file, group.read(partition_file)));
    (void)group.write(partition_file, "member");
    return false;
}

std::set<std::uint32_t> numbers_in(std::string_view list) { return cgroup::list_in(list).value_or(std::set<std::uint32_t>()); }

// No group in use may give away all that it has (Linux 6.1): one more than the jobs' for the tree, where the shepherds are, and
// one that stays above. Empty: there are not so many.
std::string cpus_of_tree(const std::string& jobs, const std::string& parent)
{
    const auto taken = numbers_in(jobs);
    std::vector<std::uint32_t> others;
    for (const auto cpu : numbers_in(parent))
        if (!taken.contains(cpu))
            others.push_back(cpu);
    return others.size() < 2 ? std::string() : fmt::format("{},{}", jobs, others.front());
}

// Somebody made the parent a partition root, so that jobs' cores can be isolated: until Linux 6.6 that needs one group after
// the other from the top down. Later kernels are content with cores that are named as exclusive.
void make_partitions(const Group& jobs, std::vector<std::string>& problems)
{
    const Group tree(jobs.path().substr(0, jobs.path().rfind('/')));
    const Group parent(tree.path().substr(0, tree.path().rfind('/')));
    const auto cpus = jobs.read("cpuset.cpus");
    if (jobs.has(exclusive_file)) {
        (void)tree.write(exclusive_file, cpus);
        (void)jobs.write(exclusive_file, cpus);
        return;
    }
    // Of the top nobody takes cores away unasked.
    if (!parent.has(partition_file) || !is_partition(parent) || (is_partition(tree) && is_partition(jobs)))
        return;
    const auto all = cpus_of_tree(cpus, parent.read("cpuset.cpus"));
    if (all.empty())
        problems.push_back(fmt::format("isolation: partition root {} has CPUs {}: it needs two more than the node offers ({}), one for the "
                                       "shepherds and one that stays", parent.path(), parent.read("cpuset.cpus"), cpus));
    else if (tree.write("cpuset.cpus", all) && become_partition(tree, problems))
        (void)become_partition(jobs, problems);
}

bool isolates(const Group& group, const std::string& cpu)
{
    if (!group.write("cpuset.cpus", cpu))
        return false;
    (void)group.write(exclusive_file, cpu);
    const bool isolated = group.write(partition_file, "isolated") && group.read(partition_file) == "isolated";
    (void)group.write(partition_file, "member");
    return isolated;
}

// With one CPU after the other: those of jobs that run are not to be had. Where all are theirs, the group above tells.
bool isolates_some(const Group& group, const Group& jobs)
{
    for (const auto pu : numbers_in(group.read("cpuset.cpus.effective")))
        if (isolates(group, fmt::format("{}", pu)))
            return true;
    return is_partition(jobs);
}

} // namespace

void try_further(const std::string& jobs_path, Capabilities& capabilities, std::vector<std::string>& problems)
{
    const Group jobs(jobs_path);
    // Where cores stand for no real ones, the group of all jobs is bound to none either.
    const bool bound = capabilities.has(Capability::cpuset) && !jobs.read("cpuset.cpus").empty();
    if (bound)
        make_partitions(jobs, problems);
    constexpr int attempts = 5; // as in try_capabilities()
    for (int attempt = 1; attempt <= attempts; ++attempt) {
        const TrialGroup group(jobs_path);
        if (!group)
            return;
        const auto tried = try_device_program(*group, jobs);
        auto found = capabilities;
        if (tried)
            found.add(Capability::devices);
        find_huge_pages(*group, found);
        if (bound && isolates_some(*group, jobs))
            found.add(Capability::isolation);
        if (!group.is_there() && attempt < attempts)
            continue;
        if (!tried)
            problems.push_back(fmt::format("devices: {}: this daemon needs CAP_BPF and CAP_NET_ADMIN, which nested containers do not give, "
                                           "and a kernel with CONFIG_CGROUP_BPF", tried.error().message));
        capabilities = found;
        return;
    }
}

std::string cpus_of_partition(const std::string& group)
{
    const Group named(group);
    return group.starts_with('/') && is_partition(named) ? named.read("cpuset.cpus") : std::string();
}

} // namespace jarvis::noded
