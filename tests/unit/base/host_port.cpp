#include "base/host_port.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(host_port)

BOOST_AUTO_TEST_CASE(names_and_addresses_with_and_without_a_port)
{
    const auto read = [](std::string_view text) { return *parse_host_port(text, 6820); };
    BOOST_TEST((read("head") == HostPort{"head", 6820}));
    BOOST_TEST((read("head.example.org:7000") == HostPort{"head.example.org", 7000}));
    BOOST_TEST((read("0.0.0.0:6820") == HostPort{"0.0.0.0", 6820}));
    BOOST_TEST((read("[::]:6821") == HostPort{"::", 6821}));
    BOOST_TEST((read("[fe80::1%eth0]:6821") == HostPort{"fe80::1%eth0", 6821}));
    BOOST_TEST((read("fd00::7") == HostPort{"fd00::7", 6820}));
    BOOST_TEST((read("1:2:3:4:5:6:7:8") == HostPort{"1:2:3:4:5:6:7:8", 6820}));
    BOOST_TEST((read("0:0:0:0:0:FFFF:10.0.0.1") == HostPort{"0:0:0:0:0:FFFF:10.0.0.1", 6820}));
    BOOST_TEST((read("[::ffff:10.0.0.1]:7000") == HostPort{"::ffff:10.0.0.1", 7000}));
    for (auto text : {"head:6820", "[fd00::7]:6820", "10.0.0.1:0"})
        BOOST_TEST(to_string(read(text)) == text);
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused)
{
    for (auto text : {"", ":6820", "head:", "head:x", "head:65536", "head:-1", "he ad:1", "[::1", "[]:1", "[head]:1", "[::1]x", "a:b:c", "head:1:2", "1:2:3:4:5:6:7", "x::1", "[]", "[::g]:1"})
        BOOST_TEST(!parse_host_port(text, 6820), text);
    BOOST_TEST(parse_host_port("head:65536", 6820).error().message == "\"head:65536\": \"65536\" is no port; they go to 65535");
}

BOOST_AUTO_TEST_SUITE_END()
