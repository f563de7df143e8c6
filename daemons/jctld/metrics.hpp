// What the controller counts. Each number is written by the thread whose work it counts, and read by a scrape alone.
#pragma once

#include "base/result.hpp"
#include "client.pb.h"
#include "daemon/metrics.hpp"

#include <map>

namespace jarvis::jctld {

class ControllerMetrics {
    daemon::Metrics registry_; // first: the others are in it

public:
    using ByName = std::map<std::string, daemon::Metric*, std::less<>>;

    ControllerMetrics();
    const daemon::Metrics& registry() const { return registry_; }

    // The replica's thread, from the events (event_counter.hpp).
    ByName jobs, job_ends; // by state
    daemon::Metric &submits, &starts, &requeues;
    ByName nodes; // by state
    daemon::Metric &events, &groups, &sequence;

    // The journal's thread.
    daemon::Metric &appends, &failed_appends, &append_time;

    // The front's loop.
    daemon::Metric& request(wire::Request::BodyCase kind);
    daemon::Metric& refused(Errc code);
    daemon::Metric &clients, &node_connections, &opened;
    daemon::Metric &from_nodes, &to_nodes;

private:
    ByName requests_, refused_;
};

} // namespace jarvis::jctld
