// Serves the metrics over HTTP/1.1, on UNIX sockets and TCP ports: GET or HEAD /metrics, and nothing else. It reads atomic
// numbers and asks no other thread, so that a scrape and what is counted never wait for each other.
#pragma once

#include "base/fd.hpp"
#include "base/host_port.hpp"
#include "base/result.hpp"
#include "daemon/metrics.hpp"
#include "daemon/task_group.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace jarvis::daemon {

struct MetricsPlaces {
    std::string socket;        // of UNIX; empty: none
    bool socket_asked = false; // somebody named it, and wants to know when it cannot be had
    std::vector<std::string> listen; // numeric addresses, with or without a port
    std::uint16_t default_port = 0;
};

class MetricsServer {
    class Connection;
    struct Listener;
    const Metrics& metrics_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::set<std::shared_ptr<Connection>> connections_;
    TaskGroup tasks_;

    Result<void> listen(Fd socket, std::string path);
    asio::awaitable<void> accept(Listener& listener);
    asio::awaitable<void> serve(std::shared_ptr<Connection> connection);

public:
    // All calls on the executor, a loop with one thread. The metrics outlive it.
    MetricsServer(asio::any_io_executor executor, const Metrics& metrics);
    ~MetricsServer();

    Result<void> open(const MetricsPlaces& places);
    // Everybody may connect.
    Result<void> listen_unix(const std::string& path);
    // On a numeric address, one of IPv6 for that alone; port 0 is a free one.
    Result<void> listen_tcp(const HostPort& address);
    // Ends everything; what is still under way ends on the loop.
    void close();
    asio::awaitable<void> stop();
};

} // namespace jarvis::daemon
