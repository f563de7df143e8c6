// The feed of events as people read it: one line for each event.
#pragma once

#include "client.pb.h"

#include <string>

namespace jarvis::client {

// "2026-11-27T14:00:00  12  JobStarted     job 7  nodes=n1 cores=2  [scheduling]"
std::string event_lines(const wire::EventGroupView& group);

} // namespace jarvis::client
