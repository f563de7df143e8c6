// Where the kernel puts the memory of a job's processes (set_mempolicy(2)), beyond the cpuset that bounds it.
#pragma once

#include "model/placement.hpp"
#include "model/placement_wishes.hpp"
#include "model/topology.hpp"

#include <cstdint>
#include <vector>

namespace jarvis::node {

// Numbered as in jarvis/runtime.h, which the shepherd hands to the runtime.
enum class MemoryPolicyKind : std::uint32_t {
    standard = 0,   // the kernel's default: of the NUMA node that the thread runs on, then of the next nearest
    prefer = 1,     // of these nodes as long as they have some
    bind = 2,       // of these nodes alone
    interleave = 3, // page by page from one after the other
};

struct MemoryPolicy {
    MemoryPolicyKind kind = MemoryPolicyKind::standard;
    std::vector<std::uint32_t> nodes{}; // by the kernel's numbers, ascending
    friend bool operator==(const MemoryPolicy&, const MemoryPolicy&) = default;
};

MemoryPolicy memory_policy(MemoryBinding wish, const NodePlacement& placement, const Topology& topology);

} // namespace jarvis::node
