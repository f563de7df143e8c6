#include "pki/peer_check.hpp"

#include "base/units.hpp"
#include "pki/openssl.hpp"

namespace jarvis::pki {

namespace {

// "certificate of node n3 (of cluster \"other\", c1f8...)"
Error of_another_cluster(const Certificate& peer, const Identity& identity, const Expected& expected)
{
    const auto name = peer.cluster_name();
    return {Errc::invalid, fmt::format("{} is of another cluster: of \"{}\" with the UUID {}, and this is \"{}\" with the UUID {}",
                                       describe(peer), name.empty() ? "?" : name, to_string(identity.cluster),
                                       expected.cluster_name, to_string(expected.cluster))};
}

} // namespace

Result<void> check_validity(const Certificate& certificate, WallTime now)
{
    if (now > certificate.not_after())
        return fail(Errc::unavailable, "{} expired on {}; renew it with jadmin pki renew", describe(certificate),
                    format_rfc3339(certificate.not_after()));
    if (now < certificate.not_before())
        return fail(Errc::unavailable, "{} is not valid before {}, and here it is {}; are the clocks apart?", describe(certificate),
                    format_rfc3339(certificate.not_before()), format_rfc3339(now));
    return {};
}

Result<void> check_peer(const Certificate& peer, const Expected& expected, WallTime now, int chain_error)
{
    const auto identity = peer.identity();
    if (!identity)
        return fail(Error{Errc::denied, identity.error().message}, "{}", describe(peer));
    // Another cluster's certificate fails the check of the chain too; what it says of itself explains that better.
    if (identity->cluster != expected.cluster)
        return std::unexpected(of_another_cluster(peer, *identity, expected));
    const bool of_time = chain_error == X509_V_ERR_CERT_HAS_EXPIRED || chain_error == X509_V_ERR_CERT_NOT_YET_VALID;
    if (chain_error != X509_V_OK && !of_time)
        return fail(Errc::denied, "{} was not made by the certificate authority of this cluster ({})", describe(peer),
                    X509_verify_cert_error_string(chain_error));
    if (auto valid = check_validity(peer, now); !valid)
        return valid;
    if (of_time) // OpenSSL looked a moment ago, or at the authority
        return fail(Errc::unavailable, "{} cannot be checked: {}", describe(peer), X509_verify_cert_error_string(chain_error));
    if (identity->role != expected.role)
        return fail(Errc::invalid, "{} cannot be used here: a {} is expected", describe(peer), name(expected.role));
    return {};
}

std::optional<std::string> expiry_warning(const Certificate& certificate, WallTime now)
{
    const auto left = certificate.not_after() - now;
    if (left > warn_ahead)
        return {};
    const auto when = format_rfc3339(certificate.not_after());
    if (left < left.zero())
        return fmt::format("{} expired on {}", describe(certificate), when);
    const auto days = std::chrono::floor<std::chrono::days>(left).count();
    if (days == 0)
        return fmt::format("{} expires on {}, in less than a day", describe(certificate), when);
    return fmt::format("{} expires on {}, in {} day{}", describe(certificate), when, days, days == 1 ? "" : "s");
}

} // namespace jarvis::pki
