// What a job has on this node, for its steps: cores by NUMA node, and how tasks are bound to some of them.
#pragma once

#include "base/result.hpp"
#include "model/core_set.hpp"
#include "model/topology.hpp"
#include "shepherd.pb.h"
#include "steps.pb.h"

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace jarvis::noded {

struct TaskHere {
    std::uint32_t rank = 0;
    CoreSet cores;
    wire::StepTask* task = nullptr; // is told what it is bound to
};

class StepPlace {
    uid_t owner_ = 0;
    std::string cgroup_; // empty: level none
    bool confined_ = false;
    std::vector<std::uint32_t> pus_;        // of the job; empty: bound to none
    std::vector<std::uint32_t> numa_nodes_; // ... its memory's; empty: any
    Topology topology_;                     // by whose indexes it was placed
    std::vector<CoreSet> numa_;

    void bind(wire::StepTask& task, const CoreSet& cores, wire::StepRequest::MemoryBinding memory) const;
    std::vector<std::uint32_t> near_memory(const std::vector<std::uint32_t>& pus) const;

public:
    StepPlace(const wire::LaunchOrder& order, const Topology& topology);

    uid_t owner() const { return owner_; }
    const std::string& cgroup() const { return cgroup_; }
    // Its cores by NUMA node, in order; those that are near none of them last.
    const std::vector<CoreSet>& numa() const { return numa_; }
    std::string step_group(std::uint32_t step) const; // empty: level none

    // Binds them, and makes their groups.
    Result<void> prepare(std::uint32_t step, const std::vector<TaskHere>& tasks, wire::StepRequest::CpuBinding cpu,
                         wire::StepRequest::MemoryBinding memory) const;
    // Whether a process is in the job's cgroup, or descends from its shepherd (0: there is none).
    bool is_inside(pid_t process, pid_t shepherd) const;
};

CoreSet core_set(const google::protobuf::RepeatedField<std::uint32_t>& cores);

} // namespace jarvis::noded
