// What happens between the clone and the exec of a job's process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <jarvis/runtime.h>

namespace native {

// What the child was doing when it failed.
enum class Step : int {
    none,
    create, // the parent's: no process could be made
    cgroup,
    session,
    limit,
    affinity,
    identity,
    directory,
    input,
    output,
    error,
    descriptors,
    execute
};

struct Failure {
    Step step = Step::none;
    int error_number = 0;
    int detail = 0; // of a limit: its RLIMIT_ number
};

// Made by the parent, complete, before the clone.
struct Child {
    const jarvis_launch* launch = nullptr;
    const void* affinity = nullptr; // CPU mask for sched_setaffinity(2)
    std::size_t affinity_size = 0;  // 0: leave it
    bool join_cgroup = false;       // the clone did not put us there
    Failure* failure = nullptr;     // in memory that the parent sees
};

// Never returns: executes the program, or writes down why not and exits. It runs in the parent's memory while the parent
// is suspended, so it allocates nothing, takes no lock and leaves nothing changed but *failure.
[[noreturn]] int run_child(void* child);

} // namespace native
