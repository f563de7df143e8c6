// One task of a step: a process that is bound, and in its cgroup, before it executes.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

namespace jarvis::client {

// What was changed in this process for its own sake, and what tasks get back.
struct OwnState {
    sigset_t signals{};
    rlimit files{};
};

struct TaskStart {
    const char* program = nullptr;
    char* const* arguments = nullptr;
    std::vector<std::string> environment; // complete
    std::string cgroup;                   // absolute; empty: none
    std::vector<std::uint32_t> pus;       // empty: bound to none
    std::vector<std::uint32_t> numa_nodes; // empty: memory as it comes
    bool interleave = false;
    int input = 0, output = 1, error = 2;
    int barrier[2] = {-1, -1}; // a pipe: it executes once it has read a byte, and ends if there never is one
};

// The child is a process group of its own.
Result<pid_t> start_task(const TaskStart& start, const OwnState& own);

// In clock ticks since the boot; 0 where /proc does not say.
std::uint64_t start_time_of(pid_t pid);

// As execvp(3) would find it; the failure says what is wrong and has the code not_found or denied.
Result<std::string> find_program(const std::string& name, const char* path);

} // namespace jarvis::client
