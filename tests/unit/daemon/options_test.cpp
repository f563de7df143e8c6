#include "daemon/options.hpp"

#include <CLI/CLI.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>

using namespace jarvis;

namespace {

struct Parsed {
    daemon::CommonOptions options;
    std::optional<int> exit;
};

Parsed parse(std::vector<const char*> arguments)
{
    arguments.insert(arguments.begin(), "jctld");
    CLI::App app{"test", "jctld"};
    Parsed parsed;
    daemon::add_common_options(app, parsed.options);
    parsed.exit = daemon::parse_options(app, static_cast<int>(arguments.size()), arguments.data(), parsed.options);
    return parsed;
}

} // namespace

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(configuration_file)
{
    ::unsetenv("JARVIS_CONF");
    BOOST_TEST(parse({}).options.config == "/etc/jarvis/jarvis.toml");
    ::setenv("JARVIS_CONF", "/x/y.toml", 1);
    BOOST_TEST(parse({}).options.config == "/x/y.toml");
    BOOST_TEST(parse({"--config", "z.toml"}).options.config == "z.toml");
    ::unsetenv("JARVIS_CONF");
}

BOOST_AUTO_TEST_CASE(log_options_win_over_the_configuration)
{
    auto plain = parse({}).options.log_options("jctld", "/var/log/j", "warning", "json").value();
    BOOST_TEST(plain.file == "/var/log/j");
    BOOST_TEST((plain.level == daemon::LogLevel::warning && plain.format == daemon::LogFormat::json));
    auto typed = parse({"--log-file", "-", "--log-level", "debug", "--log-format=text"})
                     .options.log_options("jctld", "/var/log/j", "warning", "json")
                     .value();
    BOOST_TEST(typed.file == "");
    BOOST_TEST((typed.level == daemon::LogLevel::debug && typed.format == daemon::LogFormat::text));
    BOOST_TEST(parse({"--log-file=x"}).options.log_options("jctld", "/var/log/j", "info", "text").value().file == "x");
    BOOST_TEST(!parse({}).options.log_options("jctld", "", "loud", "json").has_value());
}

BOOST_AUTO_TEST_CASE(exit_codes)
{
    BOOST_TEST(parse({"--check-config"}).options.check_config);
    BOOST_TEST(!parse({"--check-config"}).exit.has_value());
    BOOST_TEST(parse({"--help"}).exit.value() == 0);
    BOOST_TEST(parse({"--version"}).exit.value() == 0);
    BOOST_TEST(parse({"--log-level", "loud"}).exit.value() == 2);
    BOOST_TEST(parse({"--no-such-option"}).exit.value() == 2);
    BOOST_TEST(parse({"stray"}).exit.value() == 2);
}

BOOST_AUTO_TEST_SUITE_END()
