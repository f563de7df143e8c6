// One look at what a running job uses on this node. It may wait for the kernel, so it is no work for the loop.
#pragma once

#include "ask.pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace jarvis::noded {

struct SampledJob {
    std::string cgroup;            // empty: it has none
    std::optional<pid_t> shepherd; // while it lives
};

// Of the job's cgroup as far as this kernel counts by cgroups, and of its processes where it does not. What cannot be told is absent,
// and the notes say why.
wire::JobSample sample_job(const SampledJob& job);

// Of one process, as the files of its /proc/<pid> say it.
struct ProcessUsage {
    std::int64_t user_us = 0;
    std::int64_t system_us = 0;
    std::int64_t major_faults = 0;
    std::int64_t anonymous = 0;
    std::int64_t shared = 0;
    std::int64_t files = 0; // mapped, and in memory
    std::int64_t threads = 0;
    std::int64_t read = 0;
    std::int64_t written = 0;
};
enum class Of : std::uint8_t {
    all,      // itself, and the children that it has waited for: what has ended is not forgotten with it
    children, // these alone: a shepherd's own work is not the job's
};
void read_process_stat(std::string_view stat, std::int64_t ticks_per_second, Of of, ProcessUsage& usage);
void read_process_status(std::string_view status, ProcessUsage& usage);
void read_process_io(std::string_view io, ProcessUsage& usage);

} // namespace jarvis::noded
