// The incarnations that a group of events ended: what the accounting history is made of.
#pragma once

#include "cluster/events.hpp"

#include <memory>
#include <string>
#include <vector>

namespace jarvis::jctld {

// What of a node a job's description needs; jobs that are rendered on other threads hold on to one.
struct NodeBrief {
    std::string name;
    std::string confinement;
    std::string enforced;
};
using NodeBriefs = std::shared_ptr<const std::vector<NodeBrief>>;
NodeBriefs make_briefs(const cluster::State& state);

// A job as it is shown or recorded. A line of an array may stand for tasks that are no jobs of their own.
struct ShownJob {
    cluster::JobPtr job;
    std::shared_ptr<const IndexSet> tasks = {}; // at most the first thousand ranges of them
    std::uint64_t task_count = 0;               // of all of them

    ShownJob() = default;
    ShownJob(cluster::JobPtr shown) : job(std::move(shown)) {}
    ShownJob(cluster::JobPtr shown, const IndexSet& of_tasks);
};

struct EndedJobs {
    SequenceNumber sequence;
    std::vector<ShownJob> jobs; // as they ended; a requeued one as its incarnation did
    NodeBriefs nodes;
};
// The same for whoever waits for an end: jobs and tasks, and tasks of arrays that ended without having been jobs.
struct EndedIds {
    std::vector<JobId> jobs;
    std::vector<std::pair<std::uint64_t, IndexSet>> tasks;
    bool empty() const { return jobs.empty() && tasks.empty(); }
};

// Looks on while a group is applied, event by event.
class EndedCollector {
    std::vector<ShownJob> jobs_;
    EndedIds ids_;

public:
    void before(const cluster::State& state, const cluster::Event& event, Instant at);
    void after(const cluster::State& state, const cluster::Event& event);
    // For the accounting history: without the records of arrays, whose tasks are in it.
    std::vector<ShownJob> take() { return std::move(jobs_); }
    EndedIds take_ids() { return std::move(ids_); }
};

} // namespace jarvis::jctld
