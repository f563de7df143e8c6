// How one incarnation of a job is judged to have ended: the facts that its shepherd left, seen with the stop that the
// node itself had ordered.
#pragma once

#include "base/time.hpp"
#include "model/job_state.hpp"
#include "model/usage.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace jarvis::node {

// Whose fault it is that a script never ran.
enum class LaunchFault : std::uint8_t {
    none = 0,
    user = 1,   // a path or script of the job's own
    system = 2, // Jarvis or the machine
    node = 3,   // this node cannot confine the job to what it was promised: the job runs elsewhere, and the node is drained
};

// What the exit record says, or why there was nothing to run.
struct ExitFacts {
    std::optional<std::int32_t> wait_status; // of the script's process, as waitpid(2) gives it; absent: it never ran
    std::string launch_error;                // why not
    LaunchFault launch_fault = LaunchFault::none;
    std::string out_of_memory{}; // not empty: the kernel killed some of it for want of memory, in words
    std::string unfit{};         // not empty: this node did not keep its promise while the job ran, and should get no more jobs
    Usage usage;
    // False: the exit record was there before the first signal of a stop was sent, so the stop ended nothing.
    bool stop_reached = true;

    friend bool operator==(const ExitFacts&, const ExitFacts&) = default;
};

// An ordered end: what it is for, and when SIGTERM gives way to SIGKILL.
struct Stop {
    JobState verdict = JobState::cancelled; // or timeout; completed: to a member, when the job's script has ended
    std::string cause;                      // "cancelled by alice", "time limit of 1h reached"
    Instant kill_at{};

    friend bool operator==(const Stop&, const Stop&) = default;
};

// A stop decides how the end is called as soon as a signal of it was sent, whatever the script made of that signal (its
// exit code or signal is kept beside the verdict). A script that was already over when the stop came is judged by its own
// exit: 0 is COMPLETED, another code or a signal FAILED. One of whose processes the kernel killed for want of memory is
// OUT_OF_MEMORY, also when its script went on to exit with 0: what it left is not to be trusted.
JobEnd judge_exit(const ExitFacts& facts, const std::optional<Stop>& stop);

// Of a member: there is no script whose end could say more than the stop does.
JobEnd judge_member(const ExitFacts& facts, const std::optional<Stop>& stop);

// The shepherd is gone and left no exit record: nobody knows how the script ended.
JobEnd judge_lost_shepherd(const std::optional<Stop>& stop);

// The machine was started anew while the job ran. The controller decides whether it is requeued.
JobEnd judge_reboot();

// "9 (KILL)"
std::string describe_signal(int signal);

} // namespace jarvis::node
