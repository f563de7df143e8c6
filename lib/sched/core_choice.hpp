// Which cores of the NUMA nodes that were chosen: how many of each, and which ones there.
#pragma once

#include "sched/node_layout.hpp"

namespace jarvis::sched {

using NumaSet = std::vector<std::uint32_t>; // NUMA nodes, ascending: indexes into NodeLayout::parts()

struct CoresOfNuma {
    std::uint32_t numa = 0;
    std::uint32_t count = 0;
};

// The cores of the demand on a set of NUMA nodes. Closely: filled one after the other, so that few are touched (each of them at least
// once where memory has to be local), and one of them is left with the hole. Evenly, where that is asked for. Empty: it cannot be.
std::optional<std::vector<CoresOfNuma>> split_cores(const NodeLayout& layout, const NumaSet& set);

// Those cores: the fastest ones, of one kind where that is possible; in as few packages, L3 and L2 groups as possible, or evenly over the
// L3 groups with --place=spread; of the groups that do, those that leave the smallest hole; lowest first. Empty: limits of tasks forbid it.
std::optional<CoreSet> pick_cores(const NodeLayout& layout, const std::vector<CoresOfNuma>& split);

} // namespace jarvis::sched
