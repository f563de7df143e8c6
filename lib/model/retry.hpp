// --retry=3,backoff=30s..10m,on=node_fail|exit:3-5: which ends of a job make it start again, how often, and when.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/job_state.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis {

struct ExitRange {
    std::int32_t first = 0;
    std::int32_t last = 0;
    friend bool operator==(const ExitRange&, const ExitRange&) = default;
};

struct RetryRule {
    std::uint32_t times = 0; // new starts after failures; 0: none
    Duration backoff_first = std::chrono::seconds{30};
    Duration backoff_most = std::chrono::minutes{10};
    // What is retried; nothing of it set: every failure but a cancel.
    bool on_node_fail = false;
    bool on_timeout = false;
    bool on_signal = false; // the script was ended by a signal that it did not get from Jarvis
    bool on_out_of_memory = false;
    bool on_system = false; // Jarvis or the machine could not run it
    std::vector<ExitRange> exits; // of the script
    friend bool operator==(const RetryRule&, const RetryRule&) = default;
};

constexpr std::uint32_t max_retries = 1000;
constexpr std::size_t max_exit_ranges = 64;

// N[,backoff=FIRST[..MOST]][,on=CAUSE|...]; causes: node_fail, timeout, signal, out_of_memory, system, exit:N, exit:N-M.
// Without "..MOST" every wait is FIRST.
Result<RetryRule> parse_retry(std::string_view text);
// "3,backoff=30s..10m,on=node_fail|exit:3-5"; read back by parse_retry to the same.
std::string format_retry(const RetryRule& rule);

// Whether the job starts again after this end. `failed_attempts` counts the starts that failed, this one included.
bool retries(const RetryRule& rule, const JobEnd& end, std::uint32_t failed_attempts);
// How long to wait before it does: doubles from backoff_first with each failed attempt (the first is 1), up to
// backoff_most; a quarter less or more, by the job's id and the attempt, so that jobs that failed together do not come
// back together. Never above backoff_most; the same for the same arguments.
Duration retry_delay(const RetryRule& rule, JobId job, std::uint32_t failed_attempts);

} // namespace jarvis
