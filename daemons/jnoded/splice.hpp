// Passes the frames of two channels on to each other, unread.
#pragma once

#include "wire/channel.hpp"

namespace jarvis::noded {

namespace asio = boost::asio;

// Until one of them ends; then both are closed. A side that reads nothing holds up the other one, and holds no memory.
asio::awaitable<void> splice(wire::ChannelPtr one, wire::ChannelPtr other);

} // namespace jarvis::noded
