#include "daemon/signals.hpp"

#include <boost/asio/signal_set.hpp>

#include <csignal>

namespace jarvis::daemon {

// Handlers that the loop still holds when the object is gone keep this alive and see that it is closed.
struct Signals::State : std::enable_shared_from_this<State> {
    asio::signal_set set;
    std::function<void(int signal)> stop;
    std::function<void()> reload;
    bool closed = false;

    State(asio::any_io_executor executor, std::function<void(int signal)> on_stop, std::function<void()> on_reload)
        : set(executor, SIGTERM, SIGINT, SIGHUP), stop(std::move(on_stop)), reload(std::move(on_reload))
    {
    }

    void wait()
    {
        set.async_wait([self = shared_from_this()](boost::system::error_code error, int signal) {
            if (error || self->closed)
                return;
            if (signal == SIGHUP)
                self->reload();
            else
                self->stop(signal);
            if (!self->closed)
                self->wait();
        });
    }
};

void ignore_sigpipe() { ::signal(SIGPIPE, SIG_IGN); }

Signals::Signals(asio::any_io_executor executor, std::function<void(int signal)> stop, std::function<void()> reload)
    : state_(std::make_shared<State>(executor, std::move(stop), std::move(reload)))
{
    state_->wait();
}

Signals::~Signals() { close(); }

void Signals::close()
{
    if (state_->closed)
        return;
    state_->closed = true;
    boost::system::error_code ignored; // cancelling and clearing a set of valid signals cannot fail
    state_->set.cancel(ignored);
    state_->set.clear(ignored);
}

} // namespace jarvis::daemon
