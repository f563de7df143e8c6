#include "config/settings.hpp"

#include <fstream>
#include <set>
#include <sstream>

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::config;

BOOST_AUTO_TEST_SUITE(documented_settings)

namespace {

std::string contents(const std::string& path)
{
    std::ifstream file(path);
    BOOST_REQUIRE_MESSAGE(file, path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string last_word(const std::string& key) { return key.substr(key.rfind('.') + 1); }

// The default file with every "#key = value" made a line that counts.
std::string uncommented(const std::string& text)
{
    std::istringstream lines(text);
    std::string result;
    for (std::string line; std::getline(lines, line); result += line + '\n')
        if (line.size() > 1 && line[0] == '#' && line[1] >= 'a' && line[1] <= 'z')
            line.erase(0, 1);
    return result;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_setting_is_described_once)
{
    std::set<std::string> keys;
    for (const auto& setting : settings()) {
        BOOST_TEST(keys.insert(setting.key).second, setting.key);
        BOOST_TEST(!setting.type.empty());
        BOOST_TEST(setting.text.ends_with('.'), setting.key);
        BOOST_TEST(!text(setting.needs).empty());
    }
    BOOST_TEST(keys.contains("controller.socket"));
    BOOST_TEST(keys.contains("partition.max_time"));
    BOOST_TEST(keys.contains("jnoded.limits.nofile"));
}

BOOST_AUTO_TEST_CASE(the_default_file_shows_every_key_with_its_default)
{
    const auto file = contents(JARVIS_SOURCE_DIR "/etc/jarvis.toml");
    const std::set<std::string> without_default{"jnoded.name", "jnoded.run_dir", "node.names", "node_class.name", "partition.name"};
    for (const auto& setting : settings()) {
        const auto word = last_word(setting.key);
        if (setting.key.starts_with("jnoded.limits.") && setting.default_value.empty())
            BOOST_TEST(file.find(' ' + word) != std::string::npos, setting.key);
        else if (without_default.contains(setting.key))
            BOOST_TEST(file.find('\n' + word + " = ") != std::string::npos, setting.key);
        else
            BOOST_TEST(file.find("\n#" + word + " = " + setting.default_value + '\n') != std::string::npos, setting.key);
    }
}

BOOST_AUTO_TEST_CASE(the_comments_of_the_default_file_are_true)
{
    const auto file = contents(JARVIS_SOURCE_DIR "/etc/jarvis.toml");
    auto as_it_is = parse_config(file, "jarvis.toml");
    auto all_keys = parse_config(uncommented(file), "jarvis.toml");
    BOOST_REQUIRE_MESSAGE(as_it_is, (as_it_is ? "" : as_it_is.error().text()));
    BOOST_REQUIRE_MESSAGE(all_keys, (all_keys ? "" : all_keys.error().text()));
    BOOST_TEST(to_text(*as_it_is) == to_text(*all_keys));
    BOOST_TEST(config_diff(*as_it_is, *all_keys).empty());
    BOOST_TEST(all_keys->places.size() > 45u);
}

BOOST_AUTO_TEST_CASE(the_manual_page_names_every_key)
{
    const auto page = contents(JARVIS_SOURCE_DIR "/man/jarvis.toml.5");
    for (const auto& setting : settings()) {
        if (setting.key.starts_with("jnoded.limits."))
            BOOST_TEST(page.find(last_word(setting.key)) != std::string::npos, setting.key);
        else
            BOOST_TEST(page.find(".It Cm " + setting.key + '\n') != std::string::npos, setting.key);
        if (!setting.default_value.empty() && setting.default_value != "\"\"" && setting.default_value.starts_with('"'))
            BOOST_TEST(page.find(setting.default_value.substr(1, setting.default_value.size() - 2)) != std::string::npos,
                       setting.key << " " << setting.default_value);
    }
}

BOOST_AUTO_TEST_SUITE_END()
