// Placement inside a node, wish by wish.
#include "machines.hpp"
#include "sched/obstacle.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::sched;
using namespace jarvis::sched::test;

namespace {

// Whose jobs come and stay.
struct Node {
    Topology topology;
    FreeResources free;

    explicit Node(Builder builder) : topology(std::move(builder.topology)), free(everything(topology)) {}

    std::string start(std::uint32_t tasks, std::uint32_t cpus, std::int64_t memory, PlacementWishes wishes = {})
    {
        const auto placement = place(NodeId{0}, wanting(tasks, cpus, memory, std::move(wishes)), topology, free);
        if (placement)
            take(free, *placement);
        return text(placement);
    }
    Node& busy(CoreSet cores, std::vector<NumaShare> memory = {})
    {
        take(free, {.node = {}, .cores = std::move(cores), .memory = std::move(memory)});
        return *this;
    }
    std::string never(std::uint32_t tasks, std::uint32_t cpus, std::int64_t memory, PlacementWishes wishes = {}) const
    {
        return never_fits(wanting(tasks, cpus, memory, std::move(wishes)), topology, "n1");
    }
};

// Two packages of two NUMA nodes of two L3 caches of four cores, 8 GiB each.
Builder two_packages()
{
    return Builder{}.numa(0, 2, 4, 8192).numa(0, 2, 4, 8192).numa(1, 2, 4, 8192).numa(1, 2, 4, 8192)
        .distances({10, 12, 32, 32, 12, 10, 32, 32, 32, 32, 10, 12, 32, 32, 12, 10});
}

} // namespace

BOOST_AUTO_TEST_SUITE(placed_closely)

BOOST_AUTO_TEST_CASE(one_numa_node_that_holds_it_with_the_tightest_hole)
{
    Node n(two_packages());
    n.busy(CoreSet::range(8, 4));
    BOOST_TEST(n.start(3, 1, 100) == "cores 12-14, memory 1:100");
    BOOST_TEST(n.start(8, 1, 100) == "cores 0-7, memory 0:100");
}

BOOST_AUTO_TEST_CASE(one_package_before_fewer_numa_nodes_and_near_ones_before_far_ones)
{
    Node n(two_packages());
    BOOST_TEST(n.start(12, 1, 12000) == "cores 0-11, memory 0:8000 1:4000");
    Node distant(Builder{}.numa(0, 1, 4, 1000).numa(0, 1, 4, 1000).numa(0, 1, 4, 1000)
                     .distances({10, 30, 12, 30, 10, 12, 12, 12, 10}));
    distant.busy(CoreSet::range(8, 2)); // the nearest pairs are 0, 2 and 1, 2
    BOOST_TEST(distant.start(6, 1, 600) == "cores 0-3,10-11, memory 0:400 2:200");
}

BOOST_AUTO_TEST_CASE(memory_decides_as_cores_do)
{
    Node n(two_packages());
    n.busy({}, {{0, mebibytes(8000)}});
    BOOST_TEST(n.start(2, 1, 1000) == "cores 8-9, memory 1:1000");
    // Of less than that the tightest hole of memory.
    BOOST_TEST(n.start(2, 1, 100) == "cores 10-11, memory 1:100");
    BOOST_TEST(n.start(8, 1, 192) == "cores 0-7, memory 0:192");
}

BOOST_AUTO_TEST_CASE(what_one_numa_node_lacks_comes_from_the_nearest)
{
    Node n(two_packages());
    n.busy(CoreSet::range(16, 16));
    BOOST_TEST(n.start(2, 1, 10000) == "cores 0-1, memory 0:8192 1:1808");
}

