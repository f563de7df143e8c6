// What this machine has that we may use, by hwloc.
#pragma once

#include "base/memory_size.hpp"
#include "base/result.hpp"
#include "model/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace jarvis::noded {

// Cores and NUMA nodes in hwloc's logical order, without what our cpuset or affinity keeps from us. Takes some
// milliseconds to a second; HWLOC_XMLFILE and HWLOC_SYNTHETIC work as hwloc documents them.
struct Discovery {
    Topology topology;
    std::vector<std::string> notes; // for people who look at the node
};
Result<Discovery> discover_topology();

// Where the kernel counts memory to no NUMA node (some hot-added memory of virtual machines): with one NUMA node that memory
// is its own, since there is no other; with several nobody knows whose it is, and the returned note says how much that is.
std::optional<std::string> count_memory_of_no_node(Topology& topology, MemorySize machine);

// What the configuration offers of it: the first `cores` cores (0: all), and `memory` taken from the NUMA nodes in
// proportion to their size. More than is there is refused.
Result<Topology> offer(Topology topology, std::uint32_t cores, std::optional<MemorySize> memory);

} // namespace jarvis::noded
