// What a machine has and what of it a node offers: hwloc on synthetic machines, devices in a made-up sysfs, and changes.
#include "discovered_devices.hpp"
#include "discovery.hpp"
#include "node_offer.hpp"
#include "topology_change.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace jarvis;
using namespace jarvis::noded;

BOOST_AUTO_TEST_SUITE(discovery)

struct Synthetic {
    explicit Synthetic(const char* machine) { ::setenv("HWLOC_SYNTHETIC", machine, 1); }
    ~Synthetic() { ::unsetenv("HWLOC_SYNTHETIC"); }
};

BOOST_AUTO_TEST_CASE(cores_threads_packages_and_numa_nodes)
{
    const Synthetic machine("pack:2 [numa(memory=1073741824)] core:4 pu:2");
    const auto found = discover_topology();
    BOOST_REQUIRE(found.has_value());
    const auto* topology = &found->topology;
    BOOST_REQUIRE_EQUAL(topology->cores.size(), 8u);
    BOOST_TEST((topology->cores[5].pus == std::vector<std::uint32_t>{10, 11}));
    BOOST_TEST(topology->cores[5].package == 1u);
    BOOST_REQUIRE_EQUAL(topology->numa_nodes.size(), 2u);
    BOOST_TEST((topology->numa_nodes[1].cores == CoreSet::range(4, 4)));
    BOOST_TEST(topology->numa_nodes[1].memory.bytes == 1 << 30);
}

BOOST_AUTO_TEST_CASE(this_machine_has_a_core_and_memory)
{
    const auto found = discover_topology();
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->topology.cores.size() >= 1u);
    BOOST_TEST(found->topology.memory().bytes > 0);
}

BOOST_AUTO_TEST_CASE(memory_of_no_numa_node_is_the_only_one_s_or_is_told)
{
    const Synthetic machine("pack:2 [numa(memory=1073741824)] core:2 pu:1");
    auto found = discover_topology();
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->notes.empty()); // the memory of the machine that we run on is none of it
    auto& two = found->topology;
    BOOST_TEST(!count_memory_of_no_node(two, mebibytes(2048)));
    BOOST_TEST(!count_memory_of_no_node(two, mebibytes(1024)));
    BOOST_TEST(count_memory_of_no_node(two, mebibytes(3072)).value_or("") ==
               "memory: 1G of this machine's 3G belong to no NUMA node and are not offered");
    BOOST_TEST((two.memory() == mebibytes(2048)));
    auto one = two;
    one.numa_nodes.resize(1);
    BOOST_TEST(!count_memory_of_no_node(one, mebibytes(512)));
    BOOST_TEST((one.memory() == mebibytes(1024)));
    BOOST_TEST(!count_memory_of_no_node(one, mebibytes(3072)));
    BOOST_TEST((one.memory() == mebibytes(3072)));
}

BOOST_AUTO_TEST_CASE(less_can_be_offered)
{
    const Synthetic machine("pack:2 [numa(memory=1073741824)] core:4 pu:1");
    const auto topology = discover_topology().value().topology;
    const auto less = offer(topology, 5, mebibytes(1000));
    BOOST_TEST(less.bound);
    BOOST_TEST(less.notes.empty());
    BOOST_TEST(less.topology.cores.size() == 5u);
    BOOST_TEST((less.topology.numa_nodes[1].cores == CoreSet::range(4, 1)));
    BOOST_TEST((less.topology.memory() == mebibytes(1000)));
    BOOST_TEST((less.topology.numa_nodes[0].memory == mebibytes(500)));
    BOOST_TEST((offer(topology, 0, {}).topology == topology));
}

