// Connections between node daemons, for steps over several nodes. Over TLS with the nodes' certificates; or by the socket for jrun,
// between nodes on one machine. Who may ask what of which job is the step server's affair.
#pragma once

#include "config/config.hpp"
#include "daemon/task_group.hpp"
#include "wire/tls_channel.hpp"

#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace jarvis::noded {

namespace asio = boost::asio;

class PeerLink {
    asio::any_io_executor executor_;
    const config::Config& config_;
    std::shared_ptr<wire::TlsCredentials> credentials_; // null: there is no TLS here
    std::shared_ptr<wire::TlsSessions> sessions_ = std::make_shared<wire::TlsSessions>();
    std::function<void(wire::ChannelPtr)> take_;
    std::vector<std::unique_ptr<wire::TcpListener>> listeners_;
    asio::thread_pool pool_{1};
    std::size_t handshakes_ = 0;
    daemon::TaskGroup tasks_;

    asio::awaitable<void> accept(wire::TcpListener& listener);
    asio::awaitable<void> handshake(wire::TcpConnection connection);

public:
    PeerLink(asio::any_io_executor executor, const config::Config& config, std::shared_ptr<wire::TlsCredentials> credentials);
    ~PeerLink();

    // At jnoded.listen; not at all without a certificate.
    Result<void> listen(std::function<void(wire::ChannelPtr)> take);
    // The daemon of that node, and of no other.
    asio::awaitable<Result<wire::ChannelPtr>> dial(std::string node);
    void stop();
};

// Who is there: a node's name by its certificate; on one machine whoever runs as the same user as this daemon, by what it says.
Result<void> check_peer(const wire::Channel& channel, const std::string& said_name);

} // namespace jarvis::noded
