// A step: tasks that `jrun` started together inside a job. What is kept of one that has ended.
#pragma once

#include "base/time.hpp"
#include "model/usage.hpp"

#include <cstdint>
#include <string>

namespace jarvis {

struct StepEnd {
    std::uint32_t step = 0;  // number within the job's incarnation, from 0
    std::string name;        // last part of the program's path, or what --job-name said
    std::string node_list;   // nodes that ran tasks of it, compressed
    std::uint32_t node_count = 1;
    std::uint32_t tasks = 1;
    std::uint32_t cores = 0; // that it held on all of them
    WallTime started{};      // by the clock of the job's first node
    WallTime ended{};
    std::int32_t exit_code = 0; // the highest of all tasks
    std::int32_t signal = 0;    // that ended the first task that a signal ended, else 0
    std::string cause;          // in words, where the step did not end by itself: "cancelled by its caller"
    Usage usage;                // of all its tasks; memory_peak is the highest sum on one node

    friend bool operator==(const StepEnd&, const StepEnd&) = default;
};

} // namespace jarvis
