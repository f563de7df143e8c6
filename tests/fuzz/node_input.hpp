// Messages of a controller to a node, and records of a node's run-time folder, as an input decides: sense and nonsense about a few jobs.
#pragma once

#include "draw.hpp"
#include "node.pb.h"
#include "node/node_core.hpp"
#include "shepherd.pb.h"

namespace jarvis::fuzz {

node::JobKey some_key(Draw& draw);

// Any message but those of the relay. Now and then it is bytes that happen to be a message.
wire::ToNode some_order(Draw& draw, const node::State& state);

wire::ExitRecord some_exit(Draw& draw, const node::JobKey& key);

} // namespace jarvis::fuzz
