// Questions that the controller hands on to nodes (AskNodes).
#pragma once

#include "client.pb.h"
#include "client/session.hpp"

#include <span>
#include <string>

namespace jarvis::client {

// What a running job uses now, of each of its nodes.
Result<wire::NodeAnswers> ask_usage(Session& session, const wire::JobSummary& job);
// What these nodes can enforce.
Result<wire::NodeAnswers> ask_check(Session& session, std::span<const std::string> nodes);

} // namespace jarvis::client
