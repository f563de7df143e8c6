#include "wire/hello.hpp"

#include "base/version.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace std::chrono_literals;

namespace {

const WallTime noon{std::chrono::seconds(1'800'000'000)};
const wire::ClusterIdentity ours{"jarvis", std::string(16, 'u')};

wire::Hello good()
{
    auto hello = wire::make_hello(wire::Hello::NODE, "jnoded", noon);
    hello.set_cluster_name(ours.name);
    hello.set_cluster_uuid(ours.uuid);
    hello.set_node_name("n1");
    return hello;
}

std::string refusal(const wire::Hello& hello)
{
    auto checked = wire::check_hello(hello, ours, "node n1");
    return checked ? "" : checked.error().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(hello)

BOOST_AUTO_TEST_CASE(good_hellos_pass)
{
    BOOST_TEST(refusal(good()) == "");
    BOOST_TEST(good().software() == fmt::format("jnoded {}", version));
    auto newer_minor = good();
    newer_minor.set_protocol_minor(99);
    BOOST_TEST(refusal(newer_minor) == "");
    BOOST_TEST(refusal(wire::make_hello(wire::Hello::CLIENT, "jq", noon)) == "");
}

BOOST_AUTO_TEST_CASE(another_protocol_is_refused_naming_both)
{
    auto hello = good();
    hello.set_protocol_major(wire::protocol_major + 1);
    hello.set_software("jnoded 9.0.0");
    auto text = refusal(hello);
    BOOST_TEST(text.find("node n1 (jnoded 9.0.0) speaks protocol 2.2") == 0u);
    BOOST_TEST(text.find("with protocol 1.2") != std::string::npos);
    BOOST_TEST(refusal(wire::Hello()).find("unknown software") != std::string::npos); // an empty message is no Hello
}

BOOST_AUTO_TEST_CASE(another_cluster_is_refused)
{
    auto hello = good();
    hello.set_cluster_name("friday");
    BOOST_TEST(refusal(hello) == "node n1 is of cluster \"friday\", this is cluster \"jarvis\"");
    hello = good();
    hello.set_cluster_uuid(std::string(16, 'x'));
    BOOST_TEST(refusal(hello).find("another UUID (7878") != std::string::npos);
    hello.set_cluster_uuid("short");
    BOOST_TEST(refusal(hello).find("16 bytes, not 5") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(oversized_and_unknown_fields_are_refused)
{
    auto hello = good();
    hello.set_node_name(std::string(2000, 'n'));
    BOOST_TEST(refusal(hello).find("node name: 2000 bytes") != std::string::npos);
    hello = good();
    hello.set_role(static_cast<wire::Hello::Role>(7));
    BOOST_TEST(refusal(hello) == "node n1: there is no role 7");
}

BOOST_AUTO_TEST_CASE(a_refusal_comes_back_as_its_error)
{
    auto hello = wire::refusing_hello("jctld", noon, {Errc::denied, "no node n1 is declared"});
    auto checked = wire::check_hello(hello, ours, "the controller");
    BOOST_REQUIRE(!checked.has_value());
    BOOST_TEST((checked.error() == Error{Errc::denied, "no node n1 is declared"}));
}

BOOST_AUTO_TEST_CASE(clock_skew_is_said)
{
    BOOST_TEST(!wire::clock_skew(good(), noon + 5s, "node n1"));
    BOOST_TEST(wire::clock_skew(good(), noon + 7250ms, "node n1").value() == "the clock of node n1 is 7.2 s behind");
    BOOST_TEST(wire::clock_skew(good(), noon - 3600s, "node n1").value() == "the clock of node n1 is 3600.0 s ahead");
    auto hello = good();
    hello.set_wall_us(-1);
    BOOST_TEST(wire::clock_skew(hello, noon, "node n1").value().find("makes no sense") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
