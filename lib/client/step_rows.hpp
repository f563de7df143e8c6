// Jobs as lines of a table, each followed by its steps, as "7.0".
#pragma once

#include "client/job_table.hpp"
#include "model/job_state.hpp"

#include <deque>

namespace jarvis::client {

class StepRows {
    std::deque<wire::JobSummary> summaries_; // of steps; the rows point to them
    std::vector<JobRow> rows_;

public:
    // `jobs` stays where it is.
    explicit StepRows(const Jobs& jobs);
    std::span<const JobRow> rows() const { return rows_; }
};

// How a step ended, as a job's state: a cause is there when it did not end by itself.
JobState state_of(const wire::StepEnd& step);

} // namespace jarvis::client
