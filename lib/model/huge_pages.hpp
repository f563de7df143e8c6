// The sizes of huge pages that kernels have, and what a request's wishes ask its nodes to enforce.
#pragma once

#include "model/placement_wishes.hpp"
#include "model/topology.hpp"

#include <optional>
#include <span>
#include <string>

namespace jarvis {

struct HugePageSize {
    MemorySize size;
    Capability capability;
    std::string_view in_cgroup; // hugetlb.<this>.max
    std::string_view text;      // as people write it
};

// Ascending.
std::span<const HugePageSize> huge_page_sizes();
const HugePageSize* find_huge_page_size(MemorySize size); // null: there is no such size
std::optional<Capability> capability_for(MemorySize page_size);

// Beyond the level that a partition requires: only nodes that can all of it may run the job.
Capabilities asked_of_nodes(const PlacementWishes& wishes);
// In words for people, of those that asked_of_nodes() may give: "limit huge pages of 2M, isolate cores".
std::string ability_text(Capabilities capabilities);

} // namespace jarvis
