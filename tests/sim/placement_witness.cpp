#include "placement_witness.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace jarvis::sim {

namespace {

// What one job holds of one node, and how it wished to.
struct Held {
    JobId job;
    const Topology& topology;
    const NodePlacement& part;
    const ResourceRequest& request;

    const PlacementWishes& wishes() const { return *request.wishes; }

    // Of the NUMA nodes that a core is local to the first of ordinary memory.
    std::size_t home(std::uint32_t core) const
    {
        for (std::size_t i = 0; i < topology.numa_nodes.size(); ++i)
            if (topology.numa_nodes[i].kind == MemoryKind::dram && topology.numa_nodes[i].cores.contains(core))
                return i;
        return topology.numa_nodes.size();
    }
    std::map<std::size_t, std::uint32_t> cores_by_home() const
    {
        std::map<std::size_t, std::uint32_t> counts;
        part.cores.for_each([&](std::uint32_t core) { ++counts[home(core)]; });
        return counts;
    }
};

void check_counts(const Held& held)
{
    const auto cores = held.part.tasks * held.request.cpus_per_task;
    if (held.part.cores.count() < cores || (held.wishes().alone_on == AloneOn::core && !held.request.exclusive && held.part.cores.count() > cores))
        broken("job {} has {} tasks of {} cores on a node, and gets {} cores", held.job, held.part.tasks, held.request.cpus_per_task, held.part.cores.count());
    for (const auto& request : held.wishes().devices) {
        const auto have = static_cast<std::uint32_t>(std::ranges::count_if(held.part.devices, [&](auto index) {
            const auto& device = held.topology.devices[index];
            return device.resource == request.resource && (request.type.empty() || request.type == device.type);
        }));
        if (have < request.count)
            broken("job {} asks for {} {}, and gets {}", held.job, request.count, request.resource, have);
    }
}

void check_memory(const Held& held)
{
    if (held.wishes().memory == MemoryBinding::local)
        for (const auto& share : held.part.memory)
            if (!held.topology.numa_nodes[share.numa].cores.intersects(held.part.cores))
                broken("job {} asks for local memory, and gets some of NUMA node {} without a core of it", held.job, share.numa);
    if (held.wishes().memory == MemoryBinding::interleave && held.wishes().alone_on < AloneOn::numa)
        for (const auto& share : held.part.memory)
            if (std::abs(share.memory.bytes - held.part.memory.front().memory.bytes) > 1 || !held.cores_by_home().contains(share.numa))
                broken("job {} asks for equal parts of memory, and gets {} bytes of NUMA node {}", held.job, share.memory.bytes, share.numa);
}

void check_cores(const Held& held)
{
    const auto& wishes = held.wishes();
    if (wishes.near_devices)
        for (auto device : held.part.devices)
            if (const auto& near = held.topology.devices[device].near; !near.empty() && !(held.part.cores - near).empty())
                broken("job {} is to be near its devices, and gets cores that device {} is not near to", held.job, device);
    if (wishes.alone_on != AloneOn::core)
        return; // it gets more than it asks for
    const auto by_home = held.cores_by_home();
    for (const auto& [numa, cores] : by_home) {
        if (wishes.place == PlacePattern::numa && cores % held.request.cpus_per_task != 0)
            broken("job {} wants its tasks whole, and gets {} cores of NUMA node {}", held.job, cores, numa);
        if (wishes.tasks_per_numa > 0 && cores > wishes.tasks_per_numa * held.request.cpus_per_task)
            broken("job {} gets {} cores of NUMA node {}, more than its limit of tasks", held.job, cores, numa);
    }
    if (wishes.numa_nodes > 0 && by_home.size() != wishes.numa_nodes)
        broken("job {} asks for {} NUMA nodes, and gets cores of {}", held.job, wishes.numa_nodes, by_home.size());
}

// Nothing of another job lies on what this one touches, at its level.
void check_alone(const Held& held, const NodePlacement& other, JobId other_job)
{
    const auto& cores = held.topology.cores;
    const auto level = held.wishes().alone_on;
    const auto meets = [&](std::uint32_t a, std::uint32_t b) {
        switch (level) {
        case AloneOn::core: return false;
        case AloneOn::l3: return cores[a].package == cores[b].package && cores[a].l3 == cores[b].l3;
        case AloneOn::numa: return held.home(a) == held.home(b);
        case AloneOn::package: return cores[a].package == cores[b].package;
        }
        return false;
    };
    held.part.cores.for_each([&](std::uint32_t mine) {
        other.cores.for_each([&](std::uint32_t core) {
            if (meets(mine, core))
                broken("job {} is to be alone, and job {} has core {} beside its core {}", held.job, other_job, core, mine);
        });
        if (level == AloneOn::numa || level == AloneOn::package)
            for (const auto& share : other.memory)
                if (share.numa == held.home(mine))
                    broken("job {} is to be alone, and job {} has memory of its NUMA node {}", held.job, other_job, share.numa);
    });
}

void count_wishes(std::map<std::string, std::uint64_t>& count, const PlacementWishes& wishes)
{
    constexpr std::array memory{"prefer", "local", "interleave", "none"}, alone{"core", "l3", "numa", "package"};
    constexpr std::array place{"close", "spread", "numa"};
    ++count[fmt::format("placed: memory {}", memory[static_cast<std::size_t>(wishes.memory)])];
    ++count[fmt::format("placed: {}", place[static_cast<std::size_t>(wishes.place)])];
    ++count[fmt::format("placed: alone on {}", alone[static_cast<std::size_t>(wishes.alone_on)])];
    count["placed: on so many NUMA nodes"] += wishes.numa_nodes > 0;
    count["placed: tasks are limited"] += wishes.tasks_per_numa > 0 || wishes.tasks_per_l3 > 0 || wishes.tasks_per_package > 0;
    count["placed: with devices"] += !wishes.devices.empty();
    count["placed: near its devices"] += wishes.near_devices;
}

} // namespace

void PlacementWitness::see(const cluster::State& before, const cluster::Event& event)
{
    const auto* started = std::get_if<cluster::JobStarted>(&event);
    if (!started)
        return;
    const auto& request = before.find(started->job)->request->resources;
    for (const auto& part : started->placement.nodes) {
        const auto& node = before.nodes[part.node.value];
        const Held held{started->job, node.registration->topology, part, request};
        check_counts(held);
        if (!request.exclusive) {
            check_memory(held);
            check_cores(held);
        }
        for (JobId other : node.jobs) {
            const auto neighbour = before.find(other);
            for (const auto& its : neighbour->run->placement.nodes)
                if (its.node == part.node) {
                    check_alone(held, its, other);
                    check_alone({other, held.topology, its, neighbour->request->resources}, part, started->job);
                }
        }
    }
    count_wishes(count_, *request.wishes);
}

} // namespace jarvis::sim
