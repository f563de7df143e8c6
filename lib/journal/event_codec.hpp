// One event as a message, and back.
#pragma once

#include "base/result.hpp"
#include "cluster/events.hpp"
#include "journal.pb.h"

namespace jarvis::journal {

void encode_event(const cluster::Event& event, Event& message);
Result<cluster::Event> decode_event(const Event& message);

} // namespace jarvis::journal
