// One run: a cluster, people and faults from a seed, until everything is quiet again.
#pragma once

#include "world.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace jarvis::sim {

struct Options {
    std::uint64_t jobs = 120;
    std::uint64_t faults = 20;
    bool trace = false;
};

// Throws Broken when an invariant does not hold; else what was counted.
std::map<std::string, std::uint64_t> simulate(std::uint64_t seed, const Options& options);

} // namespace jarvis::sim
