// What this machine has that we may use, by hwloc.
#pragma once

#include "base/memory_size.hpp"
#include "base/result.hpp"
#include "model/topology.hpp"

#include <cstdint>
#include <optional>

namespace jarvis::noded {

// Cores and NUMA nodes in hwloc's logical order, without what our cpuset or affinity keeps from us. Takes some
// milliseconds to a second; HWLOC_XMLFILE and HWLOC_SYNTHETIC work as hwloc documents them.
Result<Topology> discover_topology();

// What the configuration offers of it: the first `cores` cores (0: all), and `memory` taken from the NUMA nodes in
// proportion to their size. More than is there is refused.
Result<Topology> offer(Topology topology, std::uint32_t cores, std::optional<MemorySize> memory);

} // namespace jarvis::noded
