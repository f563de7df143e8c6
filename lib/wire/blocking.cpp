#include "wire/blocking.hpp"

#include "wire/unix_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/time.h>

namespace jarvis::wire {

namespace {

// For poll(2): rounded up, so that a wait does not end just before the deadline; -1 waits for ever.
int milliseconds_until(Deadline deadline)
{
    if (deadline == no_deadline)
        return -1;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
}

// Waits until the socket is ready. False: the deadline has passed.
Result<bool> wait_ready(int socket, short events, Deadline deadline)
{
    while (true) {
        pollfd entry{socket, events, 0};
        int ready = ::poll(&entry, 1, milliseconds_until(deadline));
        if (ready > 0)
            return true;
        if (ready == 0)
            return false;
        if (errno != EINTR)
            return std::unexpected(system_error(errno, "cannot wait for a socket"));
    }
}

} // namespace

Result<BlockingConnection> BlockingConnection::connect(const std::string& path, std::chrono::milliseconds limit,
                                                       std::size_t max_frame)
{
    auto address = unix_address(path);
    if (!address)
        return std::unexpected(std::move(address.error()));
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket)
        return std::unexpected(system_error(errno, "cannot make a socket"));
    // A UNIX connect waits while the listener's queue is full; the send time-out limits that (af_unix.c,
    // unix_stream_connect), and poll could not.
    auto ms = std::max<std::int64_t>(limit.count(), 1);
    timeval time{static_cast<time_t>(ms / 1000), static_cast<suseconds_t>(ms % 1000 * 1000)};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
    auto deadline = deadline_in(limit);
    while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address), address->length) != 0) {
        if (errno == EINTR && std::chrono::steady_clock::now() < deadline)
            continue;
        if (errno == EAGAIN || errno == EINTR)
            return fail(Errc::unavailable, "cannot connect to {} within {} ms", path, limit.count());
        return std::unexpected(system_error(errno, fmt::format("cannot connect to {}", path)));
    }
    return BlockingConnection(std::move(socket), path, max_frame);
}

Result<void> BlockingConnection::send(const google::protobuf::MessageLite& message, Deadline deadline)
{
    out_.clear();
    append_frame(out_, message);
    std::string_view left = out_;
    while (!left.empty()) {
        auto n = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            left.remove_prefix(static_cast<std::size_t>(n));
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return std::unexpected(system_error(errno, fmt::format("cannot send to {}", path_)));
        auto ready = wait_ready(socket_.get(), POLLOUT, deadline);
        if (!ready)
            return std::unexpected(std::move(ready.error()));
        if (!*ready)
            return fail(Errc::unavailable, "{} did not take the message in time", path_);
    }
    return {};
}

Result<std::string> BlockingConnection::receive_frame(Deadline deadline)
{
    std::array<char, 64 << 10> buffer;
    while (true) {
        auto frame = reader_.next();
        if (!frame)
            return fail(frame.error(), "{}", path_);
        if (*frame)
            return std::move(**frame);
        // Data first, and only then the deadline: what has arrived is never called late.
        auto n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n > 0) {
            reader_.feed({buffer.data(), static_cast<std::size_t>(n)});
            continue;
        }
        if (n == 0)
            return fail(Errc::unavailable, "{} closed the connection{}", path_,
                        reader_.at_boundary() ? "" : " in the middle of a message");
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return std::unexpected(system_error(errno, fmt::format("cannot receive from {}", path_)));
        auto ready = wait_ready(socket_.get(), POLLIN, deadline);
        if (!ready)
            return std::unexpected(std::move(ready.error()));
        if (!*ready)
            return fail(Errc::unavailable, "no answer from {} in time", path_);
    }
}

Result<Hello> BlockingConnection::exchange_hello(const Hello& ours, const ClusterIdentity& cluster, Deadline deadline)
{
    if (auto sent = send(ours, deadline); !sent)
        return std::unexpected(std::move(sent.error()));
    auto theirs = receive<Hello>(deadline);
    if (!theirs)
        return theirs;
    if (auto checked = check_hello(*theirs, cluster, path_); !checked)
        return std::unexpected(std::move(checked.error()));
    return theirs;
}

} // namespace jarvis::wire
