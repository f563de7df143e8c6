// Events as messages for those who read the feed: a name, the job and the node that it is about, its cause, and what else it
// says as named values. Pure.
#pragma once

#include "client.pb.h"
#include "cluster/events.hpp"
#include "ended_jobs.hpp"

namespace jarvis::jctld {

wire::EventGroupView event_group_view(const cluster::EventGroup& group, Duration wall_offset, const std::vector<NodeBrief>& nodes);

} // namespace jarvis::jctld
