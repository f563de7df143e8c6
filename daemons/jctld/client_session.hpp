// One client connection: requests in, replies out, many under way at once.
#pragma once

#include "front.hpp"

namespace jarvis::jctld {

// Until the client goes, sends garbage or is cancelled. Who it is says the auth plugin, or the node that vouches for them.
asio::awaitable<void> serve_client(Front& front, wire::ChannelPtr channel, std::optional<Vouched> vouched = {});

} // namespace jarvis::jctld
