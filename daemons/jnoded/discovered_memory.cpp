#include "discovered_memory.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace jarvis::noded {
namespace {

// What hwloc and its users call kinds of memory: an object's subtype, or the info that a DAX device leaves.
constexpr std::array<std::string_view, 3> fast_names{"HBM", "MCDRAM", "SPM"};
constexpr std::array<std::string_view, 5> slow_names{"CXL", "NVM", "NVDIMM", "PMEM", "Slow"};
// The kernel's distances have one byte in ACPI's table (wire/limits.hpp).
constexpr std::uint64_t longest_distance = 255;
constexpr std::size_t most_numa_nodes_with_distances = 256;

// CXL-DRAM is slow, too.
template <std::size_t N>
bool begins_with_one(std::string_view text, const std::array<std::string_view, N>& names)
{
    return std::ranges::any_of(names, [&](std::string_view name) { return text.starts_with(name); });
}

std::optional<MemoryKind> stated_kind(hwloc_obj_t numa)
{
    for (const char* text : {static_cast<const char*>(numa->subtype), ::hwloc_obj_get_info_by_name(numa, "DAXType")}) {
        if (!text)
            continue;
        if (begins_with_one(text, slow_names))
            return MemoryKind::slow;
        if (begins_with_one(text, fast_names))
            return MemoryKind::hbm;
        if (std::string_view(text) == "DRAM")
            return MemoryKind::dram;
    }
    return std::nullopt;
}

// The best value that any of its initiators has.
std::optional<std::uint64_t> best_value(hwloc_topology_t topology, hwloc_memattr_id_t attribute, hwloc_obj_t numa, bool higher)
{
    unsigned count = 0;
    if (::hwloc_memattr_get_initiators(topology, attribute, numa, 0, &count, nullptr, nullptr) != 0 || count == 0)
        return std::nullopt;
    std::vector<hwloc_location> initiators(count);
    std::vector<hwloc_uint64_t> values(count);
    if (::hwloc_memattr_get_initiators(topology, attribute, numa, 0, &count, initiators.data(), values.data()) != 0 || count == 0)
        return std::nullopt;
    values.resize(std::min<std::size_t>(count, values.size()));
    return higher ? *std::ranges::max_element(values) : *std::ranges::min_element(values);
}

// Of the plain and of the read attribute the first that is there.
std::optional<std::uint64_t> bandwidth_of(hwloc_topology_t topology, hwloc_obj_t numa)
{
    const auto value = best_value(topology, HWLOC_MEMATTR_ID_BANDWIDTH, numa, true);
    return value ? value : best_value(topology, HWLOC_MEMATTR_ID_READ_BANDWIDTH, numa, true);
}

std::optional<std::uint64_t> latency_of(hwloc_topology_t topology, hwloc_obj_t numa)
{
    const auto value = best_value(topology, HWLOC_MEMATTR_ID_LATENCY, numa, false);
    return value ? value : best_value(topology, HWLOC_MEMATTR_ID_READ_LATENCY, numa, false);
}

struct Found {
    hwloc_obj_t object = nullptr;
    NumaNode node;
    std::optional<MemoryKind> stated;
    bool home = false; // the nearest memory of some cores, as DRAM is on any machine that has some
};

// A core's home is the node with the fewest cores around it, of several the first that is not stated to be something else.
void find_homes(std::vector<Found>& all)
{
    std::vector<Found*> order;
    for (auto& found : all)
        order.push_back(&found);
    const auto rank = [](const Found* found) {
        return std::pair(found->stated.value_or(MemoryKind::dram) != MemoryKind::dram, found->node.cores.count());
    };
    std::ranges::stable_sort(order, {}, rank);
    CoreSet claimed;
    for (auto* found : order) {
        found->home = !(found->node.cores - claimed).empty();
        claimed |= found->node.cores;
    }
}

// A node that is around several homes, and no home itself, is near to none of their cores in particular.
void clear_memory_only(std::vector<Found>& all)
{
    for (auto& found : all) {
        if (found.home)
            continue;
        const auto inside = std::ranges::count_if(all, [&](const Found& other) {
            return other.home && !other.node.cores.empty() && (other.node.cores - found.node.cores).empty();
        });
        if (inside > 1)
            found.node.cores = {};
    }
}

struct Range {
    std::optional<std::uint64_t> least, most;
    void add(std::optional<std::uint64_t> value)
    {
        if (!value)
            return;
        least = std::min(least.value_or(*value), *value);
        most = std::max(most.value_or(*value), *value);
    }
};

// The farthest that homes are from each other, and the nearest that a node is to any of them.
bool is_farther_than_dram(const std::vector<Found>& all, std::size_t node, const std::vector<std::uint32_t>& distances)
{
    if (distances.empty())
        return false;
    std::uint32_t between_homes = 0;
    auto nearest = static_cast<std::uint32_t>(longest_distance);
    std::size_t homes = 0;
    for (std::size_t a = 0; a < all.size(); ++a) {
        if (!all[a].home)
            continue;
        ++homes;
        nearest = std::min(nearest, distances[a * all.size() + node]);
        for (std::size_t b = 0; b < all.size(); ++b)
            if (all[b].home && b != a)
                between_homes = std::max(between_homes, distances[a * all.size() + b]);
    }
    return homes > 1 && nearest > between_homes;
}

void find_kinds(hwloc_topology_t topology, std::vector<Found>& all)
{
    Range bandwidth, latency; // of DRAM
    for (const auto& found : all)
        if (found.home && found.stated.value_or(MemoryKind::dram) == MemoryKind::dram) {
            bandwidth.add(bandwidth_of(topology, found.object));
            latency.add(latency_of(topology, found.object));
        }
    const auto distances = read_distances(topology);
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto& found = all[i];
        if (found.stated)
            found.node.kind = *found.stated;
        if (found.stated || found.home)
            continue;
        const auto own_bandwidth = bandwidth_of(topology, found.object);
        const auto own_latency = latency_of(topology, found.object);
        if (own_bandwidth && bandwidth.most && *own_bandwidth > *bandwidth.most)
            found.node.kind = MemoryKind::hbm;
        else if ((own_bandwidth && bandwidth.least && *own_bandwidth < *bandwidth.least) ||
                 (own_latency && latency.most && *own_latency > *latency.most) || is_farther_than_dram(all, i, distances))
            found.node.kind = MemoryKind::slow;
    }
}

