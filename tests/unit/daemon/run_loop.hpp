// Runs one coroutine to its end on a loop of its own.
#pragma once

#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <exception>

namespace jarvis::test {

namespace asio = boost::asio;

inline void run(asio::io_context& loop, asio::awaitable<void> test)
{
    std::exception_ptr error;
    bool ended = false;
    asio::co_spawn(loop, std::move(test), [&](std::exception_ptr e) {
        error = e;
        ended = true;
    });
    loop.run_for(std::chrono::seconds(20));
    BOOST_REQUIRE(ended);
    if (error)
        std::rethrow_exception(error);
}

inline asio::awaitable<void> pause(std::chrono::milliseconds time)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

} // namespace jarvis::test
