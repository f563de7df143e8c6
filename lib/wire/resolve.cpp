#include "wire/resolve.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <cstring>
#include <mutex>
#include <netdb.h>
#include <thread>

namespace jarvis::wire {

namespace {

using asio::ip::tcp;
using Endpoints = std::vector<tcp::endpoint>;

// Look-ups that hang are left alone; more of them than this are not begun.
constexpr int most_lookups = 8;
std::atomic<int> lookups = 0;

Result<Endpoints> look_up(const HostPort& address, int flags)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
    if (error != 0)
        return fail(Errc::unavailable, "the name {} does not resolve: {}", address.host, error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error));
    Endpoints endpoints;
    for (const auto* one = found; one; one = one->ai_next) {
        tcp::endpoint endpoint;
        if (one->ai_addrlen > endpoint.capacity())
            continue;
        std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
        endpoint.resize(one->ai_addrlen);
        if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end())
            endpoints.push_back(endpoint);
    }
    ::freeaddrinfo(found);
    return endpoints;
}

// Between whoever waits and the thread, which may outlive them and their loop.
struct Shared {
    std::mutex mutex;
    std::shared_ptr<asio::steady_timer> waiting; // nothing: nobody
    std::optional<Result<Endpoints>> answer;
};

// However the wait ends, also by the end of the loop.
struct Waiter {
    std::shared_ptr<Shared> shared;
    ~Waiter()
    {
        std::lock_guard lock(shared->mutex);
        shared->waiting.reset();
    }
};

void answer(Shared& shared, Result<Endpoints> found)
{
    std::lock_guard lock(shared.mutex);
    shared.answer = std::move(found);
    if (shared.waiting) // and its loop is there too
        asio::post(shared.waiting->get_executor(), [timer = shared.waiting] { (void)timer->cancel(); });
}

} // namespace

asio::awaitable<Result<Endpoints>> resolve(HostPort address, std::chrono::milliseconds limit)
{
    constexpr int numeric = AI_NUMERICHOST | AI_NUMERICSERV;
    if (auto at_once = look_up(address, numeric))
        co_return at_once;
    if (lookups.fetch_add(1) >= most_lookups) {
        --lookups;
        co_return fail(Errc::unavailable, "the name {} is not looked up: {} look-ups hang already", address.host, most_lookups);
    }
    auto shared = std::make_shared<Shared>();
    auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, limit);
    shared->waiting = timer;
    const Waiter waiter{shared};
    std::thread([shared, address] {
        auto found = look_up(address, AI_NUMERICSERV);
        --lookups;
        answer(*shared, std::move(found));
    }).detach();
    co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
    const std::lock_guard lock(shared->mutex);
    if (shared->answer)
        co_return std::move(*shared->answer);
    co_return fail(Errc::unavailable, "the name {} does not resolve: no answer from the name service within {} ms", address.host, limit.count());
}

} // namespace jarvis::wire
