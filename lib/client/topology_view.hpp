// A node's topology with who holds what of it, read from a reply once for all its pictures (text, SVG, XML, JSON).
#pragma once

#include "base/result.hpp"
#include "client.pb.h"
#include "model/placement.hpp"
#include "model/topology.hpp"

#include <optional>
#include <string>
#include <vector>

namespace jarvis::client {

struct NodeHolding {
    std::string job;  // "7", "7_3"
    std::string user;
    NodePlacement placement;
};

// What holds cores, nested by inclusion: the machine holds packages, these dies, groups of cores that share a NUMA node,
// and L3 caches. What has the same cores as its package is not there: it says nothing.
struct TopologyPart {
    enum class Kind { machine, package, die, group, l3 } kind = Kind::machine;
    std::uint32_t index = 0;
    CoreSet cores;
    std::vector<std::uint32_t> numa; // NUMA nodes that are local to just these cores; of the machine also those of no cores
    std::vector<TopologyPart> children; // by their first core
};

struct NodeTopology {
    std::string name;
    std::string state;
    Topology topology;
    std::vector<NodeHolding> holdings; // by job, as the controller sorts them
    TopologyPart machine;
    std::vector<std::optional<std::size_t>> core_holder;   // index into holdings, by core
    std::vector<std::optional<std::size_t>> device_holder; // the same by device

    // What each job holds of a NUMA node, as far as it is above 0: index into holdings, bytes.
    std::vector<std::pair<std::size_t, MemorySize>> memory_holders(std::uint32_t numa) const;
    MemorySize memory_held(std::uint32_t numa) const;
    bool is_memory_only(std::uint32_t numa) const { return topology.numa_nodes[numa].cores.empty(); }
    // "4,36": the PUs of these cores.
    std::string pus_of(const CoreSet& cores) const;
    // More than one kind of core.
    bool has_kinds_of_cores() const;
};

// Fails where the reply contradicts itself, and with not_found where the node has not told its topology yet.
Result<NodeTopology> read_topology(const wire::NodeView& node);

// Cores of a part that follow each other, have one kind and one holder, in order.
struct CoreRun {
    CoreSet cores;
    std::optional<std::size_t> holder;
    std::uint32_t efficiency = 0;
};
std::vector<CoreRun> runs_of(const NodeTopology& node, const CoreSet& cores);

// "L3 3", "NUMA group 1"
std::string part_name(const TopologyPart& part);

// One renderer each. All escape what other people named.
std::string topology_text(const NodeTopology& node);
std::string topology_svg(const NodeTopology& node);
std::string topology_xml(const NodeTopology& node);                          // hwloc 2
std::string topology_json(const NodeTopology& node, std::uint64_t sequence); // jarvis.topology/1

// Text inside XML: no markup, no control characters, valid UTF-8.
std::string escape_for_xml(std::string_view text);

} // namespace jarvis::client
