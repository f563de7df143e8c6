#include "sched/fit.hpp"

#include "sched/topology_placement.hpp"

#include <algorithm>
#include <numeric>

namespace jarvis::sched {

FreeResources everything(const Topology& topology)
{
    FreeResources free;
    free.cores = CoreSet::range(0, static_cast<std::uint32_t>(topology.cores.size()));
    for (const auto& numa : topology.numa_nodes)
        free.memory.push_back(numa.memory);
    free.devices.resize(topology.devices.size());
    std::iota(free.devices.begin(), free.devices.end(), 0u);
    return free;
}

void take(FreeResources& free, const NodePlacement& placement)
{
    free.cores -= placement.cores;
    for (const auto& share : placement.memory)
        if (share.numa < free.memory.size())
            free.memory[share.numa] -= share.memory;
    if (!placement.devices.empty())
        std::erase_if(free.devices, [&](std::uint32_t device) { return std::ranges::binary_search(placement.devices, device); });
}

void give_back(FreeResources& free, const NodePlacement& placement, const Topology& topology)
{
    // A node that came back smaller than it was offers no core or device that it lost.
    placement.cores.for_each([&](std::uint32_t core) {
        if (core < topology.cores.size())
            free.cores.insert(core);
    });
    for (const auto& share : placement.memory)
        if (share.numa < free.memory.size())
            free.memory[share.numa] += share.memory;
    for (auto device : placement.devices) {
        const auto at = std::ranges::lower_bound(free.devices, device);
        if (device < topology.devices.size() && (at == free.devices.end() || *at != device))
            free.devices.insert(at, device);
    }
}

Demand demand_on(const ResourceRequest& request, const Topology& topology, std::optional<MemorySize> default_per_cpu)
{
    const auto node_cores = static_cast<std::uint32_t>(topology.cores.size());
    Demand demand;
    demand.cores = request.tasks * request.cpus_per_task;
    demand.tasks = request.tasks;
    demand.cpus_per_task = request.cpus_per_task;
    demand.exclusive = request.exclusive;
    demand.wishes = request.wishes;
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

std::optional<NodePlacement> place(NodeId node, const Demand& demand, const Topology& topology, const FreeResources& free)
{
    // Memory that a NUMA node owes counts against the others.
    if (free.cores.count() < demand.cores || free.total_memory() < demand.memory)
        return std::nullopt;
    if (!demand.exclusive)
        return place_by_topology(node, demand, topology, free);
    if (free != everything(topology) || !whole_node_does(demand, topology, free))
        return std::nullopt;
    NodePlacement placement{.node = node, .cores = free.cores, .memory = {}};
    for (std::uint32_t numa = 0; numa < free.memory.size(); ++numa)
        if (free.memory[numa].bytes > 0)
            placement.memory.push_back({numa, free.memory[numa]});
    placement.devices = free.devices;
    return placement;
}

} // namespace jarvis::sched
