#include "node_connection.hpp"

#include "log.hpp"
#include "wire/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

// Arguments and environment of one job at their limits (wire/limits.hpp), with room for the rest.
constexpr std::size_t max_message = std::size_t{32} << 20;
constexpr std::size_t max_peers = 16;
constexpr std::size_t read_size = std::size_t{64} << 10;

short events_of(const std::vector<pollfd>& waits, int fd)
{
    const auto found = std::ranges::find(waits, fd, &pollfd::fd);
    return found == waits.end() ? short{0} : found->revents;
}

} // namespace

Result<void> NodeConnection::listen(const std::string& path)
{
    auto listener = wire::listen_unix({.path = path, .mode = 0600, .backlog = 16});
    if (!listener)
        return std::unexpected(listener.error());
    path_ = path;
    listener_ = std::move(*listener);
    return {};
}

void NodeConnection::stop_listening()
{
    if (listener_)
        ::unlink(path_.c_str());
    listener_ = Fd();
}

void NodeConnection::accept_peers()
{
    for (;;) {
        Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket)
            return;
        const auto peer = wire::peer_credentials(socket.get());
        if (!peer || (peer->uid != 0 && peer->uid != ::geteuid())) {
            log_warning("refused a connection of user {}", peer ? static_cast<long>(peer->uid) : -1L);
            continue;
        }
        if (peers_.size() < max_peers)
            peers_.push_back({std::move(socket), wire::FrameReader(max_message)});
    }
}

void NodeConnection::make_current(std::list<Peer>::iterator peer)
{
    if (connected_)
        peers_.pop_front();
    peers_.splice(peers_.begin(), peers_, peer);
    connected_ = true;
    output_.clear();
    written_ = 0;
}

void NodeConnection::drop(std::list<Peer>::iterator peer)
{
    if (connected_ && peer == peers_.begin())
        connected_ = false;
    peers_.erase(peer);
}

// False: the connection is over.
bool NodeConnection::read_from(Peer& peer)
{
    static char buffer[read_size];
    for (;;) {
        const ssize_t size = ::recv(peer.socket.get(), buffer, sizeof buffer, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size < 0 && errno == EAGAIN;
        peer.reader.feed({buffer, static_cast<std::size_t>(size)});
        if (static_cast<std::size_t>(size) < sizeof buffer)
            return true;
    }
}

Result<std::optional<NodeConnection::Message>> NodeConnection::next_message(Peer& peer)
{
    auto bytes = peer.reader.next();
    if (!bytes)
        return std::unexpected(bytes.error());
    if (!*bytes)
        return std::nullopt;
    Message message{{}, std::move(**bytes)};
    if (auto parsed = wire::parse_into(message.parsed, message.bytes); !parsed)
        return std::unexpected(parsed.error());
    return message;
}

void NodeConnection::send(const wire::FromLauncher& message)
{
    wire::append_frame(output_, message);
}

bool NodeConnection::flush()
{
    while (has_output()) {
        const ssize_t sent = ::send(peers_.front().socket.get(), output_.data() + written_, output_.size() - written_,
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return true;
        if (sent < 0) {
            drop(peers_.begin());
            return false;
        }
        written_ += static_cast<std::size_t>(sent);
    }
    output_.clear();
    written_ = 0;
    return true;
}

void NodeConnection::add_to(std::vector<pollfd>& waits) const
{
    if (listener_)
        waits.push_back({listener_.get(), POLLIN, 0});
    for (const Peer& peer : peers_) {
        const bool writes = has_output() && &peer == &peers_.front();
        waits.push_back({peer.socket.get(), static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0});
    }
}

void NodeConnection::handle(const std::vector<pollfd>& waits, const Connected& connected, const Take& take)
{
    for (auto peer = peers_.begin(); peer != peers_.end();) {
        const auto here = peer++;
        if (!(events_of(waits, here->socket.get()) & (POLLIN | POLLHUP | POLLERR)))
            continue;
        bool open = read_from(*here);
        for (;;) {
            auto message = next_message(*here);
            if (!message) {
                log_warning("closed a connection: {}", message.error().message);
                open = false;
            }
            if (!message || !*message)
                break;
            if (!connected_ || here != peers_.begin()) {
                make_current(here);
                connected();
            }
            take(std::move((*message)->parsed), std::move((*message)->bytes));
        }
        if (!open)
            drop(here);
    }
    if (listener_ && events_of(waits, listener_.get()))
        accept_peers();
}

} // namespace jarvis::shepherd
