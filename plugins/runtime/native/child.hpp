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
    execute,
    cpu_promise,   // it may not run on exactly the CPUs that it was promised
    memory_promise, // nor have memory of exactly the NUMA nodes
    memory_policy
};

// A set of CPUs or NUMA nodes, as the kernel has them.
struct Set {
    static constexpr std::size_t word_bits = 8 * sizeof(unsigned long);
    // More than any kernel knows of either (MAXSMP: 8192 CPUs).
    static constexpr std::size_t words = 8192 / word_bits;
    unsigned long bits[words] = {};

    Set() = default;
    // A number that no kernel has cannot be promised; it is left to the system calls to refuse it.
    Set(const std::uint32_t* numbers, std::uint32_t count)
    {
        for (std::uint32_t i = 0; i < count; ++i)
            if (numbers[i] / word_bits < words)
                bits[numbers[i] / word_bits] |= 1ul << (numbers[i] % word_bits);
    }
    bool has(unsigned number) const { return number / word_bits < words && (bits[number / word_bits] >> (number % word_bits) & 1); }
};

struct Failure {
    Step step = Step::none;
    int error_number = 0;
    int detail = 0; // of a limit: its RLIMIT_ number
    Set found;      // of a promise: what it got instead
};

// Made by the parent, complete, before the clone.
struct Child {
    const jarvis_launch* launch = nullptr;
    const void* affinity = nullptr; // CPU mask for sched_setaffinity(2)
    std::size_t affinity_size = 0;  // 0: leave it
    const Set* cpus = nullptr;      // promised: checked; null: not
    const Set* numa_nodes = nullptr;
    const Set* policy_nodes = nullptr; // of launch->memory_policy; null: it stays as it is
    bool join_cgroup = false;       // the clone did not put us there
    Failure* failure = nullptr;     // in memory that the parent sees
};

// Never returns: executes the program, or writes down why not and exits. It runs in the parent's memory while the parent
// is suspended, so it allocates nothing, takes no lock and leaves nothing changed but *failure.
[[noreturn]] int run_child(void* child);

} // namespace native
