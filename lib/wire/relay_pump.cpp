#include "wire/relay_pump.hpp"

#include "wire/as_values.hpp"

#include <boost/asio/this_coro.hpp>

namespace jarvis::wire {

namespace {

// Bytes that are queued in one go once everything before them has left: an order or a report waits for no more than these.
constexpr std::size_t batch = std::size_t{256} << 10;

} // namespace

RelayPump::RelayPump(ChannelPtr channel, std::function<std::string(Relay&&)> envelope)
    : channel_(std::move(channel)), envelope_(std::move(envelope)),
      wake_(channel_->executor(), asio::steady_timer::time_point::max())
{
}

void RelayPump::stop()
{
    stopped_ = true;
    wake_.cancel();
}

asio::awaitable<void> RelayPump::run()
{
    for (;;) {
        if (stopped_ || !channel_->is_open())
            break;
        auto message = sender.next();
        if (!message) {
            co_await wake_.async_wait(as_values);
            if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
                break;
            continue;
        }
        auto room = co_await channel_->flush();
        if (!room)
            break;
        bool sent = true;
        for (std::size_t bytes = 0; message && sent;) {
            const auto frame = envelope_(std::move(*message));
            bytes += frame.size();
            sent = channel_->send(std::string_view(frame)).has_value();
            message = bytes < batch ? sender.next() : std::nullopt;
        }
        if (!sent)
            break;
    }
    stopped_ = true;
}

} // namespace jarvis::wire
