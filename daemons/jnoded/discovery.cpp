#include "discovery.hpp"

#include "base/units.hpp"

#include <hwloc.h>

#include <cerrno>
#include <memory>
#include <unistd.h>

namespace jarvis::noded {
namespace {

struct DestroyTopology {
    void operator()(hwloc_topology_t topology) const noexcept { ::hwloc_topology_destroy(topology); }
};
using HwlocTopology = std::unique_ptr<hwloc_topology, DestroyTopology>;

struct FreeBitmap {
    void operator()(hwloc_bitmap_t bitmap) const noexcept { ::hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

Result<HwlocTopology> load()
{
    hwloc_topology_t made = nullptr;
    if (::hwloc_topology_init(&made) != 0)
        return std::unexpected(system_error(errno, "hwloc cannot begin"));
    HwlocTopology topology(made);
    if (::hwloc_topology_load(made) != 0)
        return std::unexpected(system_error(errno, "hwloc cannot read this machine's topology"));
    return topology;
}

// hwloc leaves out what the cpuset cgroup forbids; an affinity that we inherited (taskset) counts as well.
void restrict_to_affinity(hwloc_topology_t topology)
{
    if (!::hwloc_topology_is_thissystem(topology))
        return;
    const Bitmap bound(::hwloc_bitmap_alloc());
    if (::hwloc_get_cpubind(topology, bound.get(), HWLOC_CPUBIND_PROCESS) == 0 && !::hwloc_bitmap_iszero(bound.get()))
        ::hwloc_topology_restrict(topology, bound.get(), 0);
}

std::vector<std::uint32_t> members(hwloc_const_bitmap_t set)
{
    std::vector<std::uint32_t> numbers;
    for (int i = ::hwloc_bitmap_first(set); i >= 0; i = ::hwloc_bitmap_next(set, i))
        numbers.push_back(static_cast<std::uint32_t>(i));
    return numbers;
}

// A machine that tells hwloc of no cores (some virtual ones) has one for each PU.
hwloc_obj_type_t core_type(hwloc_topology_t topology)
{
    return ::hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
}

std::vector<Core> read_cores(hwloc_topology_t topology)
{
    std::vector<Core> cores;
    hwloc_obj_t core = nullptr;
    while ((core = ::hwloc_get_next_obj_by_type(topology, core_type(topology), core)) != nullptr) {
        const auto* package = ::hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_PACKAGE, core);
        cores.push_back({.pus = members(core->cpuset), .package = package ? package->logical_index : 0});
    }
    return cores;
}

NumaNode read_numa_node(hwloc_topology_t topology, hwloc_obj_t object)
{
    NumaNode numa;
    numa.os_index = object->os_index == HWLOC_UNKNOWN_INDEX ? object->logical_index : object->os_index;
    numa.memory.bytes = static_cast<std::int64_t>(object->attr->numanode.local_memory);
    hwloc_obj_t core = nullptr;
    while ((core = ::hwloc_get_next_obj_by_type(topology, core_type(topology), core)) != nullptr)
        if (::hwloc_bitmap_intersects(core->cpuset, object->cpuset))
            numa.cores.insert(core->logical_index);
    return numa;
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
    if (total <= 0)
        total = physical_memory().bytes;
    for (auto& numa : found.numa_nodes)
        numa.memory.bytes = total / static_cast<std::int64_t>(found.numa_nodes.size());
}

// `part` of `whole` of `amount`, without overflow: sizes have 53 bits at most.
std::int64_t share(std::int64_t amount, std::int64_t part, std::int64_t whole)
{
    return static_cast<std::int64_t>(__extension__ static_cast<__int128>(amount) * part / whole);
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

Result<Discovery> discover_topology()
{
    auto loaded = load();
    if (!loaded)
        return std::unexpected(loaded.error());
    const auto topology = loaded->get();
    restrict_to_affinity(topology);
    Discovery found;
    found.topology.cores = read_cores(topology);
    hwloc_obj_t object = nullptr;
    while ((object = ::hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, object)) != nullptr)
        found.topology.numa_nodes.push_back(read_numa_node(topology, object));
    fill_unknown_memory(topology, found.topology);
    if (found.topology.cores.empty())
        return fail(Errc::unavailable, "hwloc found no processor that this daemon may use");
    if (has_all_numa_nodes(topology))
        if (auto note = count_memory_of_no_node(found.topology, physical_memory()))
            found.notes.push_back(std::move(*note));
    return found;
}

namespace {

// The first `cores` cores (0: all), and `memory` taken from the NUMA nodes in proportion to their size.
Topology part_of(Topology topology, std::uint32_t cores, std::optional<MemorySize> memory)
{
    if (cores > 0) {
        const auto dropped = CoreSet::range(cores, static_cast<std::uint32_t>(topology.cores.size()) - cores);
        topology.cores.resize(cores);
        for (auto& numa : topology.numa_nodes)
            numa.cores -= dropped;
    }
    const auto all = topology.memory();
    if (!memory || *memory == all)
        return topology;
    auto left = *memory;
    for (auto& numa : topology.numa_nodes) {
        numa.memory.bytes = share(numa.memory.bytes, memory->bytes, all.bytes);
        left -= numa.memory;
    }
    topology.numa_nodes.front().memory += left; // what rounding left over: fewer bytes than there are nodes
    return topology;
}

// Cores that stand for no core of the machine; each has a PU, since every core has one, and nothing is bound to it.
Topology virtual_shape(std::uint32_t cores, MemorySize memory)
{
    Topology topology;
    for (std::uint32_t core = 0; core < cores; ++core)
        topology.cores.push_back({.pus = {core}, .package = 0});
    topology.numa_nodes.push_back({.os_index = 0, .memory = memory, .cores = CoreSet::range(0, cores)});
    return topology;
}

} // namespace

Offer offer(Topology topology, std::uint32_t cores, std::optional<MemorySize> memory, OfferAs as)
{
    if (as == OfferAs::nothing)
        return {.topology = {}, .bound = true, .notes = {"a login node: no job runs here"}};
    const auto there = static_cast<std::uint32_t>(topology.cores.size());
    const auto all = topology.memory();
    std::vector<std::string> notes;
    if (cores > there)
        notes.push_back(fmt::format("cores are virtual, jobs are not bound: {} are stated, {} are there", cores, there));
    else if (as == OfferAs::virtual_cores)
        notes.emplace_back("cores are virtual, jobs are not bound");
    if (memory && *memory > all)
        notes.push_back(fmt::format("memory is virtual: {} is stated, {} is there", format_memory_size(*memory),
                                    format_memory_size(all)));
    if (notes.empty())
        return {.topology = part_of(std::move(topology), cores, memory), .bound = true, .notes = {}};
    const bool bound = cores <= there && as != OfferAs::virtual_cores;
    auto shape = bound ? part_of(std::move(topology), cores, {}) : virtual_shape(cores > 0 ? cores : there, memory.value_or(all));
    if (bound) // more memory than there is: each NUMA node has its share of what is stated
        shape = part_of(std::move(shape), 0, memory);
    return {.topology = std::move(shape), .bound = bound, .notes = std::move(notes)};
}

} // namespace jarvis::noded