struct ReleaseDistances {
    hwloc_topology_t topology = nullptr;
    void operator()(hwloc_distances_s* distances) const noexcept { ::hwloc_distances_release(topology, distances); }
};
using Distances = std::unique_ptr<hwloc_distances_s, ReleaseDistances>;

Distances find_distances(hwloc_topology_t topology)
{
    hwloc_distances_s* found = nullptr;
    unsigned count = 1;
    if (::hwloc_distances_get_by_name(topology, "NUMALatency", &count, &found, 0) != 0 || count == 0) {
        count = 1;
        if (::hwloc_distances_get_by_type(topology, HWLOC_OBJ_NUMANODE, &count, &found,
                                          HWLOC_DISTANCES_KIND_FROM_OS | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) != 0 ||
            count == 0)
            found = nullptr;
    }
    return Distances(found, ReleaseDistances{topology});
}

} // namespace

std::vector<NumaNode> read_numa_nodes(hwloc_topology_t topology)
{
    std::vector<Found> all;
    for_each_object(topology, HWLOC_OBJ_NUMANODE, [&](hwloc_obj_t object) {
        Found found{.object = object, .node = {}, .stated = stated_kind(object)};
        found.node.os_index = object->os_index == HWLOC_UNKNOWN_INDEX ? object->logical_index : object->os_index;
        found.node.memory.bytes = static_cast<std::int64_t>(object->attr->numanode.local_memory);
        found.node.cores = cores_within(topology, object->cpuset);
        all.push_back(std::move(found));
    });
    find_homes(all);
    clear_memory_only(all);
    find_kinds(topology, all);
    std::vector<NumaNode> nodes;
    for (auto& found : all)
        nodes.push_back(std::move(found.node));
    return nodes;
}

std::vector<std::uint32_t> read_distances(hwloc_topology_t topology)
{
    const auto nodes = objects_of(topology, HWLOC_OBJ_NUMANODE);
    const auto found = find_distances(topology);
    if (!found || found->nbobjs != nodes.size() || nodes.size() > most_numa_nodes_with_distances)
        return {};
    std::vector<std::uint32_t> distances(nodes.size() * nodes.size());
    for (unsigned a = 0; a < found->nbobjs; ++a)
        for (unsigned b = 0; b < found->nbobjs; ++b) {
            const auto *from = found->objs[a], *to = found->objs[b];
            const auto value = found->values[a * found->nbobjs + b];
            if (!from || !to || from->type != HWLOC_OBJ_NUMANODE || to->type != HWLOC_OBJ_NUMANODE || value < 1 || value > longest_distance)
                return {};
            distances[from->logical_index * nodes.size() + to->logical_index] = static_cast<std::uint32_t>(value);
        }
    return distances;
}

} // namespace jarvis::noded
