// What becomes of the tasks of a job array. Until a task starts (or is held or requeued by itself) it is no job of its own, only
// an index in `waiting`, so that a million of them are one range. This is kept beside the array's Job, which would be copied
// whenever a task changes.
#pragma once

#include "base/index_set.hpp"
#include "base/time.hpp"
#include "model/job_state.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace jarvis::cluster {

// Tasks that ended together without having been jobs of their own: cancelled while they waited.
struct UnstartedEnd {
    IndexSet tasks;
    JobEnd end;
    Instant at;
    WallTime wall;
    friend bool operator==(const UnstartedEnd&, const UnstartedEnd&) = default;
};

// What is known of one `aftercorr`: which tasks of this array its other array lets go, and which never.
struct CorrTasks {
    IndexSet ok, never;
    friend bool operator==(const CorrTasks&, const CorrTasks&) = default;
};

struct ArrayProgress {
    IndexSet waiting;                      // pending, and no jobs of their own yet
    IndexSet succeeded, failed, cancelled; // ended; kept when their jobs are forgotten
    std::vector<UnstartedEnd> unstarted;   // those of the ended that never were jobs; a bounded number of entries
    std::int32_t highest_exit = 0;         // of the tasks that failed
    std::optional<Instant> first_start;
    std::map<std::uint32_t, CorrTasks> corr; // by the dependency's index; empty without aftercorr

    // Derived from the above and from the tasks' jobs.
    IndexSet ready;            // jobs of their own that could start as far as they themselves are concerned
    IndexSet released;         // with aftercorr: those of `waiting` that the other arrays let go
    std::uint64_t known = 0;   // tasks that are jobs in State::jobs
    std::uint64_t unended = 0; // of those
    std::uint64_t holding = 0; // of those: holding resources
    bool queued = false;       // the array's key stands in its partition's queue

    bool done() const { return waiting.empty() && unended == 0; }
    friend bool operator==(const ArrayProgress&, const ArrayProgress&) = default;
};

// The indexes of `few` that are in `many` too: costs as many look-ups in `many` as `few` has ranges, and the result.
IndexSet common(const IndexSet& few, const IndexSet& many);

} // namespace jarvis::cluster
