#include "config/settings.hpp"
#include "config/config.hpp"

#include <cstdio>
#include <fstream>

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::config;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(loading)

namespace {

Config loaded(std::string_view text)
{
    auto config = parse_config(text, "j.toml");
    BOOST_REQUIRE_MESSAGE(config, (config ? "" : config.error().text()));
    return std::move(*config);
}

std::string refused(std::string_view text)
{
    auto config = parse_config(text, "j.toml");
    BOOST_REQUIRE_MESSAGE(!config, text << " was taken");
    return config.error().text();
}

bool has(const std::string& text, std::string_view part)
{
    if (text.find(part) != std::string::npos)
        return true;
    BOOST_TEST_MESSAGE("not found: " << part << "\nin: " << text);
    return false;
}

} // namespace

BOOST_AUTO_TEST_CASE(an_empty_file_is_all_defaults)
{
    auto config = loaded("");
    BOOST_TEST(config.cluster.name == "jarvis");
    BOOST_TEST(config.controller.socket == "/run/jarvis/jctld.sock");
    BOOST_TEST((config.controller.heartbeat == 10s));
    BOOST_TEST(config.nodes.empty());
    BOOST_TEST(config.default_partition() == nullptr);
}

BOOST_AUTO_TEST_CASE(a_whole_file)
{
    auto config = loaded(R"(
[cluster]
name = "demo"
first_job_id = 1000
[controller]
keep_ended = 90
heartbeat = "200ms"
[limits]
script_size = "1.5M"
pending_jobs = 10
[security]
admins = ["root", "alice"]
personal = true
[log]
level = "debug"
format = "json"
[jnoded]
cgroup = "none"
[jnoded.limits]
core = "unlimited"
stack = "8M:unlimited"
nproc = 100
[plugin.storage.sqlite]
cache = "64M"
synchronous = true
busy = 5
[[node]]
names = "n[1-3]"
cores = 4
memory = "16G"
[[node]]
names = "big"
[[partition]]
name = "batch"
nodes = "n[3,1]"
max_time = "30m"
confinement = "track"
default_memory_per_cpu = "2G"
)");
    BOOST_TEST(config.cluster.name == "demo");
    BOOST_TEST(config.cluster.first_job_id.value == 1000u);
    BOOST_TEST((config.controller.keep_ended == 90min));
    BOOST_TEST((config.controller.heartbeat == 200ms));
    BOOST_TEST(config.limits.script_size.bytes == 1536 * 1024);
    BOOST_TEST(config.limits.pending_jobs == 10u);
    BOOST_TEST((config.security.admins == std::vector<std::string>{"root", "alice"}));
    BOOST_TEST(config.security.personal);
    BOOST_TEST((config.log.level == LogLevel::debug));
    BOOST_TEST((config.log.format == LogFormat::json));
    const std::vector<ResourceLimit> limits{
        {"CORE", unlimited, unlimited}, {"NOFILE", 1024, 524288}, {"NPROC", 100, 100}, {"STACK", 8 << 20, unlimited}};
    BOOST_TEST((config.jnoded.limits == limits));
    const auto* section = config.plugin_section("storage", "sqlite");
    BOOST_REQUIRE(section);
    BOOST_REQUIRE_EQUAL(section->settings.size(), 3u);
    BOOST_TEST(section->settings[0].name == "cache");
    BOOST_TEST(std::get<std::string>(section->settings[0].value) == "64M");
    BOOST_TEST(std::get<bool>(section->settings[1].value));
    BOOST_TEST(std::get<std::int64_t>(section->settings[2].value) == 5);
    BOOST_TEST(config.plugin_section("storage", "memory") == nullptr);
    BOOST_REQUIRE_EQUAL(config.nodes.size(), 4u);
    BOOST_TEST(config.nodes[2].name == "n3");
    BOOST_TEST(config.nodes[2].cores == 4u);
    BOOST_TEST(config.nodes[2].memory->bytes == std::int64_t{16} << 30);
    BOOST_TEST(!config.nodes[3].memory.has_value());
    const auto* batch = config.default_partition();
    BOOST_REQUIRE(batch);
    BOOST_TEST((batch->nodes == std::vector<std::string>{"n1", "n3"})); // in the order of declaration
    BOOST_TEST(!batch->all_nodes);
    BOOST_TEST((batch->max_time == Duration(30min)));
    BOOST_TEST((batch->default_time == Duration(30min))); // cut
    BOOST_TEST((batch->confinement == Confinement::track));
    BOOST_TEST(config.places.at("controller.heartbeat").line == 7u);
    BOOST_TEST(config.places.at("partition.batch.max_time").line == 36u);
}

