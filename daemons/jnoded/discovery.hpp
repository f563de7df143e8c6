// What a machine has that we may use, by hwloc.
#pragma once

#include "base/memory_size.hpp"
#include "base/result.hpp"
#include "model/topology.hpp"

#include <optional>
#include <string>
#include <vector>

namespace jarvis::noded {

struct Discovery {
    Topology topology;
    bool this_machine = true;       // false: of a file or description; its cores stand for none of ours
    std::vector<std::string> notes; // for people who look at the node
};
// Cores, NUMA nodes and devices in hwloc's logical order, without what our cpuset or affinity keeps from us; or what a source
// says, or those CPUs of this machine (load_topology()). Takes some milliseconds to a second; HWLOC_XMLFILE and HWLOC_SYNTHETIC work as hwloc documents them.
Result<Discovery> discover_topology(const std::string& source = {}, const std::string& cpus = {});

// Where the kernel counts memory to no NUMA node (some hot-added memory of virtual machines): with one NUMA node that memory
// is its own, since there is no other; with several nobody knows whose it is, and the returned note says how much that is.
std::optional<std::string> count_memory_of_no_node(Topology& topology, MemorySize machine);

} // namespace jarvis::noded
