// What a node can enforce beyond the files that each group of a controller has: tried in a group that is made for that and removed.
#pragma once

#include "model/topology.hpp"

#include <string>
#include <vector>

namespace jarvis::noded {

// Below `jobs_path`, when the controllers have been handed on. Adds to what is known, and says what every node is expected to have
// and this one has not.
void try_further(const std::string& jobs_path, Capabilities& capabilities, std::vector<std::string>& problems);

// The CPUs of a cgroup that somebody made a partition root, in which this daemon need not be itself. Empty: it is none.
std::string cpus_of_partition(const std::string& group);

} // namespace jarvis::noded
