// Which NUMA nodes of a node a demand touches: those that give cores or memory.
#pragma once

#include "sched/core_choice.hpp"

#include <compare>
#include <functional>

namespace jarvis::sched {

// How good a set of NUMA nodes is: less is better, the first that differs counts. (What the demand takes is the same for all sets.)
struct NumaQuality {
    std::uint32_t packages = 0;
    std::uint32_t numa_nodes = 0;
    std::uint64_t distance = 0;     // between each two of them, both ways
    std::uint32_t kinds = 0;        // of memory: DRAM before HBM before slow
    std::uint32_t devices_far = 0;  // of those that are asked for, how many are not near
    std::uint32_t free_cores = 0;   // so that big holes stay whole
    std::int64_t free_memory = 0;   // the same
    NumaSet set{};                  // the lowest
    friend auto operator<=>(const NumaQuality&, const NumaQuality&) = default;
};

// Up to this many NUMA nodes the search looks at every set that could be the best; of more at a bounded number of them.
constexpr std::size_t exact_numa_nodes = 16;
constexpr std::size_t most_examined = 20'000;

// The best set that holds the demand and that `accept` takes (which looks closer than counts of cores and memory do). Empty: none.
std::optional<NumaQuality> choose_numa_nodes(const NodeLayout& layout, const std::function<bool(const NumaSet&)>& accept);

NumaQuality quality_of(const NodeLayout& layout, NumaSet set);

} // namespace jarvis::sched