BOOST_AUTO_TEST_CASE(ordinary_memory_then_fast_then_slow)
{
    const auto machine = [] {
        return Builder{}.numa(0, 1, 4, 1000).memory_beside({}, 1000, MemoryKind::slow).memory_beside(CoreSet::range(0, 4), 1000, MemoryKind::hbm);
    };
    Node n(machine());
    BOOST_TEST(n.start(1, 1, 500) == "cores 0, memory 0:500");
    BOOST_TEST(n.start(1, 1, 1000) == "cores 1, memory 0:500 2:500");
    BOOST_TEST(n.start(1, 1, 1000) == "cores 2, memory 1:1000");
    Node local(machine());
    BOOST_TEST(local.start(1, 1, 2000, {.memory = MemoryBinding::local}) == "cores 0, memory 0:1000 2:1000");
    BOOST_TEST(local.start(1, 1, 10, {.memory = MemoryBinding::local}) == "no");
    BOOST_TEST(local.start(1, 1, 10) == "cores 1, memory 1:10");
}

BOOST_AUTO_TEST_CASE(few_l3_caches_whole_ones_first)
{
    Node n(Builder{}.numa(0, 4, 4, 1000));
    n.busy(CoreSet::range(0, 1)).busy(CoreSet::range(4, 2));
    BOOST_TEST(n.start(2, 1, 0) == "cores 6-7, memory");
    BOOST_TEST(n.start(6, 1, 0) == "cores 1-2,8-11, memory"); // a pair of caches that leaves one core
}

BOOST_AUTO_TEST_CASE(fast_cores_first_and_not_mixed)
{
    Builder b;
    b.numa(0, 1, 8, 1000);
    for (std::uint32_t i = 0; i < 3; ++i)
        b.topology.cores[5 + i].efficiency = 1;
    Node n(b);
    BOOST_TEST(n.start(2, 1, 0) == "cores 5-6, memory");
    BOOST_TEST(n.start(2, 1, 0) == "cores 0-1, memory");
    BOOST_TEST(n.start(4, 1, 0) == "cores 2-4,7, memory");
}

BOOST_AUTO_TEST_CASE(many_numa_nodes_are_searched_with_a_bound)
{
    Builder b;
    for (std::uint32_t numa = 0; numa < 40; ++numa)
        b.numa(numa / 10, 1, 2, 100);
    Node n(b);
    BOOST_TEST(n.start(2, 1, 100) == "cores 0-1, memory 0:100");
    BOOST_TEST(n.start(6, 1, 300) == "cores 2-7, memory 1:100 2:100 3:100");
    const auto most = place(NodeId{0}, wanting(60, 1, 3000), n.topology, n.free);
    BOOST_REQUIRE(most); // more than the search comes to
    BOOST_TEST(most->cores.count() == 60u);
    BOOST_TEST((most->total_memory() == mebibytes(3000)));
    BOOST_TEST(n.start(72, 1, 3600) != "no");
    BOOST_TEST(n.free.cores.empty());
}

