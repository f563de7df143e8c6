#include "config/settings.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::config;

BOOST_AUTO_TEST_SUITE(differences_and_text)

namespace {

Config loaded(std::string_view text)
{
    auto config = parse_config(text, "j.toml");
    BOOST_REQUIRE_MESSAGE(config, (config ? "" : config.error().text()));
    return std::move(*config);
}

std::string diff(std::string_view before, std::string_view after)
{
    std::string lines;
    for (const auto& change : config_diff(loaded(before), loaded(after)))
        lines += to_string(change) + '\n';
    return lines;
}

constexpr std::string_view rich = R"(
[cluster]
name = "demo"
[controller]
heartbeat = "250ms"
[limits]
script_size = "1025K"
[security]
admins = ["a\"b\\c", "ü"]
[log]
file = "/tmp/a\tb.log"
[jnoded]
name = "z9"
[jnoded.limits]
stack = "8M:unlimited"
[plugin.runtime.native]
"odd key" = "x"
[plugin.storage.sqlite]
n = -5
on = false
[[node]]
names = "z9,a1,n[001-128]"
cores = 4
[[node]]
names = "b1"
memory = "3G"
[[partition]]
name = "p"
nodes = "n[001-010],b1"
max_time = "unlimited"
state = "down"
[[partition]]
name = "q"
default = true
default_time = "unlimited"
confinement = "none"
default_memory_per_cpu = "1.5G"
)";

} // namespace

BOOST_AUTO_TEST_CASE(the_printed_configuration_is_read_back)
{
    for (auto text : {std::string_view(), rich}) {
        auto config = loaded(text);
        auto again = loaded(to_text(config));
        BOOST_TEST(to_text(again) == to_text(config));
        BOOST_TEST(config_diff(config, again).empty());
        BOOST_REQUIRE_EQUAL(again.nodes.size(), config.nodes.size());
        for (std::size_t i = 0; i < config.nodes.size(); ++i)
            BOOST_TEST(again.nodes[i].name == config.nodes[i].name);
    }
}

BOOST_AUTO_TEST_CASE(equal_ones_differ_in_nothing)
{
    BOOST_TEST(diff("", "") == "");
    BOOST_TEST(diff("", "[controller]\nheartbeat = \"10s\"\n") == ""); // the default, written out
    BOOST_TEST(diff(rich, rich) == "");
}

BOOST_AUTO_TEST_CASE(values_and_what_they_need)
{
    BOOST_TEST(diff("", "[controller]\nheartbeat = \"5s\"\n") ==
               "controller.heartbeat: \"10s\" -> \"5s\" (needs jadmin reconfigure)\n");
    BOOST_TEST(diff("[controller]\nsocket = \"/run/x\"\n", "") ==
               "controller.socket: \"/run/x\" -> \"/run/jarvis/jctld.sock\" (needs a restart of jctld and jnoded)\n");
    BOOST_TEST(diff("", "[jnoded.limits]\nstack = \"8M\"\n") ==
               "jnoded.limits.stack: (none) -> \"8388608\" (needs a restart of jnoded)\n");
    BOOST_TEST(diff("[plugin.storage.sqlite]\na = 1\n", "[plugin.storage.sqlite]\nb = true\n") ==
               "plugin.storage.sqlite.a: 1 -> (none) (needs a restart of jctld)\n"
               "plugin.storage.sqlite.b: (none) -> true (needs a restart of jctld)\n");
    BOOST_TEST(diff("", "[cluster]\nname = \"x\"\n").find("(needs a new cluster: it is fixed by the first start)") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(nodes_that_change_alike_are_one_line)
{
    BOOST_TEST(diff("[[node]]\nnames = \"n[1-100]\"\n", "[[node]]\nnames = \"n[1-50]\"\ncores = 4\n[[node]]\nnames = \"n[51-100]\"\n") ==
               "node.n[1-50].cores: 0 -> 4 (needs jadmin reconfigure)\n");
    BOOST_TEST(diff("[[node]]\nnames = \"n[1-4]\"\n", "[[node]]\nnames = \"n[3-6]\"\nmemory = \"1G\"\n") ==
               "node.n[1-2]: {} -> (none) (needs jadmin reconfigure)\n"
               "node.n[3-4].memory: \"\" -> \"1G\" (needs jadmin reconfigure)\n"
               "node.n[5-6]: (none) -> { memory = \"1G\" } (needs jadmin reconfigure)\n");
}

BOOST_AUTO_TEST_CASE(partitions)
{
    const std::string base = "[[node]]\nnames = \"n[1-4]\"\n[[partition]]\nname = \"p\"\ndefault = true\n";
    BOOST_TEST(diff(base, base + "nodes = \"n[2,1]\"\nmax_time = \"2h\"\n") ==
               "partition.p.nodes: \"ALL\" -> \"n[1-2]\" (needs jadmin reconfigure)\n"
               "partition.p.max_time: \"unlimited\" -> \"2h\" (needs jadmin reconfigure)\n");
    BOOST_TEST(diff(base, base + "[[partition]]\nname = \"q\"\nstate = \"down\"\n") ==
               "partition.q: (none) -> { default = false, state = \"down\" } (needs jadmin reconfigure)\n");
    BOOST_TEST(diff(base + "[[partition]]\nname = \"q\"\n", base) ==
               "partition.q: { default = false } -> (none) (needs jadmin reconfigure)\n");
}

BOOST_AUTO_TEST_SUITE_END()