BOOST_AUTO_TEST_CASE(all_problems_come_at_once_in_the_order_of_the_file)
{
    auto text = refused("[controller]\n"
                        "hartbeat = \"10s\"\n"
                        "keep_ended = true\n"
                        "\n"
                        "[[partition]]\n"
                        "name = \"gpu\"\n"
                        "max_time = false\n"
                        "prioirty = 3\n"
                        "nodes = \"nowhere\"\n");
    BOOST_TEST(text == "j.toml:2:1: controller.hartbeat: unknown key; did you mean \"heartbeat\"?\n"
                       "j.toml:3:14: controller.keep_ended: expected a duration such as \"30m\", found a boolean\n"
                       "j.toml:7:12: partition.gpu.max_time: expected a duration such as \"30m\", found a boolean\n"
                       "j.toml:8:1: partition.gpu.prioirty: unknown key\n"
                       "j.toml:9:9: partition.gpu.nodes: no [[node]] declares nowhere");
}

BOOST_AUTO_TEST_CASE(sections)
{
    BOOST_TEST(refused("[controler]\n") == "j.toml:1:2: controler: unknown section; did you mean \"controller\"?");
    BOOST_TEST(has(refused("socket = \"/x\"\n"), "socket: unknown key; keys stand below a section"));
    BOOST_TEST(has(refused("[node]\nnames = \"n1\"\n"), "node: write [[node]], with two brackets"));
    BOOST_TEST(has(refused("[[controller]]\nsocket = \"/x\"\n"), "controller: expected a section [controller], found an array"));
    BOOST_TEST(has(refused("log = 3\n"), "log: expected a section [log], found an integer"));
    BOOST_TEST(has(refused("node = [3]\n"), "node: expected a section [[node]], found an integer"));
    BOOST_TEST(has(refused("[jnoded]\nlimits = 5\n"), "jnoded.limits: expected a section [jnoded.limits], found an integer"));
}

BOOST_AUTO_TEST_CASE(broken_toml)
{
    BOOST_TEST(has(refused("[cluster\nname = 3\n"), "j.toml:1:"));
    BOOST_TEST(has(refused("[cluster]\nname = \"a\"\nname = \"b\"\n"), "j.toml:3:"));
    BOOST_TEST(has(refused("[cluster]\nname = \"\xff\"\n"), "j.toml:2:"));
    BOOST_TEST(has(refused("x = \"\x1b[31m\"\n"), "j.toml:1:"));
    for (char c : refused("x = \"\x1b[31m\"\n"))
        BOOST_TEST(c != '\x1b');
}

