#include "discovery.hpp"

#include "base/units.hpp"
#include "discovered_devices.hpp"
#include "discovered_memory.hpp"
#include "hwloc_topology.hpp"

#include <unistd.h>

namespace jarvis::noded {
namespace {

// What a registration may say of a node (wire/limits.hpp): more than any machine has, but not than a description can.
constexpr std::size_t most_cores = 1 << 16;

std::vector<std::uint32_t> members(hwloc_const_bitmap_t set)
{
    std::vector<std::uint32_t> numbers;
    for (int i = ::hwloc_bitmap_first(set); i >= 0; i = ::hwloc_bitmap_next(set, i))
        numbers.push_back(static_cast<std::uint32_t>(i));
    return numbers;
}

std::uint32_t package_of(hwloc_topology_t topology, hwloc_obj_t core)
{
    const auto* package = ::hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_PACKAGE, core);
    return package ? package->logical_index : 0;
}

// Which of the machine's dies or caches of a level a core is below. Those that are below none share what their package stands
// for, which is counted behind the real ones.
std::uint32_t group_of(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_obj_t core)
{
    if (const auto* group = ::hwloc_get_ancestor_obj_by_type(topology, type, core))
        return group->logical_index;
    const int there = ::hwloc_get_nbobjs_by_type(topology, type);
    return static_cast<std::uint32_t>(std::max(there, 0)) + package_of(topology, core);
}

// hwloc's rank of a core's kind; 0 where all are of one kind or nobody knows which is faster.
std::uint32_t efficiency_of(hwloc_topology_t topology, hwloc_obj_t core)
{
    const int kind = ::hwloc_cpukinds_get_by_cpuset(topology, core->cpuset, 0);
    int efficiency = 0;
    if (kind < 0 || ::hwloc_cpukinds_get_info(topology, static_cast<unsigned>(kind), nullptr, &efficiency, nullptr, nullptr, 0) != 0)
        return 0;
    return static_cast<std::uint32_t>(std::max(efficiency, 0));
}

std::vector<Core> read_cores(hwloc_topology_t topology)
{
    std::vector<Core> cores;
    for_each_object(topology, core_type(topology), [&](hwloc_obj_t core) {
        cores.push_back({.pus = members(core->cpuset),
                         .package = package_of(topology, core),
                         .die = group_of(topology, HWLOC_OBJ_DIE, core),
                         .l3 = group_of(topology, HWLOC_OBJ_L3CACHE, core),
                         .l2 = group_of(topology, HWLOC_OBJ_L2CACHE, core),
                         .efficiency = efficiency_of(topology, core)});
    });
    return cores;
}

MemorySize physical_memory()
{
    const auto pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
    return {pages > 0 && size > 0 ? static_cast<std::int64_t>(pages) * size : 0};
}

// Without /sys/devices/system/node hwloc shows one NUMA node, or several, without memory: then the machine's memory is
// spread over them evenly.
void fill_unknown_memory(hwloc_topology_t topology, Topology& found)
{
    if (found.numa_nodes.empty())
        found.numa_nodes.push_back({.cores = CoreSet::range(0, static_cast<std::uint32_t>(found.cores.size()))});
    if (found.memory().bytes > 0)
        return;
    auto total = static_cast<std::int64_t>(::hwloc_get_root_obj(topology)->total_memory);
    if (total <= 0 && ::hwloc_topology_is_thissystem(topology))
        total = physical_memory().bytes;
    for (auto& numa : found.numa_nodes)
        numa.memory.bytes = total / static_cast<std::int64_t>(found.numa_nodes.size());
}

// Whether what is there is this machine with all its NUMA nodes, none of them kept from us by a cpuset cgroup.
bool has_all_numa_nodes(hwloc_topology_t topology)
{
    return ::hwloc_topology_is_thissystem(topology) &&
           ::hwloc_bitmap_isequal(::hwloc_topology_get_complete_nodeset(topology), ::hwloc_topology_get_topology_nodeset(topology));
}

} // namespace

std::optional<std::string> count_memory_of_no_node(Topology& topology, MemorySize machine)
{
    const MemorySize left{machine.bytes - topology.memory().bytes};
    if (left.bytes <= 0)
        return std::nullopt;
    if (topology.numa_nodes.size() == 1) {
        topology.numa_nodes.front().memory = machine;
        return std::nullopt;
    }
    // Of less than a page of each sort nobody needs to hear.
    if (left < mebibytes(1))
        return std::nullopt;
    return fmt::format("memory: {} of this machine's {} belong to no NUMA node and are not offered", format_memory_size(left),
                       format_memory_size(machine));
}

Result<Discovery> discover_topology(const std::string& source, const std::string& cpus)
{
    auto loaded = load_topology(source, cpus);
    if (!loaded)
        return std::unexpected(loaded.error());
    const auto topology = loaded->get();
    Discovery found{.topology = {}, .this_machine = source.empty() || ::hwloc_topology_is_thissystem(topology), .notes = {}};
    found.topology.cores = read_cores(topology);
    found.topology.numa_nodes = read_numa_nodes(topology);
    found.topology.distances = read_distances(topology);
    found.topology.devices = read_devices(topology);
    fill_unknown_memory(topology, found.topology);
    if (found.topology.cores.empty())
        return fail(Errc::unavailable, "hwloc found no processor that this daemon may use");
    if (found.topology.cores.size() > most_cores)
        return fail(Errc::invalid, "topology: {} cores; at most {} are possible", found.topology.cores.size(), most_cores);
    if (has_all_numa_nodes(topology))
        if (auto note = count_memory_of_no_node(found.topology, physical_memory()))
            found.notes.push_back(std::move(*note));
    return found;
}

} // namespace jarvis::noded
