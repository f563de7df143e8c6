// How a job wishes to lie inside its nodes: what is refused at submit, what starts where, and what it is told while it waits.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;

BOOST_AUTO_TEST_SUITE(wishes)

namespace {

// Two NUMA nodes of two cores and 2 GiB, each with a GPU.
cluster::Registration two_halves()
{
    auto machine = some_machine(cores(4));
    machine.topology.numa_nodes = {{.os_index = 0, .memory = mebibytes(2048), .cores = CoreSet::range(0, 2)},
                                   {.os_index = 1, .memory = mebibytes(2048), .cores = CoreSet::range(2, 2)}};
    for (const auto& numa : machine.topology.numa_nodes)
        machine.topology.devices.push_back({.resource = "gpu", .type = "t4", .address = std::to_string(numa.os_index), .paths = {}, .near = numa.cores});
    return machine;
}

Cluster one_node(std::uint32_t count = 1)
{
    Cluster c(some_settings(nodes(count)));
    for (std::uint32_t i = 1; i <= count; ++i) {
        const auto name = fmt::format("n{}", i);
        c.machines[name] = two_halves();
        c.join(name);
    }
    return c;
}

PlacementWishes gpus(std::uint32_t count, bool near = false) { return {.devices = {{"gpu", "", count}}, .near_devices = near}; }

} // namespace

BOOST_AUTO_TEST_CASE(a_job_waits_for_memory_next_to_its_cores_and_says_so)
{
    auto c = one_node();
    c.submit(job().memory(mebibytes(1536)));
    c.submit(job().memory(mebibytes(1536)));
    BOOST_TEST(c.running() == "1 2");
    c.submit(job().memory(mebibytes(1024)).wishes({.memory = MemoryBinding::local}));
    BOOST_TEST(c.running() == "1 2");
    BOOST_TEST(c.reason(3) == "LocalMemory: needs 1G of memory next to its cores; n1 has 2 cores and 1G free, but has less there");
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "2 3");
}

BOOST_AUTO_TEST_CASE(what_no_node_can_enforce_is_refused)
{
    auto c = one_node(2);
    const PlacementWishes pages{.huge_pages = {{mebibytes(2), 8}, {mebibytes(1024), 1}}};
    const std::string refused = "invalid: no node of partition batch can ever run this: it wants nodes to ";
    BOOST_TEST(c.submit(job().wishes(pages)) == refused + "limit huge pages of 2M and 1G, and none can");
    BOOST_TEST(c.submit(job().wishes({.isolated = true})).starts_with(
        refused + "isolate cores, and none can (on kernels up to 6.6 every cgroup above the job's must be a partition root"));
    auto& able = c.machines["n2"];
    for (auto capability : {Capability::hugetlb, Capability::pages_2m, Capability::isolation})
        able.capabilities.add(capability);
    c.join("n2");
    BOOST_TEST(c.submit(job().wishes(pages)).starts_with(refused)); // not with 1G
    c.submit(job().wishes({.huge_pages = {{mebibytes(2), 8}}, .isolated = true}));
    BOOST_TEST(c.running() == "1");
    BOOST_TEST((c.at(1).run->placement.nodes[0].node == NodeId{1}));
    c.submit(job().cpus(4).wishes({.isolated = true})); // n1 is free
    BOOST_TEST(c.running() == "1");
    c.lose("n2");
    BOOST_TEST(c.reason(2) == "NodesUnavailable: no node of partition batch can take it now: 1 not connected, 1 unable to isolate cores");
}

BOOST_AUTO_TEST_CASE(a_device_belongs_to_one_job)
{
    auto c = one_node();
    c.submit(job().wishes(gpus(1)));
    c.submit(job().wishes(gpus(1)));
    c.submit(job().wishes(gpus(1)));
    BOOST_TEST(c.running() == "1 2");
    BOOST_TEST(c.at(1).run->placement.nodes[0].devices == std::vector{0u});
    BOOST_TEST(c.at(2).run->placement.nodes[0].devices == std::vector{1u});
    BOOST_TEST(c.reason(3) == "Devices: needs 1 gpu; n1 has 2 cores and 2G free, but has 0");
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "2 3");
}

BOOST_AUTO_TEST_CASE(near_devices_wait_for_the_cores_near_them)
{
    auto c = one_node();
    c.submit(job().tasks(2));
    c.submit(job().wishes(gpus(1)));
    c.submit(job().wishes(gpus(1, true)));
    BOOST_TEST(c.running() == "1 2");
    BOOST_TEST(c.reason(3) == "NearDevices: needs 1 cores near all of its devices; n1 has 1 cores and 1G free, but has fewer there");
}

BOOST_AUTO_TEST_CASE(what_can_never_be_is_refused)
{
    auto c = one_node();
    const auto refused = [&](std::string why) { return "invalid: no node of partition batch can ever run this: it asks for " + why; };
    BOOST_TEST(c.submit(job().wishes(gpus(3))) == refused("3 gpu, but n1 has 2"));
    BOOST_TEST(c.submit(job().tasks(3).wishes({.numa_nodes = 3})) == refused("3 NUMA nodes, but n1 has 2"));
    BOOST_TEST(c.submit(job().cpus(3).wishes({.place = PlacePattern::numa})) == refused("3 cores of one NUMA node, but n1 has 2 in one at most"));
    BOOST_TEST(c.submit(job().memory(mebibytes(3072)).wishes({.memory = MemoryBinding::local})) ==
               refused("3G of memory next to its cores, but n1 has less there"));
}

BOOST_AUTO_TEST_CASE(several_nodes_each_place_their_tasks_as_wished)
{
    auto c = one_node(2);
    c.submit(job().cpus(2).tasks(4).memory(mebibytes(10)).wishes({.place = PlacePattern::numa}));
    BOOST_TEST(c.at(1).run->placement.nodes.size() == 2u);
    c.submit(job().tasks(1));
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_SUITE_END()
