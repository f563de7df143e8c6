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

// How it is offered. Virtual cores stand for no core of the machine: they are counted, and jobs are not bound to any.
enum class OfferAs : std::uint8_t { real_cores, virtual_cores, nothing };
struct Offer {
    Topology topology;
    bool bound = true;              // jobs are bound to the cores that they have
    std::vector<std::string> notes; // for people who look at the node
};
// What the configuration offers of it: the first `cores` cores (0: all), and `memory` taken from the NUMA nodes in
// proportion to their size. Where it states more cores than there are, all are virtual.
Offer offer(Topology topology, std::uint32_t cores, std::optional<MemorySize> memory, OfferAs as = OfferAs::real_cores);

} // namespace jarvis::noded
