#include "sched/obstacle.hpp"

#include "base/units.hpp"
#include "sched/device_choice.hpp"
#include "sched/topology_placement.hpp"

#include <algorithm>
#include <array>

namespace jarvis::sched {

namespace {

// A wish taken away; false: it was not made.
bool relax(PlacementWishes& wishes, Obstacle wish)
{
    const auto before = wishes;
    switch (wish) {
    case Obstacle::near_devices: wishes.near_devices = false; break;
    case Obstacle::local_memory: wishes.memory = MemoryBinding::prefer; break;
    case Obstacle::numa_nodes: wishes.numa_nodes = 0; break;
    case Obstacle::whole_tasks: wishes.place = wishes.place == PlacePattern::numa ? PlacePattern::close : wishes.place; break;
    case Obstacle::task_limits: wishes.tasks_per_package = wishes.tasks_per_numa = wishes.tasks_per_l3 = 0; break;
    case Obstacle::alone: wishes.alone_on = AloneOn::core; break;
    default: break;
    }
    return !(wishes == before);
}

std::string_view part_of(AloneOn level)
{
    switch (level) {
    case AloneOn::core: return "cores";
    case AloneOn::l3: return "L3 caches";
    case AloneOn::numa: return "NUMA nodes";
    case AloneOn::package: return "packages";
    }
    return {};
}

std::string limits_text(const PlacementWishes& wishes)
{
    std::string text;
    const auto add = [&](std::uint32_t limit, std::string_view part) {
        if (limit > 0)
            text += fmt::format("{}{} on each {}", text.empty() ? "" : " and ", limit, part);
    };
    add(wishes.tasks_per_package, "package");
    add(wishes.tasks_per_numa, "NUMA node");
    add(wishes.tasks_per_l3, "L3 cache");
    return text;
}

std::uint32_t numa_nodes_with_cores(const Topology& topology, const FreeResources& free)
{
    return static_cast<std::uint32_t>(std::ranges::count_if(topology.numa_nodes, [&](const auto& numa) { return numa.cores.intersects(free.cores); }));
}

std::uint32_t largest_numa_node(const Topology& topology, const FreeResources& free)
{
    std::uint32_t most = 0;
    for (const auto& numa : topology.numa_nodes)
        most = std::max(most, common(numa.cores, free.cores).count());
    return most;
}

} // namespace

Obstacle obstacle_to(const Demand& demand, const Topology& topology, const FreeResources& free)
{
    if (free.cores.count() < demand.cores)
        return Obstacle::cores;
    if (free.total_memory() < demand.memory)
        return Obstacle::memory;
    if (demand.wishes != Wishes{} && missing_devices(topology, free, *demand.wishes).request)
        return Obstacle::devices;
    if (demand.exclusive && free != everything(topology))
        return Obstacle::whole_node;
    if (place({}, demand, topology, free))
        return Obstacle::none;
    for (auto wish : {Obstacle::near_devices, Obstacle::local_memory, Obstacle::numa_nodes, Obstacle::whole_tasks, Obstacle::task_limits,
                      Obstacle::alone}) {
        auto wishes = *demand.wishes;
        if (!relax(wishes, wish))
            continue;
        auto easier = demand;
        easier.wishes = std::move(wishes);
        if (place({}, easier, topology, free))
            return wish;
    }
    return Obstacle::together;
}

std::string wanted_text(Obstacle obstacle, const Demand& demand, const Topology& topology, const FreeResources& free)
{
    const auto& wishes = *demand.wishes;
    switch (obstacle) {
    case Obstacle::none: return {};
    case Obstacle::cores: return fmt::format("{} cores", demand.cores);
    case Obstacle::memory: return fmt::format("{} of memory", format_memory_size(demand.memory));
    case Obstacle::devices: return device_text(*missing_devices(topology, free, wishes).request);
    case Obstacle::whole_node: return "a whole node";
    case Obstacle::near_devices: return fmt::format("{} cores near all of its devices", demand.cores);
    case Obstacle::local_memory:
        return fmt::format("{} of memory {}", format_memory_size(demand.memory),
                           wishes.memory == MemoryBinding::local ? "next to its cores" : "in equal parts from the NUMA nodes of its cores");
    case Obstacle::numa_nodes:
        if (numa_nodes_with_cores(topology, free) < wishes.numa_nodes)
            return fmt::format("{} NUMA nodes", wishes.numa_nodes);
        return fmt::format("{} cores from exactly {} NUMA nodes", demand.cores, wishes.numa_nodes);
    case Obstacle::whole_tasks:
        if (largest_numa_node(topology, free) < demand.cpus_per_task)
            return fmt::format("{} cores of one NUMA node", demand.cpus_per_task);
        return fmt::format("{} tasks of {} cores, each inside one NUMA node", demand.tasks, demand.cpus_per_task);
    case Obstacle::task_limits: return fmt::format("{} tasks with at most {}", demand.tasks, limits_text(wishes));
    case Obstacle::alone: return fmt::format("{} that nobody else uses", part_of(wishes.alone_on));
    case Obstacle::together: return "all of its wishes at once";
    }
    return {};
}

std::string offered_text(Obstacle obstacle, const Demand& demand, const Topology& topology, const FreeResources& free)
{
    switch (obstacle) {
    case Obstacle::cores: return fmt::format("has {}", free.cores.count());
    case Obstacle::memory: return fmt::format("has {}", format_memory_size(free.total_memory()));
    case Obstacle::devices: return fmt::format("has {}", missing_devices(topology, free, *demand.wishes).have);
    case Obstacle::numa_nodes:
        if (const auto have = numa_nodes_with_cores(topology, free); have < demand.wishes->numa_nodes)
            return fmt::format("has {}", have);
        return "cannot split them so";
    case Obstacle::whole_tasks:
        if (const auto most = largest_numa_node(topology, free); most < demand.cpus_per_task)
            return fmt::format("has {} in one at most", most);
        return "has no room for all of them";
    case Obstacle::local_memory: return "has less there";
    case Obstacle::near_devices: return "has fewer there";
    case Obstacle::task_limits: return "has no room for all of them";
    default: return "has no such place";
    }
}

std::string never_fits(const Demand& demand, const Topology& topology, const std::string& node_name)
{
    const auto all = everything(topology);
    const auto obstacle = obstacle_to(demand, topology, all);
    if (obstacle == Obstacle::none)
        return {};
    return fmt::format("{}, but {} {}", wanted_text(obstacle, demand, topology, all), node_name, offered_text(obstacle, demand, topology, all));
}

} // namespace jarvis::sched
