// Signals as calls on the loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>

#include <functional>

namespace jarvis::daemon {

namespace asio = boost::asio;

// From now on writing to a closed pipe or socket is an error, not a death.
void ignore_sigpipe();

// SIGTERM and SIGINT call `stop` (each time: the second may mean hurry), SIGHUP calls `reload`, on the executor.
class Signals {
    asio::signal_set set_;
    std::function<void(int signal)> stop_;
    std::function<void()> reload_;

    void wait();

public:
    Signals(asio::any_io_executor executor, std::function<void(int signal)> stop, std::function<void()> reload);
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    // No call comes after it; the loop does not wait for signals any more.
    void close();
};

} // namespace jarvis::daemon
