#include "sched/topology_placement.hpp"

#include "sched/device_choice.hpp"
#include "sched/memory_choice.hpp"
#include "sched/numa_choice.hpp"

#include <algorithm>

namespace jarvis::sched {

namespace {

// One way to look at a node: with all of its cores, or with those alone that devices are near to.
class Placer {
    const FreeResources& free_;
    const CoreSet* only_;
    NodeLayout layout_;
    std::optional<NodePlacement> built_;

public:
    Placer(const Demand& demand, const Topology& topology, const FreeResources& free, const CoreSet* only)
        : free_(free), only_(only), layout_(topology, free, demand, only)
    {}
    const NodeLayout& layout() const { return layout_; }

    // The placement is in built().
    std::optional<NumaQuality> best()
    {
        const auto& wishes = layout_.wishes();
        if (wishes.place == PlacePattern::spread && wishes.numa_nodes == 0)
            return spread();
        return choose_numa_nodes(layout_, [this](const NumaSet& set) { return build(set); });
    }
    std::optional<NodePlacement>& built() { return built_; }

private:
    std::optional<NumaQuality> spread()
    {
        NumaSet givers;
        for (std::uint32_t i = 0; i < layout_.parts().size(); ++i)
            if (layout_.parts()[i].most > 0)
                givers.push_back(i);
        if (!build(givers))
            return std::nullopt;
        return quality_of(layout_, std::move(givers));
    }

    bool build(const NumaSet& set)
    {
        const auto split = split_cores(layout_, set);
        if (!split)
            return false;
        auto cores = pick_cores(layout_, *split);
        if (!cores)
            return false;
        auto memory = choose_memory(layout_, set, *split, *cores);
        if (!memory)
            return false;
        NodePlacement placement{.node = {}, .cores = std::move(*cores), .memory = std::move(*memory)};
        if (layout_.wishes().alone_on != AloneOn::core && !take_the_rest(placement))
            return false;
        if (!layout_.wishes().devices.empty()) {
            auto devices = choose_devices(layout_.topology(), free_, layout_.wishes(), placement.cores, only_);
            if (!devices)
                return false;
            placement.devices = std::move(*devices);
        }
        built_ = std::move(placement);
        return true;
    }

    // What it touches is its own: all cores of it, and of NUMA nodes and packages the memory.
    bool take_the_rest(NodePlacement& placement) const
    {
        const auto& topology = layout_.topology();
        if (layout_.wishes().alone_on == AloneOn::l3) {
            std::vector<std::uint64_t> touched;
            placement.cores.for_each([&](std::uint32_t core) {
                if (const auto key = layout_.key(Level::l3, core); touched.empty() || touched.back() != key)
                    touched.push_back(key);
            });
            for (std::uint32_t core = 0; core < topology.cores.size(); ++core)
                if (std::ranges::find(touched, layout_.key(Level::l3, core)) != touched.end())
                    placement.cores.insert(core);
        } else {
            take_whole_parts(placement);
        }
        CoreSet usable;
        for (const auto& part : layout_.parts())
            usable |= part.cores;
        return (placement.cores - usable).empty();
    }

    void take_whole_parts(NodePlacement& placement) const
    {
        const auto parts = layout_.parts();
        const auto& numas = layout_.topology().numa_nodes;
        std::vector<bool> touched(parts.size());
        for (const auto& share : placement.memory)
            touched[share.numa] = true;
        for (std::size_t i = 0; i < parts.size(); ++i)
            touched[i] = touched[i] || parts[i].cores.intersects(placement.cores);
        if (layout_.wishes().alone_on == AloneOn::package) {
            std::vector<bool> packages(layout_.package_count());
            for (std::size_t i = 0; i < parts.size(); ++i)
                for (auto package : parts[i].packages)
                    packages[package] = packages[package] || touched[i];
            for (std::size_t i = 0; i < parts.size(); ++i)
                touched[i] = touched[i] || std::ranges::any_of(parts[i].packages, [&](auto package) { return packages[package]; });
        }
        for (std::size_t i = 0; i < numas.size(); ++i)
            if (touched[i])
                placement.cores |= numas[i].cores;
        placement.memory.clear();
        for (std::uint32_t i = 0; i < numas.size(); ++i)
            if (parts[i].memory.bytes > 0 && (touched[i] || parts[i].cores.intersects(placement.cores)))
                placement.memory.push_back({i, parts[i].memory});
    }
};

} // namespace

std::optional<NodePlacement> place_by_topology(NodeId node, const Demand& demand, const Topology& topology, const FreeResources& free)
{
    if (missing_devices(topology, free, *demand.wishes).request)
        return std::nullopt;
    Placer all(demand, topology, free, nullptr);
    std::optional<NodePlacement> placement;
    if (!demand.wishes->near_devices || demand.wishes->devices.empty()) {
        if (all.best())
            placement = std::move(all.built());
    } else {
        // Where devices are near to (hwloc's cpusets lie inside each other or apart), the cores that all chosen ones are near to are
        // those of the one among them that is near to the fewest.
        std::optional<NumaQuality> best;
        for (const auto& only : near_sets(topology, all.layout())) {
            if (!choose_devices(topology, free, *demand.wishes, {}, &only))
                continue;
            Placer some(demand, topology, free, &only);
            if (auto quality = some.best(); quality && (!best || *quality < *best)) {
                best = std::move(quality);
                placement = std::move(some.built());
            }
        }
    }
    if (placement)
        placement->node = node;
    return placement;
}

bool whole_node_does(const Demand& demand, const Topology& topology, const FreeResources& free)
{
    const auto& wishes = *demand.wishes;
    if (missing_devices(topology, free, wishes).request)
        return false;
    if (demand.tasks == 0)
        return true;
    auto tasks = demand;
    tasks.cores = demand.tasks * demand.cpus_per_task;
    tasks.wishes = PlacementWishes{.place = wishes.place,
                                   .numa_nodes = wishes.numa_nodes,
                                   .tasks_per_package = wishes.tasks_per_package,
                                   .tasks_per_numa = wishes.tasks_per_numa,
                                   .tasks_per_l3 = wishes.tasks_per_l3};
    tasks.memory = {};
    return place_by_topology({}, tasks, topology, free).has_value();
}

} // namespace jarvis::sched
