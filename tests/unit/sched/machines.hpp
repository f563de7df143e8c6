// Machines for tests of placement.
#pragma once

#include "sched/fit.hpp"

#include <fmt/format.h>

namespace jarvis::sched::test {

// Builds a topology NUMA node by NUMA node.
struct Builder {
    Topology topology;

    // So many L3 caches of so many cores each, and memory in MiB.
    Builder& numa(std::uint32_t package, std::uint32_t l3_caches, std::uint32_t cores, std::int64_t memory, MemoryKind kind = MemoryKind::dram)
    {
        const auto first = static_cast<std::uint32_t>(topology.cores.size());
        for (std::uint32_t i = 0; i < l3_caches * cores; ++i)
            topology.cores.push_back({.pus = {first + i}, .package = package, .l3 = next_l3_ + i / cores, .l2 = first + i});
        next_l3_ += l3_caches;
        return memory_beside(CoreSet::range(first, l3_caches * cores), memory, kind);
    }
    // Memory that is local to cores that are there already; of none: memory-only.
    Builder& memory_beside(CoreSet cores, std::int64_t memory, MemoryKind kind)
    {
        topology.numa_nodes.push_back({.os_index = static_cast<std::uint32_t>(topology.numa_nodes.size()), .memory = mebibytes(memory),
                                       .cores = std::move(cores), .kind = kind});
        return *this;
    }
    Builder& device(std::string resource, std::string type, CoreSet near)
    {
        topology.devices.push_back({.resource = std::move(resource), .type = std::move(type),
                                    .address = std::to_string(topology.devices.size()), .paths = {}, .near = std::move(near)});
        return *this;
    }
    Builder& distances(std::vector<std::uint32_t> table)
    {
        topology.distances = std::move(table);
        return *this;
    }

private:
    std::uint32_t next_l3_ = 0;
};

// "cores 0-1, memory 0:512 2:100, devices 0", or "no"
inline std::string text(const std::optional<NodePlacement>& placement)
{
    if (!placement)
        return "no";
    auto result = fmt::format("cores {}, memory", format_list(placement->cores));
    for (const auto& share : placement->memory)
        result += fmt::format(" {}:{}", share.numa, share.memory.bytes >> 20);
    if (!placement->devices.empty())
        result += ", devices";
    for (auto device : placement->devices)
        result += fmt::format(" {}", device);
    return result;
}

inline Demand wanting(std::uint32_t tasks, std::uint32_t cpus, std::int64_t memory, PlacementWishes wishes = {})
{
    return {.cores = tasks * cpus, .memory = mebibytes(memory), .tasks = tasks, .cpus_per_task = cpus, .wishes = std::move(wishes)};
}

} // namespace jarvis::sched::test
