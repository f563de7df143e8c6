// What an address stands for.
#pragma once

#include "base/host_port.hpp"
#include "base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <vector>

namespace jarvis::wire {

namespace asio = boost::asio;

// In the order of the system's preference (RFC 6724). A name service that hangs holds up neither the loop nor the end of
// the process: the look-up is left to itself after the limit. `unavailable` when there is no such name, or none just now.
asio::awaitable<Result<std::vector<asio::ip::tcp::endpoint>>> resolve(HostPort address, std::chrono::milliseconds limit);

} // namespace jarvis::wire
