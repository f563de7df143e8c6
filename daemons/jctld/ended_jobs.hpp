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

struct EndedJobs {
    SequenceNumber sequence;
    std::vector<cluster::JobPtr> jobs; // as they ended; a requeued one with NODE_FAIL as its state
    NodeBriefs nodes;
};

// Looks on while a group is applied, event by event.
class EndedCollector {
    std::vector<cluster::JobPtr> jobs_;

public:
    void before(const cluster::State& state, const cluster::Event& event, Instant at);
    void after(const cluster::State& state, const cluster::Event& event);
    std::vector<cluster::JobPtr> take() { return std::move(jobs_); }
};

} // namespace jarvis::jctld
