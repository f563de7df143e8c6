#include "client/frame_link.hpp"

#include "wire/unix_socket.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

constexpr std::size_t max_frame = std::size_t{4} << 20;
constexpr std::size_t read_at_once = std::size_t{64} << 10;

} // namespace

FrameLink::FrameLink(Fd socket) : socket_(std::move(socket)), reader_(max_frame) {}

Result<FrameLink> FrameLink::connect(const std::string& path)
{
    const auto address = wire::unix_address(path);
    if (!address)
        return std::unexpected(address.error());
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address), address->length) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot connect to {}", path)));
    return FrameLink(std::move(socket));
}

void FrameLink::send(const google::protobuf::MessageLite& message)
{
    if (!socket_)
        return;
    wire::append_frame(out_, message);
    flush();
}

void FrameLink::flush()
{
    while (wants_to_write()) {
        const auto size = ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (size < 0) {
            ::shutdown(socket_.get(), SHUT_RDWR);
            break;
        }
        sent_ += static_cast<std::size_t>(size);
    }
    out_.clear();
    sent_ = 0;
}

bool FrameLink::receive()
{
    char part[read_at_once];
    const auto size = ::recv(socket_.get(), part, sizeof part, MSG_DONTWAIT);
    if (size > 0)
        reader_.feed({part, static_cast<std::size_t>(size)});
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

} // namespace jarvis::client
