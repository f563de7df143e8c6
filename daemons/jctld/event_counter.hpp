// A follower that counts: jobs and nodes by state, starts and ends. It is told each event as the replica applies it, and what
// it does costs what the event touches, however many jobs there are.
#pragma once

#include "cluster/events.hpp"
#include "metrics.hpp"

#include <set>

namespace jarvis::jctld {

class EventCounter {
    ControllerMetrics& metrics_;
    std::optional<JobState> job_before_;
    std::set<NodeId> touched_; // nodes whose state may be another one after this group
    bool all_nodes_ = false;
    std::vector<daemon::Metric*> node_counted_; // where each node is counted; null: it is not declared

    void touch_nodes_of(const cluster::State& state, JobId job);
    void count_node(const cluster::Node& node);

public:
    // `initial` is what the recovery gave; nothing is looked through after that.
    EventCounter(ControllerMetrics& metrics, const cluster::State& initial);
    // Around the application of each event, and after those of a group.
    void before(const cluster::State& state, const cluster::Event& event);
    void after(const cluster::State& state, const cluster::Event& event);
    void after_group(const cluster::State& state, const cluster::EventGroup& group);
};

} // namespace jarvis::jctld
