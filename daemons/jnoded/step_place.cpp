#include "step_place.hpp"

#include "cgroup_tree.hpp"
#include "node/job_environment.hpp"
#include "processes.hpp"
#include "step_cgroup.hpp"
#include "wire/limits.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace jarvis::noded {
namespace {

constexpr int most_generations = 1000;

std::vector<CoreSet> cores_by_numa(const wire::LaunchOrder& order, const Topology& topology)
{
    CoreSet cores = core_set(order.cores());
    std::vector<CoreSet> parts;
    for (const auto& numa : topology.numa_nodes) {
        const auto near = cores - (cores - numa.cores);
        if (near.empty())
            continue;
        parts.push_back(near);
        cores -= near;
    }
    if (!cores.empty() || parts.empty())
        parts.push_back(cores);
    return parts;
}

// "/jarvis_1234_n1/jobs/job_7/" of a job's absolute path: what comes before depends on where cgroup2 is mounted.
std::string tail_of(const std::string& group)
{
    auto at = group.size();
    for (int part = 0; part < 3 && at != 0 && at != group.npos; ++part)
        at = group.rfind('/', at - 1);
    return (at == group.npos ? group : group.substr(at)) + "/";
}

bool has_ancestor(pid_t pid, pid_t ancestor)
{
    for (int generation = 0; pid > 1 && generation < most_generations; ++generation) {
        if (pid == ancestor)
            return true;
        const auto process = read_process(pid);
        if (!process)
            return false;
        pid = process->parent;
    }
    return false;
}

} // namespace

CoreSet core_set(const google::protobuf::RepeatedField<std::uint32_t>& cores)
{
    CoreSet set;
    for (const auto core : cores)
        if (core < wire::limits::cores)
            set.insert(core);
    return set;
}

StepPlace::StepPlace(const wire::LaunchOrder& order, const Topology& topology)
    : owner_(order.account().uid()), cgroup_(order.cgroup()), confined_(order.confined()), pus_(order.pus().begin(), order.pus().end()),
      numa_nodes_(order.numa_nodes().begin(), order.numa_nodes().end()), topology_(topology), numa_(cores_by_numa(order, topology))
{
    std::ranges::sort(pus_);
}

std::string StepPlace::step_group(std::uint32_t step) const
{
    return cgroup_.empty() ? std::string() : fmt::format("{}/step_{}", cgroup_, step);
}

std::vector<std::uint32_t> StepPlace::near_memory(const std::vector<std::uint32_t>& pus) const
{
    std::vector<std::uint32_t> nodes;
    for (const auto& numa : topology_.numa_nodes) {
        bool near = false;
        numa.cores.for_each([&](std::uint32_t core) {
            if (core < topology_.cores.size())
                for (const auto pu : topology_.cores[core].pus)
                    near = near || std::ranges::binary_search(pus, pu);
        });
        if (near && (numa_nodes_.empty() || std::ranges::find(numa_nodes_, numa.os_index) != numa_nodes_.end()))
            nodes.push_back(numa.os_index);
    }
    return nodes;
}

// The hardware threads of the cores that the job may use, and the memory that goes with them.
void StepPlace::bind(wire::StepTask& task, const CoreSet& cores, wire::StepRequest::MemoryBinding memory) const
{
    if (pus_.empty())
        return;
    std::vector<std::uint32_t> pus;
    cores.for_each([&](std::uint32_t core) {
        if (core < topology_.cores.size())
            for (const auto pu : topology_.cores[core].pus)
                if (std::ranges::binary_search(pus_, pu))
                    pus.push_back(pu);
    });
    std::ranges::sort(pus);
    task.mutable_pus()->Add(pus.begin(), pus.end());
    std::vector<std::uint32_t> nodes;
    if (memory == wire::StepRequest::LOCAL)
        nodes = near_memory(pus);
    else if (memory == wire::StepRequest::INTERLEAVE)
        nodes = numa_nodes_.empty() ? near_memory(pus_) : numa_nodes_;
    task.mutable_numa_nodes()->Add(nodes.begin(), nodes.end());
}

Result<void> StepPlace::prepare(std::uint32_t step, const std::vector<TaskHere>& tasks, wire::StepRequest::CpuBinding cpu,
                                wire::StepRequest::MemoryBinding memory) const
{
    CoreSet all;
    for (const auto& one : tasks)
        all |= one.cores;
    std::vector<TaskGroup> groups;
    for (const auto& one : tasks) {
        CoreSet bound = one.cores;
        if (cpu == wire::StepRequest::STEP)
            bound = all;
        if (cpu == wire::StepRequest::NUMA)
            for (const auto& numa : numa_)
                if (numa.intersects(one.cores))
                    bound |= all - (all - numa);
        bind(*one.task, bound, memory);
        TaskGroup group{.rank = one.rank, .cpus = {}, .mems = {}};
        if (confined_) {
            group.cpus = node::format_pus({one.task->pus().begin(), one.task->pus().end()});
            group.mems = node::format_pus({one.task->numa_nodes().begin(), one.task->numa_nodes().end()});
        }
        groups.push_back(std::move(group));
    }
    if (cgroup_.empty() || tasks.empty())
        return {};
    if (auto made = make_step_groups(cgroup_, step, groups, owner_); !made)
        return std::unexpected(made.error());
    return {};
}

bool StepPlace::is_inside(pid_t process, pid_t shepherd) const
{
    if (cgroup_.empty())
        return shepherd > 0 && has_ancestor(process, shepherd);
    std::ifstream file(fmt::format("/proc/{}/cgroup", process));
    std::stringstream text;
    text << file.rdbuf();
    const auto group = cgroup2_of(std::move(text).str());
    return group && (*group + "/").find(tail_of(cgroup_)) != std::string::npos;
}

} // namespace jarvis::noded
