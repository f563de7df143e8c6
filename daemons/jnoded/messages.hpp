// Between the node core's values and what goes over sockets and into the run-time folder.
#pragma once

#include "model/topology.hpp"
#include "node.pb.h"
#include "node/launch_plan.hpp"
#include "node/node_core.hpp"
#include "shepherd.pb.h"

#include <string>
#include <vector>

namespace jarvis::noded {

// What a Register says besides the report.
struct Registration {
    std::string name;
    std::string boot_id;
    std::string instance;
    Topology topology;
    Capabilities capabilities;
    std::vector<std::string> notes;
};

wire::FromNode message_from(const node::Send& send, const Registration& registration);

// A Welcome or an order. A start that cannot be carried out as it stands comes back with its `defect`, so that the job ends
// with that reason; anything else that makes no sense is a failure.
Result<node::Input> input_from(const wire::ToNode& message);

wire::LaunchOrder order_from(const node::LaunchPlan& plan, const node::Launch& launch, const std::string& boot_id);

// Without `as` and `facts`, which the order does not tell.
Result<node::RecoveredJob> recovered_from(const wire::LaunchOrder& order);
Result<node::ExitFacts> facts_from(const wire::ExitRecord& record);

wire::StopRecord record_from(const node::Stop& stop);
wire::SuspensionRecord record_from(const node::Suspensions& suspensions);
Result<node::Suspensions> suspensions_from(const wire::SuspensionRecord& record);
Result<node::Stop> stop_from(const wire::StopRecord& record);

} // namespace jarvis::noded