BOOST_AUTO_TEST_CASE(cores_of_no_numa_node_are_given_too)
{
    Builder b;
    b.numa(0, 1, 2, 1000);
    b.topology.cores.push_back({.pus = {9}});
    Node n(b);
    BOOST_TEST(n.start(3, 1, 100) == "cores 0-2, memory 0:100");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(bound_memory)

BOOST_AUTO_TEST_CASE(local_waits_for_memory_next_to_the_cores)
{
    Node n(two_packages());
    for (std::uint32_t numa = 0; numa < 4; ++numa)
        n.busy({}, {{numa, mebibytes(7000)}});
    BOOST_TEST(n.start(1, 1, 2000, {.memory = MemoryBinding::local}) == "no");
    BOOST_TEST(n.start(2, 1, 2000, {.memory = MemoryBinding::local}) == "cores 0,8, memory 0:1000 1:1000");
    BOOST_TEST(n.never(1, 1, 9216, {.memory = MemoryBinding::local}) == "9G of memory next to its cores, but n1 has less there");
    BOOST_TEST(n.never(2, 1, 9216, {.memory = MemoryBinding::local}) == "");
}

BOOST_AUTO_TEST_CASE(interleaved_in_equal_parts)
{
    Node n(Builder{}.numa(0, 1, 4, 1000).numa(0, 1, 4, 600));
    BOOST_TEST(n.start(6, 1, 1000, {.memory = MemoryBinding::interleave}) == "cores 0-5, memory 0:500 1:500");
    BOOST_TEST(n.never(8, 1, 1536, {.memory = MemoryBinding::interleave}) ==
               "1.5G of memory in equal parts from the NUMA nodes of its cores, but n1 has less there");
}

BOOST_AUTO_TEST_CASE(unbound_memory_comes_from_the_lowest)
{
    Node n(two_packages());
    n.busy(CoreSet::range(0, 16));
    BOOST_TEST(n.start(2, 1, 9000, {.memory = MemoryBinding::none}) == "cores 16-17, memory 0:8192 1:808");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(patterns)

BOOST_AUTO_TEST_CASE(spread_is_even_over_numa_nodes_and_caches)
{
    Node n(two_packages());
    BOOST_TEST(n.start(8, 1, 800, {.place = PlacePattern::spread}) == "cores 0,4,8,12,16,20,24,28, memory 0:200 1:200 2:200 3:200");
    n.busy(CoreSet::range(0, 8));
    BOOST_TEST(n.start(3, 1, 0, {.place = PlacePattern::spread}) == "cores 9,17,25, memory");
}

BOOST_AUTO_TEST_CASE(numa_keeps_each_task_whole)
{
    Node n(two_packages());
    n.busy(CoreSet::range(0, 3)).busy(CoreSet::range(8, 3));
    BOOST_TEST(n.start(2, 3, 100, {.place = PlacePattern::numa}) == "cores 16-21, memory 2:100");
    n.busy(CoreSet::range(16, 8));
    BOOST_TEST(n.start(4, 3, 0, {.place = PlacePattern::numa}) == "cores 4-6,12-14,24-29, memory");
    BOOST_TEST(n.start(1, 3, 0, {.place = PlacePattern::numa}) == "no"); // 2, 2 and 2 cores are left
    BOOST_TEST(n.start(1, 3, 0) == "cores 3,7,11, memory");
}

BOOST_AUTO_TEST_CASE(whole_tasks_take_as_few_numa_nodes_as_they_fit_on)
{
    Node n(two_packages());
    BOOST_TEST(n.start(3, 5, 0, {.place = PlacePattern::numa}) == "cores 0-4,8-12,16-20, memory");
    BOOST_TEST(n.never(1, 9, 0, {.place = PlacePattern::numa}) == "9 cores of one NUMA node, but n1 has 8 in one at most");
    BOOST_TEST(n.never(5, 5, 0, {.place = PlacePattern::numa}) == "5 tasks of 5 cores, each inside one NUMA node, but n1 has no room for all of them");
}

BOOST_AUTO_TEST_CASE(exactly_so_many_numa_nodes)
{
    Node n(two_packages());
    BOOST_TEST(n.start(4, 1, 400, {.numa_nodes = 2}) == "cores 0-1,8-9, memory 0:200 1:200");
    BOOST_TEST(n.start(1, 1, 0, {.numa_nodes = 2}) == "no");
    BOOST_TEST(n.start(5, 1, 20000, {.numa_nodes = 1}) == "cores 16-20, memory 0:7992 1:3816 2:8192");
    BOOST_TEST(n.never(5, 1, 0, {.numa_nodes = 5}) == "5 NUMA nodes, but n1 has 4");
}

BOOST_AUTO_TEST_CASE(limits_of_tasks)
{
    Node n(two_packages());
    BOOST_TEST(n.start(3, 2, 0, {.tasks_per_l3 = 1}) == "cores 0-1,4-5,8-9, memory");
    BOOST_TEST(n.start(2, 2, 0, {.tasks_per_numa = 1}) == "cores 2-3,10-11, memory");
    BOOST_TEST(n.start(2, 2, 0, {.tasks_per_package = 1}) == "cores 6-7,16-17, memory");
    BOOST_TEST(n.never(3, 1, 0, {.tasks_per_package = 1}) == "3 tasks with at most 1 on each package, but n1 has no room for all of them");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(alone)

BOOST_AUTO_TEST_CASE(on_an_l3_cache)
{
    Node n(two_packages());
    n.busy(CoreSet::range(1, 1));
    BOOST_TEST(n.start(5, 1, 100, {.alone_on = AloneOn::l3}) == "cores 8-15, memory 1:100");
    BOOST_TEST(n.start(1, 1, 100, {.alone_on = AloneOn::l3}) == "cores 4-7, memory 0:100");
}

BOOST_AUTO_TEST_CASE(on_a_numa_node_or_a_package_with_its_memory)
{
    Node n(two_packages());
    n.busy({}, {{0, mebibytes(1)}});
    BOOST_TEST(n.start(1, 1, 100, {.alone_on = AloneOn::numa}) == "cores 8-15, memory 1:8192");
    BOOST_TEST(n.start(1, 1, 100, {.alone_on = AloneOn::package}) == "cores 16-31, memory 2:8192 3:8192");
    BOOST_TEST(n.start(1, 1, 100, {.alone_on = AloneOn::numa}) == "no");
    BOOST_TEST(n.start(1, 1, 100) == "cores 0, memory 0:100");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(devices)

namespace {

Builder with_devices()
{
    return two_packages().device("gpu", "a100", CoreSet::range(16, 8)).device("gpu", "a100", CoreSet::range(24, 8))
        .device("gpu", "t4", CoreSet::range(0, 16)).device("nic", "", {});
}
PlacementWishes gpus(std::uint32_t count, std::string type = "", bool near = false)
{
    return {.devices = {{"gpu", std::move(type), count}}, .near_devices = near};
}

} // namespace

BOOST_AUTO_TEST_CASE(cores_lie_near_the_devices_that_are_asked_for)
{
    Node n(with_devices());
    BOOST_TEST(n.start(1, 1, 100, gpus(1, "a100")) == "cores 16, memory 2:100, devices 0");
    BOOST_TEST(n.start(1, 1, 100, gpus(1, "a100")) == "cores 24, memory 3:100, devices 1");
    BOOST_TEST(n.start(1, 1, 100, gpus(1, "a100")) == "no");
    BOOST_TEST(n.start(1, 1, 100, {.devices = {{"gpu", "", 1}, {"nic", "", 1}}}) == "cores 0, memory 0:100, devices 2 3");
}

BOOST_AUTO_TEST_CASE(a_named_type_is_served_before_any)
{
    Node n(with_devices());
    BOOST_TEST(n.start(1, 1, 0, {.devices = {{"gpu", "", 1}, {"gpu", "t4", 1}}}) == "cores 0, memory, devices 0 2");
    BOOST_TEST(n.start(1, 1, 0, {.devices = {{"gpu", "", 1}, {"gpu", "t4", 1}}}) == "no");
}

BOOST_AUTO_TEST_CASE(bound_to_the_cores_near_all_of_them)
{
    Node n(with_devices());
    n.busy(CoreSet::range(16, 7));
    BOOST_TEST(n.start(2, 1, 0, gpus(1, "a100", true)) == "cores 24-25, memory, devices 1");
    BOOST_TEST(n.start(2, 1, 0, gpus(1, "a100", true)) == "no");
    BOOST_TEST(n.start(1, 1, 0, gpus(1, "a100", true)) == "cores 23, memory, devices 0");
    BOOST_TEST(n.never(2, 1, 0, gpus(2, "a100", true)) == "2 cores near all of its devices, but n1 has fewer there");
    BOOST_TEST(n.never(2, 1, 0, gpus(3, "a100")) == "3 gpu:a100, but n1 has 2");
    BOOST_TEST(n.never(2, 1, 0, gpus(4)) == "4 gpu, but n1 has 3");
}

BOOST_AUTO_TEST_CASE(a_whole_node_has_all_of_them)
{
    Node n(with_devices());
    auto whole = wanting(1, 1, 10, gpus(1));
    whole.exclusive = true;
    whole.cores = 32;
    const auto placement = place(NodeId{0}, whole, n.topology, n.free);
    BOOST_REQUIRE(placement);
    BOOST_TEST(placement->devices.size() == 4u);
    take(n.free, *placement);
    BOOST_TEST(n.free.devices.empty());
    give_back(n.free, *placement, n.topology);
    BOOST_TEST((n.free == everything(n.topology)));
    whole.wishes = gpus(4);
    BOOST_TEST(!place(NodeId{0}, whole, n.topology, n.free));
}

BOOST_AUTO_TEST_SUITE_END()
