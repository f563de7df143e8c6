#include "sched/fit.hpp"

#include "base/units.hpp"

#include <algorithm>

namespace jarvis::sched {

FreeResources everything(const Topology& topology)
{
    FreeResources free;
    free.cores = CoreSet::range(0, static_cast<std::uint32_t>(topology.cores.size()));
    for (const auto& numa : topology.numa_nodes)
        free.memory.push_back(numa.memory);
    return free;
}

void take(FreeResources& free, const NodePlacement& placement)
{
    free.cores -= placement.cores;
    for (const auto& share : placement.memory)
        if (share.numa < free.memory.size())
            free.memory[share.numa] -= share.memory;
}

void give_back(FreeResources& free, const NodePlacement& placement, const Topology& topology)
{
    // A node that came back smaller than it was offers no core that it lost.
    placement.cores.for_each([&](std::uint32_t core) {
        if (core < topology.cores.size())
            free.cores.insert(core);
    });
    for (const auto& share : placement.memory)
        if (share.numa < free.memory.size())
            free.memory[share.numa] += share.memory;
}

Demand demand_on(const ResourceRequest& request, const Topology& topology, std::optional<MemorySize> default_per_cpu)
{
    const auto node_cores = static_cast<std::uint32_t>(topology.cores.size());
    Demand demand;
    demand.cores = request.tasks * request.cpus_per_task;
    if (request.memory_per_node)
        demand.memory = *request.memory_per_node;
    else if (request.memory_per_cpu)
        demand.memory = *request.memory_per_cpu * demand.cores;
    else if (default_per_cpu)
        demand.memory = *default_per_cpu * demand.cores;
    else if (node_cores > 0)
        demand.memory = MemorySize{topology.memory().bytes / node_cores * std::min(demand.cores, node_cores)};
    if (request.exclusive) {
        demand.cores = std::max(demand.cores, node_cores);
        demand.memory = std::max(demand.memory, topology.memory());
    }
    return demand;
}

namespace {

// Takes up to `wanted` from the NUMA nodes that `local` says yes to; returns what is still wanted.
template <class Local>
MemorySize take_memory(MemorySize wanted, const FreeResources& free, std::vector<MemorySize>& taken, Local local)
{
    for (std::size_t numa = 0; numa < free.memory.size() && wanted.bytes > 0; ++numa) {
        if (!local(numa))
            continue;
        const auto share = std::min(wanted, std::max(MemorySize{}, free.memory[numa] - taken[numa]));
        taken[numa] += share;
        wanted -= share;
    }
    return wanted;
}

} // namespace

std::optional<NodePlacement> place(NodeId node, const Demand& demand, bool exclusive, const Topology& topology,
                                   const FreeResources& free)
{
    if (free.cores.count() < demand.cores || free.total_memory() < demand.memory)
        return std::nullopt;
    if (exclusive && free != everything(topology))
        return std::nullopt;

    NodePlacement placement{.node = node, .cores = {}, .memory = {}};
    std::uint32_t missing = demand.cores;
    free.cores.for_each([&](std::uint32_t core) {
        if (missing > 0) {
            placement.cores.insert(core);
            --missing;
        }
    });

    std::vector<MemorySize> taken(free.memory.size());
    auto wanted = take_memory(demand.memory, free, taken, [&](std::size_t numa) {
        return topology.numa_nodes[numa].cores.intersects(placement.cores);
    });
    take_memory(wanted, free, taken, [](std::size_t) { return true; }); // as the whole suffices, nothing is missing then
    for (std::uint32_t numa = 0; numa < taken.size(); ++numa)
        if (taken[numa].bytes > 0)
            placement.memory.push_back({numa, taken[numa]});
    return placement;
}

std::string never_fits(const Demand& demand, const Topology& topology, const std::string& node_name)
{
    if (demand.cores > topology.cores.size())
        return fmt::format("{} cores, but {} has {}", demand.cores, node_name, topology.cores.size());
    if (demand.memory > topology.memory())
        return fmt::format("{} of memory, but {} has {}", format_memory_size(demand.memory), node_name,
                           format_memory_size(topology.memory()));
    return {};
}

} // namespace jarvis::sched