BOOST_AUTO_TEST_CASE(types)
{
    BOOST_TEST(has(refused("[cluster]\nname = 3\n"), "cluster.name: expected a string, found an integer"));
    BOOST_TEST(has(refused("[cluster]\nfirst_job_id = 0\n"), "0 is out of range; it goes from 1 to 9007199254740992"));
    BOOST_TEST(has(refused("[cluster]\nfirst_job_id = 1.5\n"), "expected an integer, found a fraction"));
    BOOST_TEST(has(refused("[cluster]\nfirst_job_id = 2026-01-01\n"), "expected an integer, found a date or time"));
    BOOST_TEST(has(refused("[limits]\nscript_size = \"4X\"\n"), "limits.script_size: \"4X\" is not a size"));
    BOOST_TEST(has(refused("[limits]\nscript_size = -4\n"), "it is negative"));
    BOOST_TEST(has(refused("[limits]\npending_jobs = -1\n"), "-1 is out of range"));
    BOOST_TEST(has(refused("[controller]\nmetrics_listen = [\"head:9101\"]\n"), "is no numeric address"));
    BOOST_TEST(has(refused("[jnoded]\nmetrics_socket = \"here\"\n"), "expected an absolute path, \"none\" or nothing"));
    BOOST_TEST(has(refused("[limits]\nrequests_per_second = 9\n"), "it goes from 10 to 1000000, and 0 is no limit"));
    BOOST_TEST(has(refused("[controller]\nkill_grace = \"-5s\"\n"), "it is negative"));
    BOOST_TEST(has(refused("[security]\nadmins = \"root\"\n"), "expected a list of strings such as"));
    BOOST_TEST(has(refused("[security]\nadmins = [\"root\", 5]\n"), "expected a string, found an integer"));
    BOOST_TEST(has(refused("[security]\nadmins = [\"\"]\n"), "an empty name"));
    BOOST_TEST(has(refused("[security]\npersonal = \"yes\"\n"), "expected true or false, found a string"));
    BOOST_TEST(has(refused("[log]\nlevel = \"warn\"\n"), "or \"error\", found \"warn\""));
    BOOST_TEST(has(refused("[log]\nlevel = \"inof\"\n"), "did you mean \"info\"?"));
    BOOST_TEST(has(refused("[cluster]\nname = \"a\\u0000b\"\n"), "a NUL character cannot stand here"));
}

BOOST_AUTO_TEST_CASE(values_out_of_range)
{
    BOOST_TEST(has(refused("[controller]\nstate_dir = \"var\"\n"), "expected an absolute path, found \"var\""));
    BOOST_TEST(has(refused("[controller]\nheartbeat = \"1us\"\n"), "it goes from 100ms to 1h"));
    BOOST_TEST(has(refused("[cluster]\nname = \"a/b\"\n"), "cluster.name: expected a name"));
    BOOST_TEST(has(refused("[cluster]\nname = \"\"\n"), "cluster.name: expected a name"));
    BOOST_TEST(has(refused("[cluster]\nname = \"a\\nb\"\n"), "found \"a\\nb\""));
    BOOST_TEST(has(refused("[controller]\nstorage = \"../x\"\n"), "expected the name of a plugin"));
    BOOST_TEST(has(refused("[jnoded]\ncgroup = \"cgroup\"\n"), "expected \"auto\", \"none\" or an absolute path"));
    BOOST_TEST(has(refused("[jnoded.limits]\nnofiles = \"1\"\n"), "jnoded.limits.nofiles: unknown limit; did you mean \"nofile\"?"));
    BOOST_TEST(has(refused("[jnoded.limits]\nnofile = \"9:5\"\n"), "the soft limit 9 is above the hard one, 5"));
    BOOST_TEST(has(refused("[jnoded.limits]\nnofile = \"x\"\n"), "\"x\" is not a limit"));
    BOOST_TEST(has(refused("[jnoded.limits]\nnofile = \"5:\"\n"), "\"\" is not a limit"));
    BOOST_TEST(has(refused("[limits]\nscript_size = \"15M\"\n"), "limits.message_size: 16M is too small"));
    BOOST_TEST(has(refused("[limits]\nmessage_size = \"2G\"\n"), "is out of range; it goes from 1M to 1G"));
}

BOOST_AUTO_TEST_CASE(a_socket_path_has_a_bound)
{
    auto with_path = [](std::size_t length) { return "[controller]\nsocket = \"/" + std::string(length - 1, 's') + "\"\n"; };
    loaded(with_path(107));
    auto text = refused(with_path(108));
    BOOST_TEST(has(text, "j.toml:2:10: controller.socket: the path /sss"));
    BOOST_TEST(has(text, "has 108 bytes, and a UNIX socket's path at most 107; name a shorter one"));
    loaded("[jnoded]\nrun_dir = \"/" + std::string(92, 'r') + "\"\n");
    BOOST_TEST(has(refused("[jnoded]\nrun_dir = \"/" + std::string(93, 'r') + "\"\n"), "jnoded.run_dir: the path"));
}

