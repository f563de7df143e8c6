// Where a job is in its life, and how it ended. Names and short names are those that people type and read.
#pragma once

#include "base/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jarvis {

// Stored in the journal by number: never renumber.
enum class JobState : std::uint8_t {
    pending = 1,
    running = 2,
    suspended = 3,
    completing = 4, // ordered to end; its processes are being ended
    completed = 5,
    failed = 6,
    cancelled = 7,
    timeout = 8,
    out_of_memory = 9,
    node_fail = 10,
    preempted = 11,
};

inline constexpr std::array all_job_states{
    JobState::pending,   JobState::running, JobState::suspended,     JobState::completing, JobState::completed, JobState::failed,
    JobState::cancelled, JobState::timeout, JobState::out_of_memory, JobState::node_fail,  JobState::preempted};

std::string_view name(JobState state);       // "OUT_OF_MEMORY"
std::string_view short_name(JobState state); // "OOM"
// Takes both names in either case; unknown ones fail, naming the nearest.
Result<JobState> parse_job_state(std::string_view text);

// True for the states that a job never leaves (a requeue makes it PENDING before it gets there).
constexpr bool is_final(JobState state) { return state >= JobState::completed; }
constexpr bool holds_resources(JobState state)
{
    return state == JobState::running || state == JobState::suspended || state == JobState::completing;
}

// Who has to act on an end. Stored by number: never renumber.
enum class EndClass : std::uint8_t {
    none = 0,      // it went well
    user = 1,      // the script, its owner or a cancel
    resources = 2, // a limit that the job was given: time, memory
    node = 3,      // the node went away
    system = 4,    // Jarvis or the machine could not run it
};
std::string_view name(EndClass end_class);

// How a job (one incarnation of it) ended.
struct JobEnd {
    JobState state = JobState::completed; // final
    EndClass end_class = EndClass::none;
    std::optional<std::int32_t> exit_code; // of the script, when it exited
    std::int32_t signal = 0;               // that ended the script, else 0
    std::string cause;                     // in words, as people read it: "cancelled by alice", "time limit of 1h reached"

    friend bool operator==(const JobEnd&, const JobEnd&) = default;
};

} // namespace jarvis
