// jadmin node check: what nodes can enforce, and what it takes to enforce the rest.
#pragma once

#include "client/command_line.hpp"

namespace jarvis {

int run_node(const client::Program& program, const client::CommandLine& line);

} // namespace jarvis
