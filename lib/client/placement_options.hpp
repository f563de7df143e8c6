// The options of jsub about placement: how a job lies on the cores, memory and devices of its nodes.
#pragma once

#include "client/submit_options.hpp"

namespace jarvis::client {

// A part of submit_option_table().
std::span<const SubmitOption> placement_option_table();

// What no option can see by itself: wishes that contradict each other, with what to do.
Result<void> check_placement(const ResourceRequest& resources);

// Takes --exclusive back, at whatever level.
void share_nodes(ResourceRequest& resources);

} // namespace jarvis::client
