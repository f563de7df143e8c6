// Replies as a controller would give them, for the golden files.
#pragma once

#include "client/session.hpp"

namespace jarvis::client {

// 2026-11-21 08:00:00 UTC
constexpr WallTime sample_now{std::chrono::seconds(1'795'248'000)};

Jobs sample_queue();   // summaries in all states, one with names that would upset a terminal
Jobs sample_details(); // a running, a pending and an ended job in full
wire::NodeList sample_nodes();
wire::ChangeReply sample_changes();

} // namespace jarvis::client
