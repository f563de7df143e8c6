// A channel whose other end is the fuzz target: frames are put in, and what is sent is looked at.
#pragma once

#include "wire/as_values.hpp"
#include "wire/channel.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <deque>
#include <functional>

namespace jarvis::fuzz {

namespace asio = boost::asio;

class MadeUpChannel final : public wire::Channel {
public:
    using Take = std::function<void(std::string_view payload)>;

private:
    asio::any_io_executor executor_;
    std::optional<wire::PeerCredentials> credentials_;
    Take take_;
    asio::steady_timer arrival_; // cancelled when there is something to read, or never will be
    std::deque<std::string> frames_;
    std::size_t max_frame_ = wire::ChannelOptions().max_frame;
    bool hung_up_ = false, open_ = true;

public:
    MadeUpChannel(asio::any_io_executor executor, std::optional<wire::PeerCredentials> credentials, Take take)
        : executor_(executor), credentials_(credentials), take_(std::move(take)), arrival_(executor, asio::steady_timer::time_point::max())
    {
    }

    // ---- The other end
    void put(std::string frame)
    {
        frames_.push_back(std::move(frame));
        arrival_.cancel();
    }
    void hang_up()
    {
        hung_up_ = true;
        arrival_.cancel();
    }
    bool hung_up() const { return hung_up_; }

    // ---- This one
    asio::any_io_executor executor() const override { return executor_; }
    asio::awaitable<Result<std::optional<std::string>>> read_frame() override
    {
        while (true) {
            if (!open_)
                co_return fail(Errc::unavailable, "the channel is closed");
            if (!frames_.empty()) {
                auto frame = std::move(frames_.front());
                frames_.pop_front();
                if (frame.size() > max_frame_)
                    co_return fail(Errc::corrupt, "a frame of {} bytes is too long", frame.size());
                co_return std::optional(std::move(frame));
            }
            if (hung_up_)
                co_return std::nullopt;
            co_await arrival_.async_wait(wire::as_values);
            if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
                co_return fail(Errc::unavailable, "receiving was cancelled");
        }
    }
    void set_max_frame(std::size_t bytes) override { max_frame_ = bytes; }
    using Channel::send;
    Result<void> send(std::string_view payload) override
    {
        if (!open_ || hung_up_)
            return fail(Errc::unavailable, "the channel is closed");
        take_(payload);
        return {};
    }
    asio::awaitable<Result<void>> send_when_room(std::string payload) override { co_return send(std::string_view(payload)); }
    asio::awaitable<Result<void>> flush() override { co_return open_ ? Result<void>() : fail(Errc::unavailable, "the channel is closed"); }
    std::size_t queued() const override { return 0; }
    void close() override
    {
        open_ = false;
        arrival_.cancel();
    }
    bool is_open() const override { return open_; }
    std::optional<wire::PeerCredentials> credentials() const override { return credentials_; }
    int native_handle() const override { return -1; }
    std::string description() const override { return "somebody"; }
};

} // namespace jarvis::fuzz
