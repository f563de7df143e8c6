// The first message of either side: which protocol, which cluster, whose clock.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "common.pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jarvis::wire {

// Another major number is another language: the connection is refused, naming both. A minor number counts additions.
constexpr std::uint32_t protocol_major = 1;
constexpr std::uint32_t protocol_minor = 2;
constexpr std::uint32_t minor_with_members = 1; // the first whose node daemons know jobs over several nodes
constexpr std::uint32_t minor_with_steps = 2;   // ... run steps, answer questions, and let jobs stand still
constexpr std::size_t cluster_uuid_size = 16;

// "jctld 0.1.0"
std::string software(std::string_view program);

// A Hello with protocol, software and clock filled in.
Hello make_hello(Hello::Role role, std::string_view program, WallTime now);
// A controller's Hello that ends the connection.
Hello refusing_hello(std::string_view program, WallTime now, const jarvis::Error& why);

// What we know of the cluster; empty is "not known" and matches everything, on either side.
struct ClusterIdentity {
    std::string name;
    std::string uuid; // 16 bytes
};

// The other side's Hello: sane, of our protocol, of our cluster. A refusal in it comes back as that error. `peer` says who
// sent it ("the controller"), for the message.
Result<void> check_hello(const Hello& theirs, const ClusterIdentity& ours, std::string_view peer);

// "the clock of node n12 is 7.2 s ahead", when it differs from ours by more than the tolerance.
std::optional<std::string> clock_skew(const Hello& theirs, WallTime now, std::string_view peer,
                                      Duration tolerance = std::chrono::seconds(5));

} // namespace jarvis::wire
