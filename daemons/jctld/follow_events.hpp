// A request for the feed of events: what was, and, if asked, what comes.
#pragma once

#include "front.hpp"

namespace jarvis::jctld {

// Sends the replies itself; what it returns is to be the last one if it is an error. It ends when it has told what was asked
// for, or with the connection.
asio::awaitable<Result<void>> follow_events(Front& front, wire::ChannelPtr channel, cluster::Caller caller, wire::Request request);

} // namespace jarvis::jctld
