#include "client/step_channel.hpp"

#include "base/escape.hpp"
#include "wire/clocks.hpp"
#include "wire/unix_socket.hpp"

namespace jarvis::client {

namespace {

constexpr std::chrono::seconds connect_limit{5};
constexpr std::chrono::seconds send_limit{30};
constexpr std::size_t max_frame = std::size_t{64} << 20; // a grant names every task and its processors

} // namespace

Result<void> StepChannel::connect()
{
    connection_.reset();
    auto connection = wire::BlockingConnection::connect(path_, connect_limit, max_frame);
    if (!connection)
        return fail(connection.error(), "no answer from the node daemon");
    if (const auto peer = wire::peer_credentials(connection->fd()))
        daemon_ = peer->pid;
    wire::FromRun message;
    *message.mutable_request() = request_;
    *message.mutable_request()->mutable_hello() = wire::make_hello(wire::Hello::CLIENT, "jrun", wall_now());
    if (auto sent = connection->send(message, wire::deadline_in(send_limit)); !sent)
        return sent;
    connection_ = std::move(*connection);
    return {};
}

Result<wire::ToRun> StepChannel::receive(wire::Deadline deadline)
{
    if (!connection_)
        return fail(Errc::unavailable, "no connection to the node daemon");
    auto message = connection_->receive<wire::ToRun>(deadline);
    if (!message)
        connection_.reset();
    else if (message->has_refused())
        message->mutable_refused()->set_message(escape_for_terminal(message->refused().message()));
    return message;
}

Result<void> StepChannel::send(const wire::FromRun& message)
{
    if (!connection_)
        return fail(Errc::unavailable, "no connection to the node daemon");
    auto sent = connection_->send(message, wire::deadline_in(send_limit));
    if (!sent)
        connection_.reset();
    return sent;
}

} // namespace jarvis::client
