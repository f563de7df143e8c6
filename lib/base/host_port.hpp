// Addresses as people write them: "head:6820", "10.0.0.1:6820", "[fd00::1]:6820".
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace jarvis {

struct HostPort {
    std::string host; // a name or a numeric address, without brackets
    std::uint16_t port = 0;

    friend bool operator==(const HostPort&, const HostPort&) = default;
};

// An IPv6 address stands in brackets when a port follows it. Without a port it is the default one.
Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port);
std::string to_string(const HostPort& address);

} // namespace jarvis
