// A topology as text for people: a line for each run of cores that are alike, each NUMA node and each device.
#pragma once

#include "model/topology.hpp"

#include <string>

namespace jarvis::test {

std::string topology_text(const Topology& topology);

} // namespace jarvis::test
