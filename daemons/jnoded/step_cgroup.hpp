// The cgroups of a step, below those of its job (stable):
//
//     job_<id>/step_<n>              of a single task: it is in there
//     job_<id>/step_<n>/task_<rank>  of several
//
// jrun starts a task inside its group (clone3 with CLONE_INTO_CGROUP), so nothing is moved. For that the job's owner may write
// `cgroup.procs` of job_<id> and of these groups, and nothing else in them: with it they can move processes of the job between the
// job's own groups, and neither into nor out of it.
#pragma once

#include "base/result.hpp"
#include "common.pb.h"

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace jarvis::noded {

struct TaskGroup {
    std::uint32_t rank = 0;
    std::string cpus; // as the kernel writes lists; empty: those of the job
    std::string mems;
};

// Makes them, owned by nobody but for what is said above, and returns the step's. What is there already is used.
Result<std::string> make_step_groups(const std::string& job_group, std::uint32_t step, const std::vector<TaskGroup>& tasks,
                                     uid_t owner);
// What its processes have used so far, where the kernel says so.
void add_step_usage(const std::string& group, wire::Usage& usage);
// False: something lives in it. One that is not there is removed.
bool remove_step_groups(const std::string& group);

} // namespace jarvis::noded
