// Whether jobs of this node have a /dev/shm of their own (lib/shm).
#pragma once

#include "base/result.hpp"
#include "model/topology.hpp"

#include <string>
#include <vector>

namespace jarvis::noded {

struct ShmChoice {
    bool given = false;
    std::string problem; // why it cannot be had, although it should be; empty: that is as wanted
};

// `setting` is jnoded.private_shm, `needed` what jobs have to find where it is on the machine: a folder in /dev/shm would be hidden.
// `possible` is asked only where it matters.
ShmChoice choose_shm(const std::string& setting, Confinement level, const std::vector<std::string>& needed,
                     Result<void> (*possible)());

} // namespace jarvis::noded
