#include "node/confinement.hpp"

#include "model/huge_pages.hpp"
#include "node/job_environment.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace jarvis::node {
namespace {

// cgroup v2 takes cpu.weight and io.weight 1..10000 (kernel docs, cgroup-v2, "Weights"). Twenty per core keeps a node of
// 500 cores inside that range, and two jobs on one node still share in proportion to their cores.
constexpr std::uint64_t weight_per_core = 20;
constexpr std::uint64_t highest_weight = 10'000;

// How far memory.high is below memory.max at most: room for the kernel to take back page cache, and to slow the job down,
// before anything is killed; more would be taken from the job for nothing.
constexpr MemorySize widest_margin = mebibytes(64);
constexpr std::int64_t margin_part = 32;

std::uint64_t weight(std::uint64_t cores) { return std::clamp<std::uint64_t>(cores * weight_per_core, 1, highest_weight); }

// The kernel puts no memory into nodes that have none, and refuses a cpuset of such nodes alone.
template <class Wanted>
std::vector<std::uint32_t> nodes_with_memory(const Topology& topology, Wanted wanted)
{
    std::vector<std::uint32_t> nodes;
    for (const auto& numa : topology.numa_nodes)
        if (numa.memory.bytes > 0 && wanted(numa))
            nodes.push_back(numa.os_index);
    std::ranges::sort(nodes);
    return nodes;
}

// Written whatever this node said that it can: the controller chose it because it said so, and what it cannot after all is told.
void isolate(const std::string& pus, std::vector<CgroupValue>& values)
{
    values.push_back({"cpuset.cpus.exclusive", pus, true}); // since Linux 6.7, where the groups above need not be partitions then
    values.push_back({"cpuset.cpus.partition", "isolated"});
}

// What is not reserved is refused by mmap(2); a page above the other limit is a SIGBUS.
void limit_huge_pages(const std::vector<HugePages>& wanted, std::vector<CgroupValue>& values)
{
    for (const auto& pages : wanted)
        if (const auto* size = find_huge_page_size(pages.size)) {
            const auto bytes = fmt::format("{}", (pages.size * pages.count).bytes);
            values.push_back({fmt::format("hugetlb.{}.max", size->in_cgroup), bytes});
            values.push_back({fmt::format("hugetlb.{}.rsvd.max", size->in_cgroup), bytes, true}); // since Linux 5.7
        }
}

} // namespace

std::vector<std::uint32_t> memory_nodes(const NodePlacement& placement, const Topology& topology)
{
    std::vector<std::uint32_t> nodes;
    for (const auto& share : placement.memory)
        if (share.numa < topology.numa_nodes.size() && share.memory.bytes > 0)
            nodes.push_back(topology.numa_nodes[share.numa].os_index);
    std::ranges::sort(nodes);
    if (nodes.empty())
        nodes = nodes_with_memory(topology, [&](const NumaNode& numa) { return placement.cores.intersects(numa.cores); });
    if (nodes.empty()) // the cores' own node has no memory
        nodes = nodes_with_memory(topology, [](const NumaNode&) { return true; });
    return nodes;
}

MemorySize high_mark(MemorySize max) { return max - std::min(MemorySize{max.bytes / margin_part}, widest_margin); }

std::vector<CgroupValue> job_limits(const NodePlacement& placement, const std::vector<std::uint32_t>& pus,
                                    const std::vector<std::uint32_t>& nodes, const JobRequest& request,
                                    const ConfinementSettings& settings)
{
    const auto& can = settings.capabilities;
    std::vector<CgroupValue> values;
    if (can.has(Capability::cpuset) && !pus.empty()) {
        values.push_back({"cpuset.cpus", format_pus(pus)});
        if (!nodes.empty())
            values.push_back({"cpuset.mems", format_pus(nodes)});
        if (request.resources.wishes->isolated)
            isolate(format_pus(pus), values);
    }
    if (can.has(Capability::memory)) {
        if (const auto max = placement.total_memory(); max.bytes > 0) {
            values.push_back({"memory.max", fmt::format("{}", max.bytes)});
            values.push_back({"memory.high", fmt::format("{}", high_mark(max).bytes)});
            // Else a job would use, beside its memory, as much of the swap as there is.
            values.push_back({"memory.swap.max", "0", true});
        }
        values.push_back({"memory.oom.group", request.continue_after_oom ? "0" : "1"});
    }
    if (can.has(Capability::pids) && settings.max_processes > 0)
        values.push_back({"pids.max", fmt::format("{}", settings.max_processes)});
    const auto cores = placement.cores.count();
    values.push_back({"cpu.weight", fmt::format("{}", weight(cores)), true});
    if (can.has(Capability::io))
        values.push_back({"io.weight", fmt::format("default {}", weight(cores)), true}); // there with the iocost policy alone
    limit_huge_pages(request.resources.wishes->huge_pages, values);
    return values;
}

std::vector<CgroupValue> share_of_all_jobs(const Topology& offered, bool bound, Capabilities capabilities)
{
    std::vector<CgroupValue> values;
    if (capabilities.has(Capability::cpuset) && bound) {
        std::vector<std::uint32_t> pus;
        for (const auto& core : offered.cores)
            pus.insert(pus.end(), core.pus.begin(), core.pus.end());
        if (!pus.empty())
            values.push_back({"cpuset.cpus", format_pus(std::move(pus))});
        if (const auto nodes = nodes_with_memory(offered, [](const NumaNode&) { return true; }); !nodes.empty())
            values.push_back({"cpuset.mems", format_pus(nodes)});
    }
    if (capabilities.has(Capability::memory) && offered.memory().bytes > 0)
        values.push_back({"memory.max", fmt::format("{}", offered.memory().bytes)});
    return values;
}

} // namespace jarvis::node
