// What the node daemon counts.
#pragma once

#include "daemon/metrics.hpp"
#include "node/node_core.hpp"

#include <array>

namespace jarvis::noded {

class NodeMetrics {
    daemon::Metrics registry_; // first: the others are in it
    std::array<daemon::Metric*, 4> jobs_; // by node::Phase

public:
    NodeMetrics();
    const daemon::Metrics& registry() const { return registry_; }

    daemon::Metric &starts, &ends, &failures;
    daemon::Metric &connected, &connections;
    daemon::Metric &from_controller, &to_controller;

    // What the core is told of ends.
    void note(const node::Input& input);
    // Jobs by phase: a node has as many as it has cores, so they are counted after each step.
    void count(const node::State& core);
};

} // namespace jarvis::noded
