// Work that may block (fsync, hwloc, name lookup) in a pool, awaited from a coroutine.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>

namespace jarvis::daemon {

namespace asio = boost::asio;

// Runs work() in the pool and resumes on the caller's executor with what it returned or threw. The caller always waits
// for the end of the work, also when it is cancelled meanwhile, so the work may refer to the caller's locals.
template <class Work>
asio::awaitable<std::invoke_result_t<Work&>> off_loop(asio::thread_pool& pool, Work work)
{
    using Value = std::invoke_result_t<Work&>;
    struct Outcome {
        std::optional<std::conditional_t<std::is_void_v<Value>, bool, Value>> value;
        std::exception_ptr error;
    };
    Outcome outcome;
    auto start = [&pool, &outcome, &work](auto handler) {
        // The guard keeps the caller's loop running while only the pool works for it.
        auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
        asio::post(pool, [&outcome, &work, guard = std::move(guard), handler = std::move(handler)]() mutable {
            try {
                if constexpr (std::is_void_v<Value>) {
                    work();
                    outcome.value = true;
                } else {
                    outcome.value.emplace(work());
                }
            } catch (...) { // an exception is the caller's, not the pool's
                outcome.error = std::current_exception();
            }
            auto executor = guard.get_executor();
            asio::post(executor, std::move(handler));
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start, asio::use_awaitable);
    if (outcome.error)
        std::rethrow_exception(outcome.error);
    if constexpr (!std::is_void_v<Value>)
        co_return std::move(*outcome.value);
}

} // namespace jarvis::daemon
