#include "client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <thread>

namespace jarvis::bench {

using namespace std::chrono_literals;

std::int64_t wall_us()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

Words::Words(int argc, char** argv)
{
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const auto equals = std::min(word.find('='), word.size());
        values_.emplace(word.substr(0, equals), word.substr(std::min(equals + 1, word.size())));
    }
}

std::string Words::text(std::string_view name, std::string usual) const
{
    const auto found = values_.find(name);
    return found == values_.end() ? usual : found->second;
}

std::uint64_t Words::number(std::string_view name, std::uint64_t usual) const
{
    const auto found = values_.find(name);
    return found == values_.end() ? usual : std::stoull(found->second);
}

Result<Client> Client::connect(const std::string& socket, std::string_view program, std::chrono::milliseconds patience)
{
    const auto give_up = Clock::now() + patience;
    for (;;) {
        auto connection = wire::BlockingConnection::connect(socket, 60s);
        if (connection) {
            const auto hello = wire::make_hello(wire::Hello::CLIENT, program, WallTime{Duration(wall_us())});
            auto theirs = connection->exchange_hello(hello, {}, wire::deadline_in(10min));
            if (theirs)
                return Client(std::move(*connection));
            connection = std::unexpected(theirs.error());
        }
        if (connection.error().code != Errc::unavailable && connection.error().code != Errc::not_found)
            return std::unexpected(connection.error());
        if (Clock::now() > give_up)
            return std::unexpected(connection.error());
        std::this_thread::sleep_for(1ms);
    }
}

Result<void> Client::flush()
{
    for (std::size_t sent = 0; sent < out_.size();) {
        const auto n = ::send(fd(), out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return std::unexpected(system_error(errno, "cannot send"));
        sent += static_cast<std::size_t>(std::max<ssize_t>(n, 0));
    }
    out_.clear();
    return {};
}

Result<void> Client::read(const std::function<Result<void>(const wire::Reply&)>& take)
{
    std::array<char, 64 << 10> buffer;
    const auto n = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n == 0)
        return fail(Errc::unavailable, "the controller closed the connection");
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? Result<void>{}
                                                 : std::unexpected(system_error(errno, "cannot receive"));
    reader_.feed({buffer.data(), static_cast<std::size_t>(n)});
    for (;;) {
        auto frame = reader_.next();
        if (!frame)
            return std::unexpected(frame.error());
        if (!*frame)
            return {};
        wire::Reply reply;
        if (auto parsed = wire::parse_into(reply, **frame); !parsed)
            return parsed;
        if (reply.has_error())
            return fail(Errc::invalid, "request {}: {}", reply.tag(), reply.error().message());
        if (auto taken = take(reply); !taken)
            return taken;
    }
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

void Poller::add(const Client& client, std::uint64_t number)
{
    epoll_event event{.events = EPOLLIN, .data = {.u64 = number}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client.fd(), &event);
}

std::vector<std::uint64_t> Poller::wait(std::chrono::milliseconds limit) const
{
    std::array<epoll_event, 64> events;
    const int n =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), static_cast<int>(limit.count()));
    std::vector<std::uint64_t> ready;
    for (int i = 0; i < n; ++i)
        ready.push_back(events[static_cast<std::size_t>(i)].data.u64);
    return ready;
}

std::string percentiles_json(std::vector<float>& milliseconds)
{
    if (milliseconds.empty())
        milliseconds.push_back(0);
    std::sort(milliseconds.begin(), milliseconds.end());
    const auto at = [&](std::size_t percent) {
        return milliseconds[std::min(milliseconds.size() * percent / 100, milliseconds.size() - 1)];
    };
    return fmt::format("\"p50_ms\": {:.3f}, \"p95_ms\": {:.3f}, \"p99_ms\": {:.3f}, \"worst_ms\": {:.3f}", at(50),
                       at(95), at(99), at(100));
}

} // namespace jarvis::bench
