// One client connection: requests in, replies out, many under way at once.
#pragma once

#include "front.hpp"

namespace jarvis::jctld {

// Until the client goes, sends garbage or is cancelled.
asio::awaitable<void> serve_client(Front& front, wire::ChannelPtr channel);

} // namespace jarvis::jctld
