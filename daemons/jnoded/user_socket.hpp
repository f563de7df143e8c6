// The UNIX socket for this node's users. What they say goes to the controller over the node's own connection, with their uid
// as the kernel gives it, and its answers come back: this daemon understands none of it. While there is no controller, they
// are told so.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "daemon/task_group.hpp"
#include "node.pb.h"
#include "wire/channel.hpp"
#include "wire/relay_pump.hpp"
#include "wire/unix_channel.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <map>
#include <memory>
#include <string>

namespace jarvis::noded {

namespace asio = boost::asio;

class UserSocket {
    using Socket = asio::local::stream_protocol::socket;

    // One user's connection. Reading and writing are a task each; the connection is gone when both are.
    struct User {
        Socket socket;
        asio::steady_timer room;    // cancelled when more may be read; never expires, like the next
        asio::steady_timer arrival; // cancelled when there is something to write
        asio::steady_timer limit;   // of writing what is left
        std::string to_write;
        bool finishing = false;     // the controller has closed it: what is left is written, and that is all
        bool over = false;

        explicit User(Socket connected)
            : socket(std::move(connected)), room(socket.get_executor(), asio::steady_timer::time_point::max()),
              arrival(socket.get_executor(), asio::steady_timer::time_point::max()), limit(socket.get_executor())
        {
        }
    };
    using UserPtr = std::shared_ptr<User>;
    using Pump = std::shared_ptr<wire::RelayPump>;

    asio::io_context& io_;
    std::string node_name_;
    std::unique_ptr<wire::UnixListener> listener_;
    Pump pump_; // null: no controller
    std::map<std::uint64_t, UserPtr> users_;
    std::uint64_t last_ = 0; // number of a connection; growing over all connections to the controller
    daemon::TaskGroup tasks_;

    asio::awaitable<void> accept();
    void take_user(Fd socket);
    asio::awaitable<void> turn_away(Socket socket, std::string why);
    asio::awaitable<void> read(std::uint64_t connection, UserPtr user, Pump pump);
    asio::awaitable<void> write(std::uint64_t connection, UserPtr user, Pump pump);
    static asio::awaitable<void> pump(Pump pump);
    void drop(std::uint64_t connection, const UserPtr& user);

public:
    UserSocket(asio::io_context& io, std::string node_name);

    // From here on users are served.
    Result<void> listen(const std::string& path);
    // The controller has welcomed this node on that connection.
    void connected(wire::ChannelPtr controller);
    void disconnected();
    void take(const wire::Relay& message);
    void stop();
};

} // namespace jarvis::noded
