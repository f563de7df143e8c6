// Nodes as lines of a table: jnodes.
#pragma once

#include "client.pb.h"
#include "client/table.hpp"

namespace jarvis::client {

Table node_table(const wire::NodeList& nodes);

} // namespace jarvis::client
