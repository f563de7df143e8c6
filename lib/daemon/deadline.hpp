// Waiting with a limit.
#pragma once

#include "base/result.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <string>

namespace jarvis::daemon {

namespace asio = boost::asio;

// False when it was cancelled before the time was over.
inline asio::awaitable<bool> sleep_for(std::chrono::microseconds time)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return !error;
}

// The operation's result, or `unavailable`: "<what>: no answer within 10000 ms", after which the operation was cancelled
// and has ended. The operation must give its errors as values and end when it is cancelled.
template <class T>
asio::awaitable<Result<T>> within(std::chrono::milliseconds limit, std::string what, asio::awaitable<Result<T>> operation)
{
    using namespace asio::experimental::awaitable_operators;
    auto first = co_await (std::move(operation) || sleep_for(limit));
    if (first.index() == 0)
        co_return std::get<0>(std::move(first));
    if (!std::get<1>(first))
        co_return fail(Errc::unavailable, "{}: cancelled", what);
    co_return fail(Errc::unavailable, "{}: no answer within {} ms", what, limit.count());
}

} // namespace jarvis::daemon
