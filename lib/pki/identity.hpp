// Who a certificate is for. It stands in the certificate as a URI, jarvis://CLUSTER_UUID/node/n1, and is all that counts:
// addresses and host names are no part of it, so a node may move.
#pragma once

#include "base/result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace jarvis::pki {

using Uuid = std::array<std::uint8_t, 16>;

// "c1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3b"
std::string to_string(const Uuid& uuid);
Result<Uuid> parse_uuid(std::string_view text);
// RFC 9562, version 4.
Result<Uuid> random_uuid();

enum class Role : std::uint8_t { authority, controller, node };
std::string_view name(Role role); // "node"

struct Identity {
    Role role = Role::node;
    std::string name; // of the node or controller; of an authority the cluster's name
    Uuid cluster{};

    friend bool operator==(const Identity&, const Identity&) = default;
};

// "node n1", "controller head", "certificate authority of cluster jarvis"
std::string describe(const Identity& identity);
std::string to_uri(const Identity& identity);
Result<Identity> parse_uri(std::string_view uri);

// At most 32 letters, digits, '-' and '_', as in the configuration.
bool is_cluster_name(std::string_view name);

} // namespace jarvis::pki
