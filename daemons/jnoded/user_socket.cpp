#include "user_socket.hpp"

#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "wire/as_values.hpp"
#include "wire/clocks.hpp"
#include "wire/hello.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <vector>

namespace jarvis::noded {
namespace {

using namespace std::chrono_literals;
using daemon::log;

using wire::as_values;
constexpr std::size_t read_at_once = wire::relay_piece;
// A user whose connection the controller has closed gets so long to read what is left.
constexpr auto finish_limit = 30s;
// For the Hello of somebody who is turned away, so that the answer finds them listening.
constexpr auto turn_away_limit = 5s;

} // namespace

UserSocket::UserSocket(asio::io_context& io, std::string node_name)
    : io_(io), node_name_(std::move(node_name)), tasks_(io.get_executor(), "users of this node")
{
}

Result<void> UserSocket::listen(const std::string& path)
{
    auto listener = wire::UnixListener::open(io_.get_executor(), {.path = path});
    if (!listener)
        return std::unexpected(listener.error());
    listener_ = std::move(*listener);
    tasks_.spawn("accept", accept());
    return {};
}

asio::awaitable<void> UserSocket::accept()
{
    while (listener_->is_open()) {
        auto socket = co_await listener_->accept_socket(io_.get_executor());
        if (socket)
            take_user(std::move(*socket));
        else if (listener_->is_open())
            log().warn("{}", socket.error().message);
    }
}

void UserSocket::take_user(Fd fd)
{
    const auto peer = wire::peer_credentials(fd.get());
    Socket socket(io_);
    boost::system::error_code error;
    socket.assign(asio::local::stream_protocol(), fd.get(), error);
    if (error || !peer)
        return log().warn("{}: {}", listener_->path(), error ? error.message() : peer.error().message);
    fd.release(); // it is the socket's now
    std::string refusal;
    if (!pump_ || pump_->stopped())
        refusal = fmt::format("node {} has no connection to the controller at the moment", node_name_);
    else if (users_.size() >= wire::relay_connections)
        refusal = fmt::format("node {} has {} connections of its users already; try again", node_name_, users_.size());
    if (!refusal.empty()) {
        tasks_.spawn("turn away", turn_away(std::move(socket), std::move(refusal)));
        return;
    }
    const auto connection = ++last_;
    auto user = std::make_shared<User>(std::move(socket));
    users_.emplace(connection, user);
    wire::RelayOpen open;
    open.set_uid(peer->uid);
    open.set_gid(peer->gid);
    open.set_pid(peer->pid);
    log().debug("relaying uid {} pid {}, connection {}", peer->uid, peer->pid, connection);
    pump_->sender.add(connection, std::move(open));
    pump_->wake();
    tasks_.spawn("user's requests", read(connection, user, pump_));
    tasks_.spawn("user's answers", write(connection, user, pump_));
}

// As the controller would say it: in a Hello, once theirs has come.
asio::awaitable<void> UserSocket::turn_away(Socket socket, std::string why)
{
    auto channel = wire::make_unix_channel(io_.get_executor(), Fd(socket.release()), listener_->path());
    if (!channel)
        co_return;
    (void)co_await daemon::within(turn_away_limit, "waiting for a Hello", (*channel)->read_frame());
    (void)(*channel)->send(wire::refusing_hello("jnoded", wall_now(), {Errc::unavailable, why}));
    (void)co_await (*channel)->flush();
    (*channel)->close();
}

// No more than the window is held here for a user: the controller's stall is theirs alone.
asio::awaitable<void> UserSocket::read(std::uint64_t connection, UserPtr user, Pump pump)
{
    std::vector<char> buffer(read_at_once);
    while (!user->over) {
        if (pump->sender.queued(connection) >= wire::relay_window) {
            co_await user->room.async_wait(as_values);
            continue;
        }
        auto [error, size] = co_await user->socket.async_read_some(asio::buffer(buffer), as_values);
        if (user->over)
            co_return;
        pump->sender.send(connection, {buffer.data(), size});
        if (error)
            pump->sender.end(connection);
        pump->wake();
        if (error)
            co_return;
    }
}

asio::awaitable<void> UserSocket::write(std::uint64_t connection, UserPtr user, Pump pump)
{
    while (!user->over) {
        if (user->to_write.empty()) {
            if (user->finishing)
                break;
            co_await user->arrival.async_wait(as_values);
            continue;
        }
        const auto data = std::exchange(user->to_write, {});
        auto [error, size] = co_await asio::async_write(user->socket, asio::buffer(data), as_values);
        pump->sender.taken(connection, size);
        if (error)
            pump->sender.close(connection);
        pump->wake();
        if (error)
            break;
    }
    drop(connection, user);
}

asio::awaitable<void> UserSocket::pump(Pump pump) { co_await pump->run(); }

void UserSocket::drop(std::uint64_t connection, const UserPtr& user)
{
    user->over = true;
    boost::system::error_code ignored; // closing a socket that was reset is what we want
    user->socket.close(ignored);
    user->room.cancel();
    user->arrival.cancel();
    user->limit.cancel();
    users_.erase(connection);
}

void UserSocket::connected(wire::ChannelPtr controller)
{
    if (pump_ && !pump_->stopped() && pump_->channel() == controller)
        return; // a new session on the same connection
    disconnected();
    pump_ = std::make_shared<wire::RelayPump>(std::move(controller), [this](wire::Relay&& message) {
        if (const auto found = users_.find(message.connection()); found != users_.end())
            found->second->room.cancel();
        wire::FromNode frame;
        *frame.mutable_relay() = std::move(message);
        return frame.SerializeAsString();
    });
    tasks_.spawn("relay", pump(pump_));
}

void UserSocket::disconnected()
{
    if (pump_)
        pump_->stop();
    pump_.reset();
    const auto users = users_; // drop() takes each out
    for (const auto& [connection, user] : users)
        drop(connection, user);
}

void UserSocket::take(const wire::Relay& message)
{
    const auto found = users_.find(message.connection());
    if (!pump_ || found == users_.end())
        return; // dropped here, which the controller has not heard yet
    auto& user = *found->second;
    if (message.taken() > 0) {
        pump_->sender.grant(message.connection(), message.taken());
        pump_->wake();
    }
    if (!user.finishing && user.to_write.size() + message.data().size() <= wire::relay_window)
        user.to_write += message.data();
    if (message.closed()) {
        pump_->sender.forget(message.connection());
        user.finishing = true;
        user.limit.expires_after(finish_limit);
        user.limit.async_wait([this, connection = message.connection(), weak = std::weak_ptr(found->second)](const auto& error) {
            if (const auto late = weak.lock(); late && !error)
                drop(connection, late);
        });
    }
    user.arrival.cancel();
}

void UserSocket::stop()
{
    if (listener_)
        listener_->close();
    disconnected();
    tasks_.cancel();
}

} // namespace jarvis::noded