BOOST_AUTO_TEST_CASE(addresses)
{
    const auto config = loaded("[controller]\nlisten = [\"0.0.0.0\", \"[::]:7000\"]\naddresses = [\"head\", \"[fd00::1]:7000\"]\n");
    BOOST_TEST(config.controller.listen.size() == 2u);
    BOOST_TEST(config.controller.addresses.size() == 2u);
    BOOST_TEST(has(refused("[controller]\nlisten = [\"head:6820\"]\n"), "controller.listen: \"head:6820\" is no numeric address"));
    BOOST_TEST(has(refused("[controller]\nlisten = \"0.0.0.0:6820\"\n"), "j.toml:2:10: controller.listen: expected"));
    BOOST_TEST(has(refused("[controller]\naddresses = [\"head:99999\"]\n"), "\"99999\" is no port"));
    BOOST_TEST(has(refused("[controller]\naddresses = [\"a b\"]\n"), "controller.addresses: \"a b\" is no address such as \"head:6820\""));
    BOOST_TEST(has(refused("[controller]\naddresses = [\"head:0\"]\n"), "nobody can be reached at port 0"));
}

BOOST_AUTO_TEST_CASE(certificates_lie_beside_each_other_unless_the_file_says_otherwise)
{
    auto files = tls_files(loaded("[tls]\nca = \"/srv/pki/ca.crt\"\n"));
    BOOST_TEST(files.certificate == "/srv/pki/controller.crt");
    BOOST_TEST(files.key == "/srv/pki/controller.key");
    files = tls_files(loaded(""), "n1");
    BOOST_TEST(files.ca == "/etc/jarvis/pki/ca.crt");
    BOOST_TEST(files.certificate == "/etc/jarvis/pki/nodes/n1.crt");
    BOOST_TEST(files.key == "/etc/jarvis/pki/nodes/n1.key");
    files = tls_files(loaded("[tls]\ncertificate = \"/own/me.pem\"\n"), "n1");
    BOOST_TEST(files.certificate == "/own/me.pem");
    BOOST_TEST(files.key == "/own/me.pem.key");
    BOOST_TEST(tls_files(loaded("[tls]\nkey = \"/own/me.key\"\n"), "n1").key == "/own/me.key");
    BOOST_TEST(has(refused("[tls]\nca = \"ca.crt\"\n"), "tls.ca: expected an absolute path"));
}

BOOST_AUTO_TEST_CASE(nodes)
{
    BOOST_TEST(has(refused("[[node]]\ncores = 4\n"), "j.toml:1:1: node: names is missing"));
    BOOST_TEST(has(refused("[[node]]\nnames = \"\"\n"), "j.toml:2:9: node.names: the host list is empty"));
    BOOST_TEST(has(refused("[[node]]\nnames = \"n[1-\"\n"), "column 5: expected a number"));
    BOOST_TEST(has(refused("[[node]]\nnames = \"n[1-3]\"\n[[node]]\nnames = \"n3\"\n"),
                   "j.toml:4:9: node.names: node n3 is declared twice, first in line 2"));
    BOOST_TEST(has(refused("[[node]]\nnames = \"n1\"\ncores = -1\n"), "node.n1.cores: -1 is out of range"));
    BOOST_TEST(has(refused("[[node]]\nnames = \"n1\"\ncores = 1000000\n"), "it goes from 0 to 65536"));
    BOOST_TEST(has(refused("[[node]]\nnames = \"n1\"\nmemory = 0\n"), "no memory at all"));
    BOOST_TEST(has(refused("[[node]]\nnames = \"n1\"\nmemroy = \"1G\"\n"), "node.n1.memroy: unknown key; did you mean \"memory\"?"));
    BOOST_TEST(has(refused("[jnoded]\nname = \"n2\"\n[[node]]\nnames = \"n1\"\n"), "jnoded.name: no [[node]] declares n2"));
    BOOST_TEST(parse_config("[jnoded]\nname = \"n2\"\n[[node]]\nnames = \"n1\"\n[[node_class]]\nname = \"c\"\naccept = true\n", "j.toml").has_value());
    loaded("[jnoded]\nname = \"n2\"\n");
}

