// One run: a cluster, people and faults from a seed, until everything is quiet again.
#pragma once

#include "coverage.hpp"
#include "world.hpp"

#include <cstdint>
#include <set>

namespace jarvis::sim {

struct Options {
    std::uint64_t jobs = 140; // submits; with the tasks of arrays more than 200 jobs
    std::uint64_t faults = 24;
    std::set<std::uint64_t> without_jobs{}, without_faults{}; // of those, by number from 0: left out
    bool trace = false;
};

// Throws Broken when an invariant does not hold; else what was counted.
Counts simulate(std::uint64_t seed, const Options& options);

} // namespace jarvis::sim
