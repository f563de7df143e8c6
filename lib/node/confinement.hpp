// What a job's cgroup is told: from the cores and memory that the job was given to the files of cgroup v2.
#pragma once

#include "base/memory_size.hpp"
#include "model/job_request.hpp"
#include "model/placement.hpp"
#include "model/topology.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace jarvis::node {

// One file of a cgroup, and what is written to it.
struct CgroupValue {
    std::string file;
    std::string value;
    bool optional = false; // some kernels have no such file, and that is fine

    friend bool operator==(const CgroupValue&, const CgroupValue&) = default;
};

struct ConfinementSettings {
    Capabilities capabilities;           // what cannot be enforced is not written
    std::uint32_t max_processes = 16384; // and threads, of a job; 0: no limit
};

// The memory that a job may use: that of the NUMA nodes it has shares of; where memory is not counted, that of the nodes
// of its cores. By the kernel's numbers, ascending.
std::vector<std::uint32_t> memory_nodes(const NodePlacement& placement, const Topology& topology);

// Of job_<id>. `pus` are what the job is bound to, `nodes` its memory_nodes(); cores that are only counted have neither.
// Of the request counts what it says of its group (its wishes, continue_after_oom), not how much it asked for.
std::vector<CgroupValue> job_limits(const NodePlacement& placement, const std::vector<std::uint32_t>& pus,
                                    const std::vector<std::uint32_t>& nodes, const JobRequest& request,
                                    const ConfinementSettings& settings);

// Of all jobs together, so that what is not offered is left to the system. `bound`: cores stand for real ones.
std::vector<CgroupValue> share_of_all_jobs(const Topology& offered, bool bound, Capabilities capabilities);

// The memory.high that goes with a memory.max.
MemorySize high_mark(MemorySize max);

} // namespace jarvis::node