BOOST_AUTO_TEST_CASE(partitions)
{
    const std::string node = "[[node]]\nnames = \"n[1-2]\"\n";
    auto one = loaded(node + "[[partition]]\nname = \"p\"\n");
    BOOST_TEST(one.default_partition() == one.partition("p"));
    BOOST_TEST(one.partitions[0].nodes.size() == 2u);
    BOOST_TEST(loaded(node + "[[partition]]\nname = \"p\"\ndefault = false\n").default_partition() == nullptr);
    auto two = loaded(node + "[[partition]]\nname = \"p\"\n[[partition]]\nname = \"q\"\n");
    BOOST_TEST(two.default_partition() == nullptr);
    BOOST_TEST(two.partition("r") == nullptr);

    BOOST_TEST(has(refused("[[partition]]\nnodes = \"ALL\"\n"), "j.toml:1:1: partition: name is missing"));
    BOOST_TEST(has(refused("[[partition]]\nname = \"p\"\n[[partition]]\nname = \"p\"\n"),
                   "j.toml:3:1: partition.p: this partition is declared twice, first in line 1"));
    BOOST_TEST(has(refused("[[partition]]\nname = \"p\"\ndefault = true\n[[partition]]\nname = \"q\"\ndefault = true\n"),
                   "j.toml:6:11: partition.q.default: p is the default partition already (line 1)"));
    BOOST_TEST(has(refused(node + "[[partition]]\nname = \"p\"\nnodes = \"n[1-4]\"\n"),
                   "partition.p.nodes: no [[node]] declares n[3-4]; did you mean \"n1\"?"));
    BOOST_TEST(has(refused("[[partition]]\nname = \"p\"\ndefault_time = \"2h\"\nmax_time = \"1h\"\n"),
                   "j.toml:3:16: partition.p.default_time: 2h is above max_time, 1h"));
    BOOST_TEST(has(refused("[[partition]]\nname = \"p\"\ndefault_time = \"unlimited\"\nmax_time = \"1h\"\n"),
                   "unlimited is above max_time"));
    BOOST_TEST(has(refused("[[partition]]\nname = \"p\"\nmax_time = 0\n"), "a limit of no time lets no job run"));
    BOOST_TEST(has(refused("[[partition]]\nname = \"p\"\nstate = \"UP\"\n"), "did you mean \"up\"?"));
    BOOST_TEST(has(refused("[[partition]]\nname = \"p q\"\n"), "expected a name"));
    loaded("[[partition]]\nname = \"p\"\nmax_time = \"\"\n");
    loaded("[[partition]]\nname = \"p\"\ndefault_time = \"unlimited\"\n");
}

BOOST_AUTO_TEST_CASE(plugin_sections)
{
    BOOST_TEST(has(refused("[plugin.store.sqlite]\n"), "plugin.store: unknown kind of plugin"));
    BOOST_TEST(has(refused("[plugin.storage]\nsqlite = 3\n"), "expected a section [plugin.storage.NAME], found an integer"));
    BOOST_TEST(has(refused("[plugin.storage.sqlite]\nx = 1.5\n"),
                   "plugin.storage.sqlite.x: expected a string, an integer or a boolean, found a fraction"));
    BOOST_TEST(has(refused("[plugin.storage.sqlite]\nx = []\n"), "found an array"));
}

// toml++ asserts there unless it is told not to.
BOOST_AUTO_TEST_CASE(keys_that_begin_with_what_no_key_has)
{
    for (const auto* text : {"[+cluster]\n", "[[+x]]\n", "[a.+]\n", "+x = 1\n", "a.+ = 1\n", "x = {+a = 1}\n", "[\n", "[[a]\n",
                             "x = \u025b\n", "x = 1\u3001\n", "\ufeff\ufeff"})
        BOOST_TEST(!parse_config(text, "t.toml").has_value(), text);
}

