// Job ids as people type them: a job "7", a task "7_3" or "7[3]", some tasks of an array "7_[1-4,9]".
#pragma once

#include "base/ids.hpp"
#include "base/index_set.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jarvis {

// "7", "7_3", "7[3]": one job or one task.
Result<JobId> parse_job_id(std::string_view text);

// A job, or some tasks of an array.
struct JobSelection {
    std::uint64_t job = 0;
    std::optional<IndexSet> tasks; // nothing: the whole job or array
    friend bool operator==(const JobSelection&, const JobSelection&) = default;
};

// "7_[1-4,9]", "7[1-4]", "7_3", "7".
Result<JobSelection> parse_job_selection(std::string_view text);
// "7", "7_3" for one task, else "7_[1-4,9]".
std::string format(const JobSelection& selection);

} // namespace jarvis
