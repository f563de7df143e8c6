#include "config/config.hpp"

#include <cstdlib>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::config;

BOOST_AUTO_TEST_SUITE(found_defaults)

BOOST_AUTO_TEST_CASE(which_file)
{
    ::unsetenv("JARVIS_CONF");
    BOOST_TEST(find_config_path() == "/etc/jarvis/jarvis.toml");
    ::setenv("JARVIS_CONF", "", 1);
    BOOST_TEST(find_config_path() == "/etc/jarvis/jarvis.toml");
    ::setenv("JARVIS_CONF", "/x/j.toml", 1);
    BOOST_TEST(find_config_path() == "/x/j.toml");
    BOOST_TEST(find_config_path("mine.toml") == "mine.toml");
    ::unsetenv("JARVIS_CONF");
}

BOOST_AUTO_TEST_CASE(the_node_is_named_after_the_machine)
{
    Config config;
    auto name = node_name(config);
    BOOST_TEST(!name.empty());
    BOOST_TEST(name.find('.') == std::string::npos);
    config.jnoded.name = "n7";
    BOOST_TEST(node_name(config) == "n7");
}

BOOST_AUTO_TEST_CASE(sockets_for_metrics)
{
    Config config;
    BOOST_TEST(controller_metrics_socket(config) == "/run/jarvis/jctld-metrics.sock");
    config.controller.socket = "/x/c";
    config.jnoded.run_dir = "/x/run";
    BOOST_TEST(controller_metrics_socket(config) == "/x/c-metrics");
    BOOST_TEST(node_metrics_socket(config) == "/x/run/metrics.sock");
    config.controller.metrics_socket = config.jnoded.metrics_socket = "none";
    BOOST_TEST(controller_metrics_socket(config) + node_metrics_socket(config) == "");
    config.controller.metrics_socket = config.jnoded.metrics_socket = "/y";
    BOOST_TEST(controller_metrics_socket(config) + node_metrics_socket(config) == "/y/y");
}

BOOST_AUTO_TEST_CASE(the_run_time_folder)
{
    Config config;
    config.cluster.name = "demo";
    config.jnoded.name = "n7";
    auto folder = run_directory(config);
    BOOST_TEST(folder.starts_with('/'));
    BOOST_TEST(folder.find("jarvis_demo_n7") != std::string::npos);
    config.jnoded.run_dir = "/r";
    BOOST_TEST(run_directory(config) == "/r");
}

BOOST_AUTO_TEST_CASE(programs_and_plugins_that_belong_together)
{
    Config config;
    BOOST_TEST(plugin_directory(config).ends_with("/jarvis/plugins"));
    BOOST_TEST(shepherd_program(config).ends_with("jshepherd"));
    config.plugins.directory = "/p";
    config.jnoded.shepherd = "/s";
    BOOST_TEST(plugin_directory(config) == "/p");
    BOOST_TEST(shepherd_program(config) == "/s");
}

BOOST_AUTO_TEST_CASE(log_levels_from_the_command_line)
{
    BOOST_TEST((parse_log_level("warning").value() == LogLevel::warning));
    BOOST_TEST(name(LogLevel::warning) == "warning");
    BOOST_TEST(parse_log_level("debgu").error().message.find("did you mean \"debug\"?") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
