#include "client/find_socket.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace jarvis::client;

BOOST_AUTO_TEST_SUITE(find_socket)

BOOST_AUTO_TEST_CASE(the_scan_reads_what_is_plain)
{
    BOOST_TEST(scan_sockets("[cluster]\nname = 'x'\n[controller]\n# socket = \"/no\"\n socket = \"/a/b\" # here\n[log]\nsocket='no'\n")
                   ->controller.value() == "/a/b");
    BOOST_TEST(scan_sockets("[controller]\r\nsocket = '/a'\r\n")->controller.value() == "/a");
    BOOST_TEST(!scan_sockets("[controller]\nstate_dir = \"/s\"\n")->controller);
    BOOST_TEST(!scan_sockets("")->controller);
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
        "jnoded.socket = '/a'\n",
        "[jnoded]\n'socket' = '/a'\n",
    };
    for (const auto& text : gives_up)
        BOOST_TEST(!scan_sockets(text), text);
    BOOST_TEST(parse_sockets(gives_up[1], "f").value().controller.value() == "/a");
    BOOST_TEST(!parse_sockets(gives_up[0], "f").value().controller);
    BOOST_TEST(parse_sockets(gives_up[3], "f").value().controller.value() == "/a");
    BOOST_TEST(parse_sockets(gives_up[6], "f").value().controller.value() == "/ab");
}

BOOST_AUTO_TEST_CASE(the_parser_says_where_a_mistake_is)
{
    BOOST_TEST(parse_sockets("[controller]\nsocket = 5\n", "f.toml").error().message == "f.toml:2:10: controller.socket: expected a string");
    BOOST_TEST(parse_sockets("[controller\n", "f.toml").error().message.starts_with("f.toml:1:"));
}

BOOST_AUTO_TEST_CASE(the_nodes_socket_is_named_or_beside_the_controllers)
{
    const std::string text = "[jnoded.limits]\nNOFILE = 9\n[jnoded]\nsocket = \"/n\"\n[controller]\nsocket = '/c/jctld.sock'\n";
    BOOST_TEST(scan_sockets(text)->node_path() == "/n");
    BOOST_TEST(scan_sockets(text)->controller_path() == "/c/jctld.sock");
    BOOST_TEST(parse_sockets(text, "f").value().node_path() == "/n");
    BOOST_TEST(scan_sockets("[controller]\nsocket = '/c/jctld.sock'\n")->node_path() == "/c/jnoded.sock");
    BOOST_TEST(scan_sockets("[jnoded]\nsocket = ''\n")->node_path() == "/run/jarvis/jnoded.sock");
    BOOST_TEST(scan_sockets("[jnoded]\nsocket = 'none'\n")->node_path() == "");
    BOOST_TEST(parse_sockets("jnoded = { socket = 5 }\n", "f.toml").error().message.ends_with("jnoded.socket: expected a string"));
}

// A socket that is there is taken for one that answers; without any, the controller's is what is talked about.
BOOST_AUTO_TEST_CASE(the_controllers_socket_comes_first_if_it_is_there)
{
    char folder[] = "/tmp/find_socket.XXXXXX";
    BOOST_REQUIRE(::mkdtemp(folder));
    const std::string here = folder;
    const auto make = [&](const std::string& name) { std::ofstream(here + name) << "[controller]\nsocket = '" << here << "/c'\n"; };
    make("/conf");
    ::unsetenv("JARVIS_SOCKET");
    ::setenv("JARVIS_CONF", (here + "/conf").c_str(), 1);
    BOOST_TEST(jarvis::client::find_socket().value() == here + "/c");
    make("/jnoded.sock");
    BOOST_TEST(jarvis::client::find_socket().value() == here + "/jnoded.sock");
    make("/c");
    BOOST_TEST(jarvis::client::find_socket().value() == here + "/c");
    ::setenv("JARVIS_SOCKET", "/s", 1);
    BOOST_TEST(jarvis::client::find_socket().value() == "/s");
    ::unsetenv("JARVIS_SOCKET");
    ::setenv("JARVIS_CONF", (here + "/none").c_str(), 1);
    BOOST_TEST(jarvis::client::find_socket().error().message.find(here + "/none") != std::string::npos);
    ::unsetenv("JARVIS_CONF");
    std::filesystem::remove_all(here);
}

BOOST_AUTO_TEST_CASE(steps_are_asked_for_where_the_node_daemon_has_its_folder)
{
    using Paths = std::vector<std::string>;
    const Surroundings here{"n1.example.org", "", 7};
    BOOST_TEST(step_sockets("[jnoded]\nrun_dir = '/r'\n", "f", here).value() == Paths{"/r/steps.sock"});
    BOOST_TEST(step_sockets("", "f", here).value() ==
               (Paths{"/run/jarvis_jarvis_n1/steps.sock", "/run/jarvis_jarvis_n1_7/steps.sock", "/dev/shm/jarvis_jarvis_n1/steps.sock",
                      "/dev/shm/jarvis_jarvis_n1_7/steps.sock"}));
    const auto own = step_sockets("cluster.name = 'c'\njnoded = { name = 'x', state_dir = '/s' }\n", "f", {"h", "/run/user/7", 7}).value();
    BOOST_TEST(own.front() == "/run/user/7/jarvis_c_x/steps.sock");
    BOOST_TEST(own.back() == "/s/run_jarvis_c_x/steps.sock");
    BOOST_TEST(step_sockets("[jnoded\n", "f.toml", here).error().message.starts_with("f.toml:1:"));
}

BOOST_AUTO_TEST_SUITE_END()
