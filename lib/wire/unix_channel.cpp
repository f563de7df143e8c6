#include "wire/unix_channel.hpp"

#include "wire/stream_channel.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace jarvis::wire {

namespace {

using Socket = asio::local::stream_protocol::socket;

jarvis::Error io_error(const boost::system::error_code& error, std::string_view what)
{
    return {Errc::unavailable, fmt::format("{}: {}", what, error.message())};
}

class UnixConnection {
    Socket socket_;
    PeerCredentials credentials_;
    std::string path_;

public:
    UnixConnection(Socket socket, const PeerCredentials& credentials, std::string path)
        : socket_(std::move(socket)), credentials_(credentials), path_(std::move(path))
    {
    }
    Socket& stream() { return socket_; }
    void close()
    {
        boost::system::error_code ignored; // closing a socket that is closed, or was reset, is what we want
        socket_.close(ignored);
    }
    int native_handle() { return socket_.native_handle(); }
    std::optional<PeerCredentials> credentials() const { return credentials_; }
    std::optional<PeerIdentity> identity() const { return std::nullopt; }
    std::string description() const { return fmt::format("uid {} pid {} on {}", credentials_.uid, credentials_.pid, path_); }
    static bool is_end(const boost::system::error_code& error) { return error == asio::error::eof; }
    static jarvis::Error error(const boost::system::error_code& error, std::string_view what) { return io_error(error, what); }
};

} // namespace

Result<void> Channel::send(const google::protobuf::MessageLite& message)
{
    std::string payload;
    message.SerializeToString(&payload);
    return send(std::string_view(payload));
}

Result<ChannelPtr> make_unix_channel(asio::any_io_executor executor, Fd socket, std::string path,
                                     const ChannelOptions& options)
{
    auto credentials = peer_credentials(socket.get());
    if (!credentials)
        return std::unexpected(std::move(credentials.error()));
    Socket asio_socket(executor);
    boost::system::error_code error;
    asio_socket.assign(asio::local::stream_protocol(), socket.get(), error);
    if (error)
        return std::unexpected(io_error(error, "cannot use the socket"));
    socket.release(); // it is asio_socket's now
    return std::make_shared<StreamChannel<UnixConnection>>(UnixConnection(std::move(asio_socket), *credentials, std::move(path)),
                                                          options);
}

asio::awaitable<Result<ChannelPtr>> connect_unix(std::string path, std::chrono::milliseconds limit, ChannelOptions options)
{
    using namespace asio::experimental::awaitable_operators;
    if (auto address = unix_address(path); !address)
        co_return std::unexpected(std::move(address.error()));
    auto executor = co_await asio::this_coro::executor;
    Socket socket(executor);
    asio::steady_timer deadline(executor, limit);
    auto first = co_await (socket.async_connect(asio::local::stream_protocol::endpoint(path), as_values) ||
                           deadline.async_wait(as_values));
    if (first.index() == 1)
        co_return fail(Errc::unavailable, "cannot connect to {} within {} ms", path, limit.count());
    if (auto [error] = std::get<0>(first); error)
        co_return std::unexpected(io_error(error, fmt::format("cannot connect to {}", path)));
    co_return make_unix_channel(executor, Fd(socket.release()), std::move(path), options);
}

} // namespace jarvis::wire
