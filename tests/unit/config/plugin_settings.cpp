#include "config/plugin_settings.hpp"

#include <vector>

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::config;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(settings_of_plugins)

namespace {

const std::vector<SettingSchema> schema{
    {"path", SettingType::string, std::nullopt, "", "Where."},
    {"mode", SettingType::string, "", "", "How."},
    {"threads", SettingType::integer, "2", "threads", "How many."},
    {"sync", SettingType::boolean, "true", "", "Whether."},
    {"wait", SettingType::duration, "30s", "", "How long."},
    {"cache", SettingType::size, "16M", "", "How much."},
};

std::expected<SettingValues, Problems> checked(const std::string& lines, std::span<const SettingSchema> of = schema)
{
    auto config = parse_config("[plugin.storage.sqlite]\n" + lines, "j.toml");
    BOOST_REQUIRE_MESSAGE(config, (config ? "" : config.error().text()));
    return check_plugin_settings(of, config->plugin_section("storage", "sqlite"), "plugin.storage.sqlite", "j.toml");
}

} // namespace

BOOST_AUTO_TEST_CASE(defaults_and_given_values)
{
    auto values = checked("path = \"/x\"\ncache = 64\nwait = \"1h\"\n");
    BOOST_REQUIRE(values);
    BOOST_TEST(values->size() == 6u);
    BOOST_TEST(std::get<std::string>(values->at("path")) == "/x");
    BOOST_TEST(std::get<std::string>(values->at("mode")) == "");
    BOOST_TEST(std::get<std::int64_t>(values->at("threads")) == 2);
    BOOST_TEST(std::get<bool>(values->at("sync")));
    BOOST_TEST((std::get<Duration>(values->at("wait")) == 1h));
    BOOST_TEST(std::get<MemorySize>(values->at("cache")).bytes == 64 << 20);
    BOOST_TEST(to_string(values->at("path")) == "\"/x\"");
    BOOST_TEST(to_string(values->at("threads")) == "2");
    BOOST_TEST(to_string(values->at("sync")) == "true");
    BOOST_TEST(to_string(values->at("wait")) == "\"1h\"");
    BOOST_TEST(to_string(values->at("cache")) == "\"64M\"");
}

BOOST_AUTO_TEST_CASE(everything_wrong_is_said_at_its_place)
{
    auto values = checked("path = \"/x\"\ncahce = \"1M\"\nthreads = \"two\"\nsync = 1\nwait = false\n");
    BOOST_REQUIRE(!values);
    BOOST_TEST(values.error().text() ==
               "j.toml:3:1: plugin.storage.sqlite.cahce: unknown key; did you mean \"cache\"?\n"
               "j.toml:4:11: plugin.storage.sqlite.threads: expected an integer, found a string\n"
               "j.toml:5:8: plugin.storage.sqlite.sync: expected true or false, found an integer\n"
               "j.toml:6:8: plugin.storage.sqlite.wait: expected a duration such as \"30m\", found a boolean");
}

BOOST_AUTO_TEST_CASE(a_required_setting_must_be_there)
{
    auto values = checked("");
    BOOST_REQUIRE(!values);
    BOOST_TEST(values.error().text() == "j.toml:1:1: plugin.storage.sqlite.path: is missing; this plugin cannot do without it");
    auto none = check_plugin_settings(schema, nullptr, "plugin.storage.sqlite", "j.toml");
    BOOST_REQUIRE(!none);
    BOOST_TEST(none.error().text() == "j.toml: plugin.storage.sqlite.path: is missing; this plugin cannot do without it");
    BOOST_TEST(check_plugin_settings({}, nullptr, "plugin.storage.sqlite", "j.toml").value().empty());
}

BOOST_AUTO_TEST_CASE(a_wrong_default_is_the_plugins_fault)
{
    const std::vector<SettingSchema> wrong{{"n", SettingType::integer, "many", "", ""},
                                           {"b", SettingType::boolean, "yes", "", ""}};
    auto values = checked("", wrong);
    BOOST_REQUIRE(!values);
    BOOST_TEST(values.error().list.size() == 2u);
    BOOST_TEST(values.error().text().find("the plugin's own default is wrong: expected an integer") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(keys_with_escapes_are_shown_safely)
{
    auto values = checked("path = \"/x\"\n\"a\\u001b[31m\" = 1\n");
    BOOST_REQUIRE(!values);
    BOOST_TEST(values.error().text().find("a\\x1b[31m: unknown key") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