BOOST_AUTO_TEST_CASE(node_classes_features_and_limits_of_partitions)
{
    auto config = parse_config("[[node]]\nnames = \"n[1-2]\"\nfeatures = [\"ib\"]\n"
                               "[[node_class]]\nname = \"cloud\"\nnames = \"c[1-3]\"\nmax_nodes = 2\nvouch = true\n"
                               "[[partition]]\nname = \"batch\"\nnodes = \"n1\"\nnode_classes = [\"cloud\"]\nmax_nodes = 4\nallow_users = [\"alice\"]\n"
                               "[controller]\ndown_after = \"10m\"\nrequeue_on_silence = true\n", "t.toml");
    BOOST_REQUIRE_MESSAGE(config, (config ? "" : config.error().text()));
    BOOST_TEST(config->nodes[1].features == std::vector<std::string>{"ib"}, boost::test_tools::per_element());
    BOOST_REQUIRE(config->node_classes.size() == 1u);
    BOOST_TEST(config->node_classes[0].names.size() == 3u);
    BOOST_TEST(config->partitions[0].max_nodes == 4u);
    BOOST_TEST((config->controller.down_after == std::chrono::minutes(10)));
    auto again = parse_config(to_text(*config), "again.toml");
    BOOST_REQUIRE_MESSAGE(again, (again ? "" : again.error().text()));
    BOOST_TEST(config_diff(*config, *again).empty());
    for (const auto& [text, problem] : {std::pair("[[node]]\nnames = \"n1\"\nfeatures = [\"a b\"]\n", "is no feature"),
                                        {"[[node_class]]\naccept = true\n", "name is missing"},
                                        {"[[node_class]]\nname = \"a\"\n[[node_class]]\nname = \"a\"\n", "declared twice"},
                                        {"[[partition]]\nname = \"p\"\nnode_classes = [\"x\"]\n", "no [[node_class]] is named x"},
                                        {"[controller]\ndown_after = \"0\"\n", "at least 1s"}}) {
        auto bad = parse_config(text, "t.toml");
        BOOST_REQUIRE(!bad);
        BOOST_TEST(has(bad.error().text(), problem), bad.error().text());
    }
}

