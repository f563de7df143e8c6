// Commands to the controller's core as an input decides: sense and nonsense about jobs and nodes that exist, and about some that
// do not.
#pragma once

#include "cluster/commands.hpp"
#include "draw.hpp"

namespace jarvis::fuzz {

// Of a cluster of up to five nodes and some that may join a class, in two partitions.
cluster::Settings some_settings(Draw& draw);

cluster::Registration some_machine(Draw& draw);

// What a client sends in a Submit, before anything of it was checked.
JobRequest some_request(Draw& draw, const cluster::State& state);

// Any command but those by which a cluster and its controller start. A submit is made as the controller makes it: a request that it
// refuses before the core sees it becomes none.
std::optional<cluster::Command> some_command(Draw& draw, const cluster::State& state, cluster::Token token, Instant now);

} // namespace jarvis::fuzz
