#include "client/find_socket.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis::client;

BOOST_AUTO_TEST_SUITE(find_socket)

BOOST_AUTO_TEST_CASE(the_scan_reads_what_is_plain)
{
    BOOST_TEST(scan_socket("[cluster]\nname = 'x'\n[controller]\n# socket = \"/no\"\n socket = \"/a/b\" # here\n[log]\nsocket='no'\n")
                   ->socket.value() == "/a/b");
    BOOST_TEST(scan_socket("[controller]\r\nsocket = '/a'\r\n")->socket.value() == "/a");
    BOOST_TEST(!scan_socket("[controller]\nstate_dir = \"/s\"\n")->socket);
    BOOST_TEST(!scan_socket("")->socket);
}

// Where the scan cannot be sure it says nothing; where it says something, the parser says the same.
BOOST_AUTO_TEST_CASE(the_scan_agrees_with_the_parser_or_gives_up)
{
    const std::vector<std::string> gives_up{
        "x = \"\"\"\n[controller]\nsocket='/no'\n\"\"\"\n",
        "[ controller ]\nsocket = '/a'\n",
        "[controller] # ours\nsocket = '/a'\n",
        "controller.socket = '/a'\n",
        "controller = { socket = '/a' }\n",
        "[controller]\n\"socket\" = '/a'\n",
        "[controller]\nsocket = \"/a\\u0062\"\n",
    };
    for (const auto& text : gives_up)
        BOOST_TEST(!scan_socket(text), text);
    BOOST_TEST(parse_socket(gives_up[1], "f").value().value() == "/a");
    BOOST_TEST(!parse_socket(gives_up[0], "f").value());
    BOOST_TEST(parse_socket(gives_up[3], "f").value().value() == "/a");
    BOOST_TEST(parse_socket(gives_up[6], "f").value().value() == "/ab");
}

BOOST_AUTO_TEST_CASE(the_parser_says_where_a_mistake_is)
{
    BOOST_TEST(parse_socket("[controller]\nsocket = 5\n", "f.toml").error().message == "f.toml:2:10: controller.socket: expected a string");
    BOOST_TEST(parse_socket("[controller\n", "f.toml").error().message.starts_with("f.toml:1:"));
}

BOOST_AUTO_TEST_SUITE_END()