BOOST_AUTO_TEST_CASE(more_than_there_is_is_virtual_and_said)
{
    const Synthetic machine("pack:2 [numa(memory=1073741824)] core:4 pu:1");
    const auto topology = discover_topology().value().topology;
    const auto more = offer(topology, 12, mebibytes(4096));
    BOOST_TEST(!more.bound);
    BOOST_TEST(more.topology.cores.size() == 12u);
    BOOST_TEST((more.topology.numa_nodes.at(0).cores == CoreSet::range(0, 12)));
    BOOST_TEST((more.topology.memory() == mebibytes(4096)));
    BOOST_REQUIRE_EQUAL(more.notes.size(), 2u);
    BOOST_TEST(more.notes[0] == "cores are virtual, jobs are not bound: 12 are stated, 8 are there");
    BOOST_TEST(more.notes[1] == "memory is virtual: 4G is stated, 2G is there");
    // Memory alone does not make cores virtual.
    const auto memory = offer(topology, 0, mebibytes(4096));
    BOOST_TEST(memory.bound);
    BOOST_TEST((memory.topology.cores == topology.cores));
    BOOST_TEST((memory.topology.memory() == mebibytes(4096)));
    BOOST_TEST(memory.notes.size() == 1u);
    const auto shared = offer(topology, 2, {}, OfferAs::virtual_cores);
    BOOST_TEST(!shared.bound);
    BOOST_TEST(shared.topology.cores.size() == 2u);
    BOOST_TEST(shared.notes.at(0) == "cores are virtual, jobs are not bound");
}

