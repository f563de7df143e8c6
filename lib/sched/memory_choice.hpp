// From which NUMA nodes the memory comes.
#pragma once

#include "sched/core_choice.hpp"

namespace jarvis::sched {

// All of the demand's memory as its binding says, ascending by NUMA node; empty: it cannot be. `set`: the NUMA nodes that were chosen;
// `split` and `cores`: what they give of cores. With --place=spread memory beyond the set is taken, too.
std::optional<std::vector<NumaShare>> choose_memory(const NodeLayout& layout, const NumaSet& set, const std::vector<CoresOfNuma>& split,
                                                    const CoreSet& cores);

} // namespace jarvis::sched
