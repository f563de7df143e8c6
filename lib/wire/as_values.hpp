#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace jarvis::wire {

namespace asio = boost::asio;

// Awaits an operation and gives its error as a value, beside its result: auto [error, n] = co_await read(..., as_values);
inline constexpr auto as_values = asio::as_tuple(asio::use_awaitable);

} // namespace jarvis::wire
