// Connections over TLS: listening, handshakes in a pool of their own, so many at once and no more; what is good goes to the
// front as any other channel. All but the handshakes' arithmetic is on the front's loop.
#pragma once

#include "config/config.hpp"
#include "daemon/task_group.hpp"
#include "wire/tls_channel.hpp"

#include <functional>

namespace jarvis::jctld {

namespace asio = boost::asio;

class TlsFront {
    asio::any_io_executor executor_;
    std::shared_ptr<wire::TlsCredentials> credentials_;
    std::function<void(wire::ChannelPtr)> take_;
    wire::ChannelOptions channel_options_;
    std::vector<std::unique_ptr<wire::TcpListener>> listeners_;
    asio::thread_pool pool_;
    std::size_t handshakes_ = 0;
    asio::steady_timer ended_; // never expires: the end of a handshake cancels its waits
    daemon::TaskGroup tasks_;

    TlsFront(asio::any_io_executor executor, std::shared_ptr<wire::TlsCredentials> credentials, std::function<void(wire::ChannelPtr)> take);
    asio::awaitable<void> accept_loop(wire::TcpListener& listener);
    asio::awaitable<void> handshake(wire::TcpConnection connection);

public:
    // Opens all addresses of controller.listen.
    static Result<std::unique_ptr<TlsFront>> open(asio::any_io_executor executor, const config::Config& config,
                                                  std::shared_ptr<wire::TlsCredentials> credentials, std::function<void(wire::ChannelPtr)> take);
    ~TlsFront();
    void start();
    // Takes no more connections.
    void close();
    // Ends handshakes that are under way, and everything else.
    asio::awaitable<void> stop();
    std::string addresses() const; // "0.0.0.0:6820, [::]:6820"
};

// The controller's certificate, when the configuration has it listen on addresses; none else. It must be of this cluster.
Result<std::shared_ptr<wire::TlsCredentials>> load_credentials(const config::Config& config);

} // namespace jarvis::jctld