BOOST_AUTO_TEST_CASE(a_login_node_offers_nothing)
{
    const Synthetic machine("pack:2 [numa(memory=1073741824)] core:4 pu:1");
    const auto login = offer(discover_topology().value().topology, 0, {}, OfferAs::nothing);
    BOOST_TEST((login.topology == Topology{}));
    BOOST_TEST(login.notes.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(sources)

namespace {

std::string problem_of(const std::string& source)
{
    const auto found = discover_topology(source);
    return found ? "" : found.error().message;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_description_stands_for_no_core_of_ours)
{
    const auto found = discover_topology("pack:2 l3:2 core:2 pu:2");
    BOOST_REQUIRE(found);
    BOOST_TEST(!found->this_machine);
    BOOST_TEST(found->topology.cores.size() == 8u);
    BOOST_TEST(found->topology.cores[6].l3 == 3u);
    BOOST_TEST(found->topology.cores[6].l2 == 1u); // no L2: as its package
    BOOST_TEST(discover_topology()->this_machine);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_description_is_told)
{
    BOOST_TEST(problem_of("pack:2 coer:4 pu:1") == "synthetic topology \"pack:2 coer:4 pu:1\": at character 8 \"coer\" is no type of object");
    BOOST_TEST(problem_of("pack:2 core pu:1").ends_with("at character 12 a number of objects is expected, as in \"core:2\""));
    BOOST_TEST(problem_of("pack:0 pu:1").ends_with("at character 6 a number of objects is expected, as in \"pack:2\""));
    BOOST_TEST(problem_of("pack:2 [numa(memory=1G) pu:1").ends_with("the bracket at character 8 is not closed"));
    BOOST_TEST(problem_of("pack:2(x pu:1").ends_with("the parenthesis at character 7 is not closed"));
    BOOST_TEST(problem_of("pu:1 core:2").find("core") != std::string::npos);
    BOOST_TEST(problem_of("pack:64 core:1000 pu:1").ends_with("at character 14 it comes to 64000 objects; at most 32768 are possible"));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_file_is_told)
{
    const auto path = std::filesystem::temp_directory_path() / fmt::format("jarvis_topology_{}.xml", ::getpid());
    const auto problem_with = [&](std::string_view text) {
        std::ofstream(path) << text;
        auto problem = problem_of(path.string());
        BOOST_TEST(problem.starts_with(path.string() + ": "), problem);
        return problem.substr(path.string().size() + 2);
    };
    BOOST_TEST(problem_of("/nowhere/x.xml") == "/nowhere/x.xml: cannot open it: no such file or directory");
    BOOST_TEST(problem_with("") == "it is empty");
    BOOST_TEST(problem_with("<html/>").starts_with("it holds no <topology>"));
    BOOST_TEST(problem_with("<?xml version=\"1.0\"?><topology version=\"2.0\"><object type=\"Machine\">").starts_with("it ends before </topology>"));
    BOOST_TEST(problem_with("<?xml version=\"1.0\"?><topology version=\"2.0\"></topology>").starts_with("hwloc finds no topology in it"));
    std::filesystem::remove(path);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(offers)

namespace {

Topology two_packages() { return discover_topology("pack:2 [numa(memory=68719476736)] core:4 pu:1").value().topology; }

config::Node with_topology(std::string topology)
{
    config::Node node;
    node.name = "n1";
    node.topology = std::move(topology);
    node.place = {"j.toml", 7, 1};
    return node;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_share_of_memory_is_kept_for_the_system)
{
    BOOST_TEST((default_reserve(mebibytes(1024)) == MemorySize{}));
    BOOST_TEST((default_reserve(mebibytes(2048)) == mebibytes(128)));
    BOOST_TEST((default_reserve(mebibytes(64 << 10)) == mebibytes(1310)));
    BOOST_TEST((default_reserve(mebibytes(1 << 20)) == mebibytes(4096)));
}

BOOST_AUTO_TEST_CASE(a_reserve_is_taken_from_all_dram_alike_and_from_the_last_cores)
{
    auto topology = two_packages();
    topology.numa_nodes.push_back({.os_index = 2, .memory = mebibytes(16 << 10), .cores = {}, .kind = MemoryKind::hbm});
    topology.devices.push_back({.resource = "gpu", .type = {}, .address = "g", .paths = {}, .near = CoreSet::range(4, 4)});
    const auto left = without_reserve(topology, 1, mebibytes(2048)).value();
    BOOST_TEST(left.cores.size() == 7u);
    BOOST_TEST((left.numa_nodes[1].cores == CoreSet::range(4, 3)));
    BOOST_TEST((left.devices[0].near == CoreSet::range(4, 3)));
    BOOST_TEST((left.numa_nodes[0].memory == mebibytes((64 << 10) - 1024)));
    BOOST_TEST((left.numa_nodes[1].memory == mebibytes((64 << 10) - 1024)));
    BOOST_TEST((left.numa_nodes[2].memory == mebibytes(16 << 10)));
    // What a small one does not have the others give.
    topology.numa_nodes[0].memory = mebibytes(512);
    const auto uneven = without_reserve(topology, 0, mebibytes(2048)).value();
    BOOST_TEST((uneven.numa_nodes[0].memory == MemorySize{}));
    BOOST_TEST((uneven.numa_nodes[1].memory == mebibytes((64 << 10) - 1536)));
    BOOST_TEST(without_reserve(topology, 8, {}).error().message == "8 cores are kept for the system, and there are 8: none is left for jobs");
    BOOST_TEST(!without_reserve(topology, 0, mebibytes(1 << 20)));
}

BOOST_AUTO_TEST_CASE(this_machine_keeps_some_memory_unless_the_node_states_what_it_gives)
{
    config::Node node;
    node.name = "n1";
    const auto all = discover_topology().value().topology;
    BOOST_TEST((find_offer(node, {})->topology.memory() == MemorySize{all.memory().bytes - default_reserve(all.memory()).bytes}));
    BOOST_TEST(find_offer(node, {})->bound);
    BOOST_TEST((find_offer(node, {})->topology.cores == all.cores));
    node.memory = all.memory();
    BOOST_TEST((find_offer(node, {})->topology.memory() == all.memory()));
    node.memory.reset();
    node.reserve.memory = MemorySize{};
    BOOST_TEST((find_offer(node, {})->topology.memory() == all.memory()));
}

BOOST_AUTO_TEST_CASE(a_described_topology_keeps_its_shape_and_binds_nothing)
{
    auto node = with_topology("pack:2 [numa(memory=4294967296)] core:4 pu:2");
    const auto offered = find_offer(node, {}).value();
    BOOST_TEST(!offered.bound);
    BOOST_TEST(offered.topology.numa_nodes.size() == 2u);
    BOOST_TEST(offered.topology.cores.size() == 8u);
    BOOST_TEST((offered.topology.memory() == mebibytes(8192))); // nobody lives in it
    BOOST_TEST(offered.notes.at(0) == "cores are virtual, jobs are not bound: the configuration describes them");
    node.reserve = {.cores = 2, .memory = mebibytes(1024)};
    BOOST_TEST(find_offer(node, {})->topology.cores.size() == 6u);
    BOOST_TEST((find_offer(node, {})->topology.memory() == mebibytes(7168)));
    node.topology = "pack:2 cores:4";
    BOOST_TEST(find_offer(node, {}).error().message.starts_with("j.toml:7: node n1: topology: synthetic topology \"pack:2 cores:4\": "));
    node.topology = "pu:2";
    BOOST_TEST(find_offer(node, {}).error().message.starts_with("j.toml:7: node n1: reserve: 2 cores are kept"));
}

BOOST_AUTO_TEST_CASE(memory_of_unknown_nodes_is_stated)
{
    auto node = with_topology("pack:2 [numa(memory=0)] core:1 pu:1");
    node.memory = mebibytes(4096);
    const auto offered = find_offer(node, {}).value().topology;
    BOOST_TEST((offered.numa_nodes.at(1).memory == mebibytes(2048)));
}

BOOST_AUTO_TEST_CASE(stated_devices_stand_for_discovered_ones_of_their_name)
{
    auto topology = two_packages();
    topology.devices = {{.resource = "gpu", .type = {}, .address = "0000:01:00.0", .paths = {}, .near = {}},
                        {.resource = "nic", .type = "rdma", .address = "0000:02:00.0", .paths = {}, .near = {}}};
    std::vector<std::string> notes;
    state_devices({{.name = "gpu", .type = "a100", .count = 1, .paths = {"/dev/nvidia0"}, .cores = CoreSet::range(0, 4)},
                   {.name = "gpu", .type = "a100", .count = 1, .paths = {"/dev/nvidia1"}, .cores = CoreSet::range(6, 4)},
                   {.name = "seat", .type = {}, .count = 2, .paths = {}, .cores = {}}},
                  topology, notes);
    BOOST_REQUIRE_EQUAL(topology.devices.size(), 5u);
    BOOST_TEST(topology.devices[0].resource == "nic");
    BOOST_TEST(topology.devices[1].address == "/dev/nvidia0");
    BOOST_TEST((topology.devices[1].near == CoreSet::range(0, 4)));
    BOOST_TEST((topology.devices[2].near == CoreSet::range(6, 2)));
    BOOST_TEST(topology.devices[3].address == "seat0");
    BOOST_TEST(topology.devices[4].address == "seat1");
    BOOST_REQUIRE_EQUAL(notes.size(), 1u);
    BOOST_TEST(notes[0] == "devices: gpu is stated to be near to cores 8-9, which are not offered");
    state_devices({{.name = "nic", .type = {}, .count = 0, .paths = {}, .cores = {}}}, topology, notes);
    BOOST_TEST(topology.devices.size() == 4u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(device_discovery)

BOOST_AUTO_TEST_CASE(words_for_models)
{
    BOOST_TEST(model_word("GA100 [A100 SXM4 80GB]") == "a100");
    BOOST_TEST(model_word("NVIDIA H100 PCIe") == "h100");
    BOOST_TEST(model_word("TU102 [GeForce RTX 2080 Ti]") == "geforce_rtx_2080_ti");
    BOOST_TEST(model_word("Aldebaran/MI200 [Instinct MI250X/MI250]") == "mi250x");
    BOOST_TEST(model_word("Data Center GPU Max 1550") == "data_center_gpu_max_1550");
    BOOST_TEST(model_word("") == "");
}

BOOST_AUTO_TEST_CASE(files_of_devices)
{
    namespace fs = std::filesystem;
    const auto root = fs::temp_directory_path() / fmt::format("jarvis_sysfs_{}", ::getpid());
    const auto touch = [&](const std::string& path) {
        fs::create_directories((root / path).parent_path());
        std::ofstream(root / path) << "";
    };
    const std::string device = "sys/bus/pci/devices/0000:01:00.0/";
    for (const char* name : {"drm/card1/x", "drm/renderD129/x", "infiniband_verbs/uverbs0/x", "infiniband_mad/umad0/x"})
        touch(device + name);
    for (const char* name : {"dev/dri/renderD129", "dev/infiniband/uverbs0", "dev/infiniband/umad0", "dev/nvidia3", "dev/kfd"})
        touch(name);
    touch("proc/driver/nvidia/gpus/0000:01:00.0/information");
    std::ofstream(root / "proc/driver/nvidia/gpus/0000:01:00.0/information") << "Model: \t\t A100\nDevice Minor: \t 3\n";
    fs::create_symlink("/sys/bus/pci/drivers/amdgpu", root / device / "driver");
    // card1 has no file in /dev.
    const std::vector<std::string> expected{"/dev/nvidia3", "/dev/dri/renderD129", "/dev/kfd", "/dev/infiniband/umad0", "/dev/infiniband/uverbs0"};
    BOOST_TEST(device_files(root, "0000:01:00.0") == expected, boost::test_tools::per_element());
    BOOST_TEST(device_files(root, "0000:02:00.0").empty());
    fs::remove_all(root);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(changes)

BOOST_AUTO_TEST_CASE(what_is_online_and_allowed_is_seen)
{
    namespace fs = std::filesystem;
    const auto root = fs::temp_directory_path() / fmt::format("jarvis_changes_{}", ::getpid());
    const auto put = [&](const char* path, std::string_view text) {
        fs::create_directories((root / path).parent_path());
        std::ofstream(root / path) << text;
    };
    put("sys/devices/system/cpu/online", "0-3\n");
    put("proc/meminfo", "MemFree: 5 kB\nMemTotal:       16777216 kB\n");
    put("proc/self/status", "Name: x\nCpus_allowed_list:\t0-3\n");
    const auto before = machine_signature(root);
    BOOST_TEST(machine_signature(root) == before);
    put("proc/meminfo", "MemTotal:       16777217 kB\n"); // a balloon's breath
    BOOST_TEST(machine_signature(root) == before);
    put("proc/meminfo", "MemTotal:       8388608 kB\n");
    BOOST_TEST(machine_signature(root) != before);
    put("proc/meminfo", "MemTotal:       16777216 kB\n");
    put("sys/devices/system/cpu/online", "0-1,3\n");
    BOOST_TEST(machine_signature(root) != before);
    put("sys/devices/system/cpu/online", "0-3\n");
    put("proc/self/status", "Cpus_allowed_list:\t0-2\n");
    BOOST_TEST(machine_signature(root) != before);
    put("proc/self/status", "Cpus_allowed_list:\t0-3\n");
    fs::create_directories(root / "sys/bus/pci/devices/0000:01:00.0");
    BOOST_TEST(machine_signature(root) != before);
    fs::remove_all(root);
}

BOOST_AUTO_TEST_CASE(indexes_keep_their_meaning_while_jobs_are_here)
{
    const auto known = discover_topology("pack:2 [numa(memory=1073741824)] core:4 pu:1").value().topology;
    auto lost_one = known;
    lost_one.cores.erase(lost_one.cores.begin() + 5);
    lost_one.numa_nodes[1].cores = CoreSet::range(4, 3);
    const auto kept = keep_indexes(known, lost_one);
    BOOST_TEST(kept.topology.cores.size() == 5u);
    BOOST_TEST(kept.more == 2u);
    BOOST_TEST((kept.topology.numa_nodes[1].cores == CoreSet::range(4, 1)));
    BOOST_TEST((keep_indexes(known, known).topology == known));
    BOOST_TEST((keep_indexes(lost_one, known).topology.cores.size() == 5u)); // one that came back moves the others, too
    auto grown = known;
    grown.cores.push_back({.pus = {8}});
    BOOST_TEST((keep_indexes(known, grown).topology == grown));
    BOOST_TEST(keep_indexes(known, grown).more == 0u);
}

BOOST_AUTO_TEST_CASE(numa_nodes_and_devices_keep_theirs)
{
    Topology known = discover_topology("pack:3 [numa(memory=1073741824)] core:1 pu:1").value().topology;
    known.distances = {10, 11, 12, 13, 10, 15, 16, 17, 10};
    known.devices = {{.resource = "gpu", .type = {}, .address = "a", .paths = {}, .near = {}}, {.resource = "gpu", .type = {}, .address = "b", .paths = {}, .near = {}}};
    auto fresh = known;
    fresh.numa_nodes[2].os_index = 7;
    fresh.devices.erase(fresh.devices.begin());
    const auto kept = keep_indexes(known, fresh).topology;
    BOOST_TEST(kept.numa_nodes.size() == 2u);
    BOOST_TEST((kept.distances == std::vector<std::uint32_t>{10, 11, 13, 10}));
    BOOST_TEST(kept.devices.empty());
}

BOOST_AUTO_TEST_SUITE_END()
