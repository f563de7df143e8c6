#include "node/memory_policy.hpp"

#include "node/confinement.hpp"

#include <algorithm>

namespace jarvis::node {
namespace {

// The nodes of the job's cores, of those that it may have memory of.
std::vector<std::uint32_t> near_nodes(const std::vector<std::uint32_t>& allowed, const NodePlacement& placement, const Topology& topology)
{
    std::vector<std::uint32_t> nodes;
    for (const auto& numa : topology.numa_nodes)
        if (placement.cores.intersects(numa.cores) && std::ranges::binary_search(allowed, numa.os_index))
            nodes.push_back(numa.os_index);
    std::ranges::sort(nodes);
    return nodes;
}

} // namespace

MemoryPolicy memory_policy(MemoryBinding wish, const NodePlacement& placement, const Topology& topology)
{
    const auto allowed = memory_nodes(placement, topology);
    auto near = near_nodes(allowed, placement, topology);
    if (near.empty())
        return {};
    switch (wish) {
    case MemoryBinding::prefer:
        // By default a thread goes from its own node to the next nearest, which need not be one of the job's cores.
        if (near != allowed)
            return {MemoryPolicyKind::prefer, std::move(near)};
        return {};
    case MemoryBinding::local: return {MemoryPolicyKind::bind, std::move(near)};
    case MemoryBinding::interleave: return {MemoryPolicyKind::interleave, std::move(near)};
    case MemoryBinding::none: return {};
    }
    return {};
}

} // namespace jarvis::node
