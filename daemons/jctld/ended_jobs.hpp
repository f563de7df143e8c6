// The incarnations and steps that a group of events ended: what the accounting history is made of.
#pragma once

#include "base/interned.hpp"
#include "cluster/events.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace jarvis::jctld {

// What placements count by index, as people and programs on the node know it.
struct NodeParts {
    std::vector<std::uint32_t> pus;     // of all cores, core by core
    std::vector<std::uint32_t> pus_end; // where those of each core end
    std::vector<Device> devices;
    friend bool operator==(const NodeParts&, const NodeParts&) = default;
};
struct HashParts {
    std::uint64_t operator()(const NodeParts& parts) const noexcept;
};

// What of a node a job's description needs; jobs that are rendered on other threads hold on to one.
struct NodeBrief {
    std::string name;
    std::string confinement;
    std::string enforced;
    Interned<NodeParts, HashParts> parts; // most nodes of a cluster are alike
};
using NodeBriefs = std::shared_ptr<const std::vector<NodeBrief>>;
// With briefs of an earlier state and the nodes that have registered since, only the parts of these are made anew.
NodeBriefs make_briefs(const cluster::State& state, const NodeBriefs& earlier = {}, const std::set<NodeId>& registered = {});

// A job as it is shown or recorded. A line of an array may stand for tasks that are no jobs of their own.
struct ShownJob {
    cluster::JobPtr job;
    std::shared_ptr<const IndexSet> tasks = {}; // at most the first thousand ranges of them
    std::uint64_t task_count = 0;               // of all of them

    ShownJob() = default;
    ShownJob(cluster::JobPtr shown) : job(std::move(shown)) {}
    ShownJob(cluster::JobPtr shown, const IndexSet& of_tasks);
};

// Steps of one incarnation that a group brought.
struct EndedSteps {
    JobId job;
    Incarnation incarnation;
    std::uint64_t first = 1; // number of the first of them
    std::vector<StepEnd> steps;
};

struct EndedJobs {
    SequenceNumber sequence;
    std::vector<ShownJob> jobs; // as they ended; a requeued one as its incarnation did
    std::vector<EndedSteps> steps;
    NodeBriefs nodes;
    bool empty() const { return jobs.empty() && steps.empty(); }
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
    std::vector<EndedSteps> steps_;
    EndedIds ids_;

public:
    void before(const cluster::State& state, const cluster::Event& event, Instant at);
    void after(const cluster::State& state, const cluster::Event& event);
    // For the accounting history: without the records of arrays, whose tasks are in it.
    EndedJobs take(SequenceNumber sequence) { return {sequence, std::move(jobs_), std::move(steps_), {}}; }
    EndedIds take_ids() { return std::move(ids_); }
};

} // namespace jarvis::jctld
