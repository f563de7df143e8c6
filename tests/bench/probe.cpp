// How long a controller takes to answer while it is busy with other things: asks for one job again and again.
//
//   bench_probe SOCKET PAUSE_MS
//
// Connects as soon as the controller is there and asks until standard input ends. Prints one line of JSON with the number
// of answers and their times in ms: median, 99th percentile, worst.
#include "client.pb.h"
#include "wire/blocking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include <poll.h>

using namespace jarvis;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

bool input_ends_within(std::chrono::milliseconds pause)
{
    pollfd input{.fd = 0, .events = POLLIN, .revents = 0};
    return ::poll(&input, 1, static_cast<int>(pause.count())) != 0;
}

Result<wire::BlockingConnection> connect(const std::string& socket)
{
    const auto deadline = Clock::now() + 60s;
    for (;;) {
        auto connection = wire::BlockingConnection::connect(socket, 10s);
        if (connection || Clock::now() > deadline)
            return connection;
        std::this_thread::sleep_for(1ms);
    }
}

Result<std::vector<double>> measure(const std::string& socket, std::chrono::milliseconds pause)
{
    auto connection = connect(socket);
    if (!connection)
        return std::unexpected(connection.error());
    const WallTime now{std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())};
    std::vector<double> took;
    auto begin = Clock::now();
    auto hello = connection->exchange_hello(wire::make_hello(wire::Hello::CLIENT, "bench_probe", now), {}, wire::deadline_in(60s));
    if (!hello)
        return std::unexpected(hello.error());
    for (;;) {
        took.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        if (input_ends_within(pause))
            return took;
        wire::Request request;
        request.set_tag(took.size());
        request.mutable_query_jobs()->mutable_filter()->add_ids(1);
        begin = Clock::now();
        if (auto sent = connection->send(request, wire::deadline_in(60s)); !sent)
            return std::unexpected(sent.error());
        for (bool more = true; more;) {
            auto reply = connection->receive<wire::Reply>(wire::deadline_in(60s));
            if (!reply)
                return std::unexpected(reply.error());
            more = reply->more();
        }
    }
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 3) {
        fmt::print(stderr, "usage: bench_probe SOCKET PAUSE_MS\n");
        return 2;
    }
    auto took = measure(argv[1], std::chrono::milliseconds(std::stoll(argv[2])));
    if (!took) {
        fmt::print(stderr, "bench_probe: {}\n", took.error().message);
        return 1;
    }
    std::sort(took->begin(), took->end());
    fmt::print("{{\"answers\": {}, \"median_ms\": {:.3f}, \"p99_ms\": {:.3f}, \"worst_ms\": {:.3f}}}\n", took->size(),
               (*took)[took->size() / 2], (*took)[took->size() * 99 / 100], took->back());
    return 0;
}
