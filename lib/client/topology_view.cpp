#include "client/topology_view.hpp"

#include "base/escape.hpp"
#include "wire/convert.hpp"

#include <algorithm>
#include <map>

namespace jarvis::client {

namespace {

using Kind = TopologyPart::Kind;

bool includes(const CoreSet& big, const CoreSet& small) { return (small - big).empty(); }

std::uint32_t first_core(const CoreSet& cores)
{
    std::optional<std::uint32_t> first;
    cores.for_each([&](std::uint32_t core) { first = first.value_or(core); });
    return first.value_or(0);
}

// False where it overlaps with a part of which it neither is a part nor has all: then there is no place for it.
bool insert(TopologyPart& into, TopologyPart part)
{
    for (auto& child : into.children)
        if (includes(child.cores, part.cores))
            return insert(child, std::move(part));
    for (const auto& child : into.children)
        if (child.cores.intersects(part.cores) && !includes(part.cores, child.cores))
            return false;
    const auto inside = std::stable_partition(into.children.begin(), into.children.end(),
                                              [&](const TopologyPart& child) { return !includes(part.cores, child.cores); });
    part.children.assign(std::make_move_iterator(inside), std::make_move_iterator(into.children.end()));
    into.children.erase(inside, into.children.end());
    const auto place = std::ranges::upper_bound(into.children, first_core(part.cores), {},
                                                [](const TopologyPart& child) { return first_core(child.cores); });
    into.children.insert(place, std::move(part));
    return true;
}

// The innermost part that has all these cores.
TopologyPart& smallest_with(TopologyPart& part, const CoreSet& cores)
{
    if (!cores.empty())
        for (auto& child : part.children)
            if (includes(child.cores, cores))
                return smallest_with(child, cores);
    return part;
}

// NUMA nodes go to the part with just their cores, which is made where there is none.
void insert_numa(TopologyPart& machine, const Topology& topology)
{
    std::uint32_t groups = 0;
    for (std::uint32_t i = 0; i < topology.numa_nodes.size(); ++i) {
        const auto& cores = topology.numa_nodes[i].cores;
        auto* place = &smallest_with(machine, cores);
        if (!cores.empty() && place->cores != cores) {
            if (insert(machine, {Kind::group, groups, cores, {}, {}}))
                ++groups;
            place = &smallest_with(machine, cores);
        }
        place->numa.push_back(i);
    }
}

std::map<std::uint32_t, CoreSet> cores_by(const Topology& topology, std::uint32_t Core::* what)
{
    std::map<std::uint32_t, CoreSet> found;
    for (std::uint32_t core = 0; core < topology.cores.size(); ++core)
        found[topology.cores[core].*what].insert(core);
    return found;
}

TopologyPart machine_of(const Topology& topology)
{
    TopologyPart machine{.kind = Kind::machine, .index = 0, .cores = CoreSet::range(0, static_cast<std::uint32_t>(topology.cores.size())),
                         .numa = {}, .children = {}};
    const auto packages = cores_by(topology, &Core::package);
    for (const auto& [index, cores] : packages)
        insert(machine, {Kind::package, index, cores, {}, {}});
    insert_numa(machine, topology);
    const auto is_package = [&](const CoreSet& cores) {
        return std::ranges::any_of(packages, [&](const auto& package) { return package.second == cores; });
    };
    for (const auto& [index, cores] : cores_by(topology, &Core::die))
        if (!is_package(cores))
            insert(machine, {Kind::die, index, cores, {}, {}});
    for (const auto& [index, cores] : cores_by(topology, &Core::l3))
        if (!is_package(cores))
            insert(machine, {Kind::l3, index, cores, {}, {}});
    return machine;
}

} // namespace

std::vector<std::pair<std::size_t, MemorySize>> NodeTopology::memory_holders(std::uint32_t numa) const
{
    std::vector<std::pair<std::size_t, MemorySize>> held;
    for (std::size_t i = 0; i < holdings.size(); ++i)
        for (const auto& share : holdings[i].placement.memory)
            if (share.numa == numa && share.memory.bytes > 0)
                held.emplace_back(i, share.memory);
    return held;
}

MemorySize NodeTopology::memory_held(std::uint32_t numa) const
{
    MemorySize sum;
    for (const auto& [holder, memory] : memory_holders(numa))
        sum += memory;
    return sum;
}

std::string NodeTopology::pus_of(const CoreSet& cores) const
{
    CoreSet pus;
    cores.for_each([&](std::uint32_t core) {
        for (auto pu : topology.cores[core].pus)
            pus.insert(pu);
    });
    return format_list(pus);
}

bool NodeTopology::has_kinds_of_cores() const
{
    return std::ranges::adjacent_find(topology.cores, std::ranges::not_equal_to{}, &Core::efficiency) != topology.cores.end();
}

Result<NodeTopology> read_topology(const wire::NodeView& view)
{
    if (!view.has_topology())
        return fail(Errc::not_found, "node {} has not told its topology yet: it has never registered", escape_for_terminal(view.name()));
    auto topology = wire::from_message(view.topology());
    if (!topology)
        return fail(topology.error(), "node {}", escape_for_terminal(view.name()));
    NodeTopology node{.name = view.name(), .state = view.state(), .topology = std::move(*topology), .holdings = {}, .machine = {},
                      .core_holder = {}, .device_holder = {}};
    node.machine = machine_of(node.topology);
    node.core_holder.resize(node.topology.cores.size());
    node.device_holder.resize(node.topology.devices.size());
    for (const auto& message : view.holdings()) {
        auto placement = wire::from_message(message.placement());
        if (!placement)
            return fail(placement.error(), "node {}: job {}", escape_for_terminal(view.name()), escape_for_terminal(message.job()));
        if (auto fits = wire::check_fits(*placement, node.topology); !fits)
            return fail(fits.error(), "node {}: job {}", escape_for_terminal(view.name()), escape_for_terminal(message.job()));
        const auto holder = node.holdings.size();
        placement->cores.for_each([&](std::uint32_t core) { node.core_holder[core] = holder; });
        for (auto device : placement->devices)
            node.device_holder[device] = holder;
        node.holdings.push_back({message.job(), message.user(), std::move(*placement)});
    }
    return node;
}

std::vector<CoreRun> runs_of(const NodeTopology& node, const CoreSet& cores)
{
    std::vector<CoreRun> runs;
    std::uint32_t before = 0;
    cores.for_each([&](std::uint32_t core) {
        const auto holder = node.core_holder[core];
        const auto efficiency = node.topology.cores[core].efficiency;
        if (runs.empty() || core != before + 1 || runs.back().holder != holder || runs.back().efficiency != efficiency)
            runs.push_back({{}, holder, efficiency});
        runs.back().cores.insert(core);
        before = core;
    });
    return runs;
}

std::string part_name(const TopologyPart& part)
{
    switch (part.kind) {
    case Kind::machine: return "machine";
    case Kind::package: return fmt::format("package {}", part.index);
    case Kind::die: return fmt::format("die {}", part.index);
    case Kind::group: return fmt::format("group {}", part.index);
    case Kind::l3: return fmt::format("L3 {}", part.index);
    }
    return {};
}

std::string escape_for_xml(std::string_view text)
{
    std::string result;
    for (char c : escape_for_terminal(text))
        switch (c) {
        case '&': result += "&amp;"; break;
        case '<': result += "&lt;"; break;
        case '>': result += "&gt;"; break;
        case '"': result += "&quot;"; break;
        case '\'': result += "&apos;"; break;
        default: result += c;
        }
    return result;
}

} // namespace jarvis::client
