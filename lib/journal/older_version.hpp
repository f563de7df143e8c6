// The way down: whether a version before this one could go on from a state, and what it would lose of it. It is found out
// from the bytes that a snapshot of the state has, so nothing that is stored is forgotten here.
#pragma once

#include "base/result.hpp"
#include "cluster/state.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace jarvis::journal {

// The versions before this one whose snapshots this one can write: "0.1".
std::vector<std::string_view> older_versions();

struct Fitness {
    // What it could not read or would not keep to: "job 7: an array". At most a handful, and the count of them all.
    std::vector<std::string> obstacles;
    std::uint64_t obstacle_count = 0;
    // What it passes over without harm to any job: "a reason why a node is down".
    std::vector<std::string> losses;
};
// Fails (not_found) for a version that is none of the above.
Result<Fitness> fitness_for(const cluster::StoredState& state, std::string_view version);

} // namespace jarvis::journal
