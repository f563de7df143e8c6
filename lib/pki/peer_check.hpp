// What is said of a peer's certificate: the same words wherever it is refused.
#pragma once

#include "pki/certificate.hpp"

namespace jarvis::pki {

// Who is expected at the other end.
struct Expected {
    Role role = Role::controller;
    Uuid cluster{};
    std::string cluster_name; // for messages
};

// What is to be told of a certificate for which OpenSSL's check of the chain (an X509_V_ERR number; 0: none) or ours
// fails. Errc says why: invalid for another role or cluster, unavailable for a time at which it is not valid (that may
// pass, or be a wrong clock), denied for anything else.
Result<void> check_peer(const Certificate& peer, const Expected& expected, WallTime now, int chain_error = 0);

// Whether it is valid at this time; the message names it, and both times.
Result<void> check_validity(const Certificate& certificate, WallTime now);

// How long before its end a certificate is warned of.
constexpr auto warn_ahead = std::chrono::days(30);
// "certificate of node n1 expires on 2026-12-01T12:00:00+00:00, in 12 days"; nothing when that is far off.
std::optional<std::string> expiry_warning(const Certificate& certificate, WallTime now);

} // namespace jarvis::pki
