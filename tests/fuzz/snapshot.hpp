// Snapshots in one piece, for targets that store states and read them.
#pragma once

#include "base/result.hpp"
#include "cluster/state.hpp"

#include <string>
#include <string_view>

namespace jarvis::fuzz {

// Its pieces, put together.
std::string snapshot_of(const cluster::State& state);
Result<cluster::State> read_snapshot(std::string_view bytes, std::size_t piece);
// All that is stored of the state comes back. What is derived need not: where two jobs hold one core, it is free as soon as one
// of them ends, or when both have.
void check_stored_form(const cluster::State& state);

} // namespace jarvis::fuzz
