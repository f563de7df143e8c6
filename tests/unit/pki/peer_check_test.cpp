#include "pki/peer_check.hpp"

#include "temporary_pki.hpp"

#include <openssl/x509_vfy.h>

using namespace jarvis;
using namespace jarvis::pki;

namespace {

struct Checked : TemporaryPki {
    Certificate authority = make().front().certificate;
    Certificate n1 = node("n1");
    Uuid cluster = authority.identity()->cluster;

    Result<void> check(const Certificate& peer, Role role = Role::node, WallTime now = noon, int chain = 0)
    {
        return check_peer(peer, {.role = role, .cluster = cluster, .cluster_name = "hpc"}, now, chain);
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(peer_check, Checked)

BOOST_AUTO_TEST_CASE(a_node_of_this_cluster_is_accepted)
{
    BOOST_TEST(check(n1).has_value());
}

BOOST_AUTO_TEST_CASE(another_role_is_refused_by_name)
{
    const auto refused = check(n1, Role::controller);
    BOOST_TEST(failure(refused) == "certificate of node n1 cannot be used here: a controller is expected");
}

BOOST_AUTO_TEST_CASE(another_cluster_is_refused_naming_both)
{
    TemporaryPki other;
    const auto uuid = other.make("lab").front().certificate.identity()->cluster;
    const auto refused = check(other.node("n1"), Role::node, noon, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    BOOST_TEST(has(failure(refused), "certificate of node n1 is of another cluster: of \"lab\" with the UUID " + to_string(uuid)));
    BOOST_TEST(has(failure(refused), "this is \"hpc\" with the UUID " + to_string(cluster)));
}

BOOST_AUTO_TEST_CASE(another_authority_that_claims_the_same_cluster_is_refused)
{
    TemporaryPki other;
    BOOST_REQUIRE(init(other.path, "hpc", cluster, {.now = noon}));
    const auto refused = check(other.node("n1"), Role::node, noon, X509_V_ERR_CERT_SIGNATURE_FAILURE);
    BOOST_TEST(has(failure(refused), "was not made by the certificate authority of this cluster"));
    BOOST_TEST((refused.error().code == Errc::denied));
}

BOOST_AUTO_TEST_CASE(times_are_named)
{
    const auto expired = check(n1, Role::node, noon + days(400));
    BOOST_TEST(has(failure(expired), "certificate of node n1 expired on 2027-"));
    BOOST_TEST(has(failure(expired), "jadmin pki renew"));
    const auto early = check(n1, Role::node, noon - days(1));
    BOOST_TEST(has(failure(early), "is not valid before 2026-"));
    BOOST_TEST(has(failure(early), "are the clocks apart?"));
    BOOST_TEST((early.error().code == Errc::unavailable));
    // A clock that is a little behind does no harm.
    BOOST_TEST(check(n1, Role::node, noon - std::chrono::minutes(4)).has_value());
}

BOOST_AUTO_TEST_CASE(the_end_is_warned_of_thirty_days_ahead)
{
    BOOST_TEST(!expiry_warning(n1, n1.not_after() - days(31)));
    BOOST_TEST(has(*expiry_warning(n1, n1.not_after() - days(30)), "certificate of node n1 expires on 2027-"));
    BOOST_TEST(has(*expiry_warning(n1, n1.not_after() - days(30)), "in 30 days"));
    BOOST_TEST(has(*expiry_warning(n1, n1.not_after() - days(1)), "in 1 day"));
    BOOST_TEST(has(*expiry_warning(n1, n1.not_after() - std::chrono::hours(5)), "in less than a day"));
    BOOST_TEST(has(*expiry_warning(n1, n1.not_after() + days(1)), "expired on 2027-"));
}

BOOST_AUTO_TEST_SUITE_END()
