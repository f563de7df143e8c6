// jacct: the accounting history merged with what the replica knows.
#pragma once

#include "front.hpp"

namespace jarvis::jctld {

// The replies to a QueryHistory, in order.
asio::awaitable<Result<std::vector<wire::Reply>>> find_history(Front& front, cluster::Caller caller, wire::Request request);

} // namespace jarvis::jctld
