// Signals as calls on the loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>

namespace jarvis::daemon {

namespace asio = boost::asio;

// From now on writing to a closed pipe or socket is an error, not a death. Children inherit that: whoever starts a
// program of somebody else's sets it back.
void ignore_sigpipe();

// SIGTERM and SIGINT call `stop` (each time: the second may mean hurry), SIGHUP calls `reload`, on the executor.
class Signals {
    struct State;
    std::shared_ptr<State> state_;

public:
    Signals(asio::any_io_executor executor, std::function<void(int signal)> stop, std::function<void()> reload);
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals();
    // No call comes after it, and the loop does not stay for signals any more. Signals get their default meaning back.
    void close();
};

} // namespace jarvis::daemon