BOOST_AUTO_TEST_CASE(files)
{
    auto missing = load_config("/tmp/there is no such file");
    BOOST_REQUIRE(!missing);
    BOOST_TEST(missing.error().text() == "/tmp/there is no such file: cannot open it: no such file or directory; "
                                         "name the configuration with --config or JARVIS_CONF");
    BOOST_TEST(!load_config("/tmp").has_value());
    BOOST_TEST(has(load_config("/dev/zero").error().text(), "is larger than 16 MiB"));
    auto shipped = load_config(JARVIS_SOURCE_DIR "/etc/jarvis.toml");
    BOOST_REQUIRE_MESSAGE(shipped, (shipped ? "" : shipped.error().text()));
    BOOST_TEST(shipped->nodes.size() == 1u);
    BOOST_TEST(shipped->default_partition() != nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(shapes_of_nodes)

namespace {

std::expected<Config, Problems> of_node(const std::string& lines) { return parse_config("[[node]]\nnames = \"n[1-2]\"\n" + lines, "j.toml"); }
std::string wrong(const std::string& lines) { return of_node(lines).error().text(); }

} // namespace

BOOST_AUTO_TEST_CASE(what_a_node_has_keeps_and_should_have)
{
    const auto config = of_node("topology = \"pack:2 core:4 pu:1\"\nreserve = { cores = 1, memory = \"2G\" }\n"
                                "devices = [{ name = \"gpu\", type = \"a100\", paths = [\"/dev/nvidia0\"], cores = \"0-3,7\" },\n"
                                "           { name = \"seat\", count = 3 }]\n"
                                "expect = { packages = 2, numa_nodes = 4, cores = 8, threads_per_core = 2, memory = \"64G\", "
                                "devices = { gpu = 4, \"nic:rdma\" = 1 } }\n");
    BOOST_REQUIRE_MESSAGE(config, (config ? "" : config.error().text()));
    const auto& node = config->nodes.at(1);
    BOOST_TEST(node.topology == "pack:2 core:4 pu:1");
    BOOST_TEST((node.reserve == Reserve{1, mebibytes(2048)}));
    BOOST_REQUIRE_EQUAL(node.devices.size(), 2u);
    BOOST_TEST((node.devices[0] == StatedDevice{"gpu", "a100", 1, {"/dev/nvidia0"}, CoreSet::range(0, 4) | CoreSet::range(7, 1)}));
    BOOST_TEST((node.devices[1] == StatedDevice{"seat", "", 3, {}, {}}));
    BOOST_TEST((node.expect == NodeExpectation{2, 4, 8, 2, mebibytes(64 << 10), {{"gpu", 4}, {"nic:rdma", 1}}}));
    const auto again = parse_config(to_text(*config), "j.toml");
    BOOST_REQUIRE_MESSAGE(again, (again ? "" : again.error().text()));
    BOOST_TEST(config_diff(*config, *again).empty());
    BOOST_TEST(to_text(*again) == to_text(*config));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_them_is_told)
{
    BOOST_TEST(wrong("topology = \"there.xml\"") == "j.toml:3:12: node.n[1-2].topology: expected an absolute path, found \"there.xml\"");
    BOOST_TEST(wrong("reserve = 3") == "j.toml:3:11: node.n[1-2].reserve: expected a table such as { cores = 1, memory = \"2G\" }, found an integer");
    BOOST_TEST(wrong("reserve = { core = 3 }").ends_with("reserve: core: unknown key; did you mean \"cores\"?"));
    BOOST_TEST(wrong("reserve = { cores = -1 }").find("reserve: cores: -1 is out of range") != std::string::npos);
    BOOST_TEST(wrong("cores = 2\nreserve = { cores = 1 }").find("cores = 2 says what is given to jobs already") != std::string::npos);
    BOOST_TEST(wrong("memory = \"2G\"\nreserve = { memory = \"1G\" }").find("memory = 2G says what is given to jobs already") != std::string::npos);
    BOOST_TEST(wrong("devices = [{ type = \"x\" }]").find("devices: device 1: name is missing") != std::string::npos);
    BOOST_TEST(wrong("devices = [{ name = \"g u\" }]").find("device 1: name: \"g u\" is no name") != std::string::npos);
    BOOST_TEST(wrong("devices = [{ name = \"g\", paths = [\"/etc/x\"] }]").find("paths: expected a file in /dev, found \"/etc/x\"") != std::string::npos);
    for (const char* cores : {"3-1", "1,", "x", "1-", "0-70000", "1;2"})
        BOOST_TEST(wrong(fmt::format("devices = [{{ name = \"g\", cores = \"{}\" }}]", cores)).find("cores: expected cores such as") != std::string::npos, cores);
    BOOST_TEST(wrong("devices = [{ name = \"g\", count = 2, paths = [\"/dev/g\"] }]").find("paths are those of one device") != std::string::npos);
    BOOST_TEST(wrong("devices = [{ name = \"g\", paths = [\"/dev/g\"] }, { name = \"h\", paths = [\"/dev/g\"] }]").find("is the first file of two devices") !=
               std::string::npos);
    BOOST_TEST(wrong("expect = { devices = { \"a b\" = 1 } }").find("\"a b\" is no device") != std::string::npos);
    BOOST_TEST(wrong("expect = { devices = { gpu = \"4\" } }").find("devices: gpu: expected an integer, found a string") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_node_has_the_settings_of_its_section_or_of_its_class)
{
    const auto config = parse_config("[[node]]\nnames = \"n1\"\ntopology = \"pu:1\"\n[[node_class]]\nname = \"c\"\nnames = \"c[1-3]\"\n"
                                     "reserve = { cores = 2 }\n[[node_class]]\nname = \"any\"\naccept = true\nvouch = true\n", "j.toml");
    BOOST_REQUIRE_MESSAGE(config, (config ? "" : config.error().text()));
    BOOST_TEST(settings_of_node(*config, "n1")->topology == "pu:1");
    BOOST_TEST(settings_of_node(*config, "c2")->reserve.cores == 2u);
    BOOST_TEST(settings_of_node(*config, "x")->vouch);
    BOOST_TEST(!settings_of_node(parse_config("", "j.toml").value(), "x").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
