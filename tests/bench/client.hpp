// A connection of a load program: many requests under way, sent and read in large pieces.
#pragma once

#include "client.pb.h"
#include "wire/blocking.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace jarvis::bench {

using Clock = std::chrono::steady_clock;

std::int64_t wall_us();

// The words of a command line that are NAME=VALUE, as all load programs take them.
class Words {
    std::map<std::string, std::string, std::less<>> values_;

public:
    Words(int argc, char** argv);
    std::string text(std::string_view name, std::string usual = {}) const;
    std::uint64_t number(std::string_view name, std::uint64_t usual = 0) const;
};

class Client {
    wire::BlockingConnection connection_;
    wire::FrameReader reader_{wire::limits::default_frame};
    std::string out_;

    explicit Client(wire::BlockingConnection connection) : connection_(std::move(connection)) {}

public:
    // With Hellos exchanged. Tries again for so long while nobody listens there.
    static Result<Client> connect(const std::string& socket, std::string_view program,
                                  std::chrono::milliseconds patience = {});

    int fd() const { return connection_.fd(); }
    // Frames that the next flush sends.
    std::string& out() { return out_; }
    Result<void> flush();
    // Reads once, and gives every whole reply to `take`.
    Result<void> read(const std::function<Result<void>(const wire::Reply&)>& take);
};

// Which of many clients have something to read.
class Poller {
    Fd epoll_;

public:
    Poller();
    void add(const Client& client, std::uint64_t number);
    std::vector<std::uint64_t> wait(std::chrono::milliseconds limit) const;
};

// "p50_ms": 0.1, "p95_ms": 0.2, "p99_ms": 0.3, "worst_ms": 0.4
std::string percentiles_json(std::vector<float>& milliseconds);

} // namespace jarvis::bench
