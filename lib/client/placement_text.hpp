// Placement in words: how a job wanted to lie on its nodes, and what it has of each.
#pragma once

#include "client.pb.h"

#include <string>
#include <string_view>

namespace jarvis::client {

// "close, local memory, 2 gpu (a100), whole NUMA nodes"
std::string wishes_text(const wire::PlacementWishes& wishes);

// "cores 0-3, PUs 0-7, memory 4G of NUMA node 0, 2G of NUMA node 1, gpu 0000:41:00.0"
std::string placement_text(const wire::JobNode& node);

// Words of enumerations, as options and JSON spell them; "unknown" for what a newer controller may know.
std::string_view place_word(std::uint32_t place);
std::string_view memory_binding_word(std::uint32_t binding);
std::string_view alone_on_word(std::uint32_t level);
std::string_view distribution_word(std::uint32_t distribution);

} // namespace jarvis::client
