// A machine that changes while its jobs run: what to watch, and how its cores keep their numbers.
#pragma once

#include "model/topology.hpp"

#include <filesystem>
#include <string>

namespace jarvis::noded {

// What changes when it is worth to look again: CPUs and NUMA nodes that are online and that we may use, the amount of memory and
// the PCI devices. Cheap: no more than some files below `root` (/) are read.
std::string machine_signature(const std::filesystem::path& root = "/");

// Placements name cores, NUMA nodes and devices by their index, so while jobs are here what is offered must keep the indexes of
// what they were placed on: `fresh` up to the first core, NUMA node or device that is not what it was in `known`. `more` cores
// are there and not offered by that.
struct Kept {
    Topology topology;
    std::uint32_t more = 0;
};
Kept keep_indexes(const Topology& known, Topology fresh);

} // namespace jarvis::noded
