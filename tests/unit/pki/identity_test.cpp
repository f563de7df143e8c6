#include "pki/identity.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::pki;

BOOST_AUTO_TEST_SUITE(identity)

BOOST_AUTO_TEST_CASE(uuids_are_written_and_read)
{
    const std::string text = "c1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3b";
    const auto uuid = parse_uuid(text);
    BOOST_REQUIRE(uuid);
    BOOST_TEST(to_string(*uuid) == text);
    BOOST_TEST(to_string(*parse_uuid("C1F8F7B2-8A4E-4C2D-9F3B-2F7C6D5E4A3B")) == text);
    for (auto wrong : {"", "c1f8f7b2", "c1f8f7b28a4e-4c2d-9f3b-2f7c6d5e4a3b0", "g1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3b",
                       "c1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3-", "c1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3b5"})
        BOOST_TEST(!parse_uuid(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(random_uuids_differ_and_are_of_version_4)
{
    const auto one = random_uuid(), other = random_uuid();
    BOOST_REQUIRE((one && other));
    BOOST_TEST((*one != *other));
    BOOST_TEST(to_string(*one)[14] == '4');
}

BOOST_AUTO_TEST_CASE(an_identity_is_a_uri)
{
    const Identity node{Role::node, "n1.rack-2", *parse_uuid("c1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3b")};
    BOOST_TEST(to_uri(node) == "jarvis://c1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3b/node/n1.rack-2");
    BOOST_TEST((parse_uri(to_uri(node)) == node));
    const Identity authority{Role::authority, "hpc_1", node.cluster};
    BOOST_TEST((parse_uri(to_uri(authority)) == authority));
    BOOST_TEST(describe(authority) == "certificate authority of cluster hpc_1");
    BOOST_TEST(describe(Identity{Role::controller, "controller", {}}) == "controller controller");
}

BOOST_AUTO_TEST_CASE(other_uris_are_no_identity)
{
    const std::string uuid = "c1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3b";
    for (const std::string& wrong : std::vector<std::string>{"https://example.org/", "jarvis://" + uuid, "jarvis://" + uuid + "/node",
                                     "jarvis://" + uuid + "/node/", "jarvis://" + uuid + "/node/n1/x", "jarvis://" + uuid + "/user/n1",
                                     "jarvis://" + uuid + "/node/n\n1", "jarvis://x/node/n1", "jarvis://" + uuid + "x/node/n1"})
        BOOST_TEST(!parse_uri(wrong), wrong);
}

BOOST_AUTO_TEST_SUITE_END()
