// Fit and placement: how much a request takes of a node, whether that is free, and which cores and memory it gets.
#include "machines.hpp"
#include "sched/obstacle.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::sched;
using namespace jarvis::sched::test;

namespace {

// NUMA nodes of so many cores and so much memory (in MiB) each; no cores: memory alone.
struct Part {
    std::uint32_t cores;
    std::int64_t memory;
};
Topology machine(std::vector<Part> parts)
{
    Topology topology;
    for (const auto& part : parts) {
        const auto first = static_cast<std::uint32_t>(topology.cores.size());
        for (std::uint32_t i = 0; i < part.cores; ++i)
            topology.cores.push_back({.pus = {first + i}, .package = 0});
        topology.numa_nodes.push_back({.os_index = static_cast<std::uint32_t>(topology.numa_nodes.size()),
                                       .memory = mebibytes(part.memory),
                                       .cores = CoreSet::range(first, part.cores)});
    }
    return topology;
}

ResourceRequest tasks(std::uint32_t n) { return {.tasks = n}; }

// A node whose jobs come and go.
struct Machine {
    Topology topology;
    FreeResources free;

    explicit Machine(Topology t) : topology(std::move(t)), free(everything(topology)) {}

    std::optional<NodePlacement> try_place(std::uint32_t cores, std::int64_t memory, bool exclusive = false) const
    {
        return place(NodeId{3}, {.cores = cores, .memory = mebibytes(memory), .exclusive = exclusive}, topology, free);
    }
    std::string start(std::uint32_t cores, std::int64_t memory, bool exclusive = false)
    {
        auto placement = try_place(cores, memory, exclusive);
        if (placement)
            take(free, *placement);
        return text(placement);
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(demand)

BOOST_AUTO_TEST_CASE(cores_are_tasks_times_cpus)
{
    const auto topology = machine({{4, 1000}});
    BOOST_TEST(demand_on({.tasks = 3, .cpus_per_task = 2}, topology, {}).cores == 6u);
}

BOOST_AUTO_TEST_CASE(memory_as_asked)
{
    const auto topology = machine({{4, 1000}});
    auto request = tasks(2);
    request.memory_per_node = mebibytes(300);
    BOOST_TEST((demand_on(request, topology, mebibytes(7)).memory == mebibytes(300)));
    request.memory_per_node.reset();
    request.memory_per_cpu = mebibytes(300);
    BOOST_TEST((demand_on(request, topology, mebibytes(7)).memory == mebibytes(600)));
}

BOOST_AUTO_TEST_CASE(a_silent_request_gets_the_partitions_default_or_its_cores_share)
{
    const auto topology = machine({{2, 1000}, {2, 3000}});
    BOOST_TEST((demand_on(tasks(3), topology, mebibytes(7)).memory == mebibytes(21)));
    BOOST_TEST((demand_on(tasks(3), topology, {}).memory == mebibytes(3000)));
    BOOST_TEST((demand_on(tasks(4), topology, {}).memory == mebibytes(4000)));
    // Of more cores than there are the answer is about the cores, not about memory.
    BOOST_TEST((demand_on(tasks(9), topology, {}).memory == mebibytes(4000)));
    BOOST_TEST((demand_on(tasks(1), Topology{}, {}).memory == MemorySize{}));
}

BOOST_AUTO_TEST_CASE(shares_never_add_up_to_more_than_there_is)
{
    auto topology = machine({{3, 0}});
    topology.numa_nodes[0].memory = {1000}; // not a multiple of 3
    Machine m(topology);
    for (int i = 0; i < 3; ++i) {
        auto placement = place(NodeId{0}, demand_on(tasks(1), topology, {}), topology, m.free);
        BOOST_REQUIRE(placement);
        BOOST_TEST(placement->total_memory().bytes == 333);
        take(m.free, *placement);
    }
}

BOOST_AUTO_TEST_CASE(exclusive_is_all_of_the_node_or_more_if_more_is_asked_for)
{
    const auto topology = machine({{4, 1000}});
    auto request = tasks(1);
    request.exclusive = true;
    request.memory_per_node = mebibytes(10);
    BOOST_TEST(demand_on(request, topology, {}).cores == 4u);
    BOOST_TEST((demand_on(request, topology, {}).memory == mebibytes(1000)));
    request.tasks = 9;
    request.memory_per_node = mebibytes(2000);
    BOOST_TEST(demand_on(request, topology, {}).cores == 9u);
    BOOST_TEST((demand_on(request, topology, {}).memory == mebibytes(2000)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(placement)

BOOST_AUTO_TEST_CASE(the_lowest_cores_first)
{
    Machine m(machine({{8, 8000}}));
    BOOST_TEST(m.start(2, 100) == "cores 0-1, memory 0:100");
    const auto second = m.try_place(3, 100);
    BOOST_TEST(m.start(3, 100) == "cores 2-4, memory 0:100");
    BOOST_TEST(m.start(1, 100) == "cores 5, memory 0:100");
    give_back(m.free, *second, m.topology);
    BOOST_TEST(m.start(4, 100) == "cores 2-4,6, memory 0:100");
    BOOST_TEST(m.try_place(1, 100)->node.value == 3u);
}

BOOST_AUTO_TEST_CASE(what_is_not_free_is_not_given)
{
    Machine m(machine({{4, 1000}}));
    BOOST_TEST(m.start(3, 600) == "cores 0-2, memory 0:600");
    BOOST_TEST(m.start(2, 10) == "no");
    BOOST_TEST(m.start(1, 401) == "no");
    BOOST_TEST(m.start(1, 400) == "cores 3, memory 0:400");
    BOOST_TEST(m.start(0, 1) == "no");
}

BOOST_AUTO_TEST_CASE(memory_comes_from_the_numa_nodes_of_the_cores_first)
{
    Machine m(machine({{2, 1000}, {2, 1000}, {2, 1000}}));
    BOOST_TEST(m.start(2, 300) == "cores 0-1, memory 0:300");
    BOOST_TEST(m.start(1, 800) == "cores 2, memory 1:800");
    // NUMA node 1 has 200 left, so two others hold it, and the core is where most of the memory is.
    BOOST_TEST(m.start(1, 1500) == "cores 4, memory 0:500 2:1000");
    BOOST_TEST(m.start(2, 400) == "cores 3,5, memory 0:200 1:200");
    BOOST_TEST(m.free.total_memory().bytes == 0);
}

BOOST_AUTO_TEST_CASE(cores_of_two_numa_nodes_take_memory_from_both)
{
    Machine m(machine({{2, 1000}, {2, 1000}, {0, 5000}}));
    BOOST_TEST(m.start(4, 1700) == "cores 0-3, memory 0:850 1:850");
}

BOOST_AUTO_TEST_CASE(memory_without_cores_comes_last)
{
    Machine m(machine({{0, 500}, {2, 1000}}));
    BOOST_TEST(m.start(1, 900) == "cores 0, memory 1:900");
    BOOST_TEST(m.start(1, 600) == "cores 1, memory 0:500 1:100");
}

BOOST_AUTO_TEST_CASE(a_demand_without_memory_names_no_numa_node)
{
    Machine m(machine({{2, 1000}}));
    BOOST_TEST(m.start(1, 0) == "cores 0, memory");
}

BOOST_AUTO_TEST_CASE(exclusive_needs_a_node_that_nobody_uses)
{
    Machine m(machine({{2, 1000}, {2, 1000}}));
    const auto small = m.try_place(1, 0);
    take(m.free, *small);
    BOOST_TEST(m.start(3, 0, true) == "no"); // free, but not alone
    give_back(m.free, *small, m.topology);
    BOOST_TEST(m.start(4, 2000, true) == "cores 0-3, memory 0:1000 1:1000");
}

BOOST_AUTO_TEST_CASE(what_is_given_back_is_what_was_taken)
{
    Machine m(machine({{2, 1000}, {2, 1000}, {0, 100}}));
    std::vector<NodePlacement> placements;
    for (auto memory : {700, 900, 400}) {
        placements.push_back(*m.try_place(1, memory));
        take(m.free, placements.back());
    }
    for (const auto& placement : placements)
        give_back(m.free, placement, m.topology);
    BOOST_TEST((m.free == everything(m.topology)));
}

BOOST_AUTO_TEST_CASE(a_node_that_became_smaller_offers_no_lost_core_or_memory)
{
    Machine large(machine({{4, 1000}, {4, 1000}}));
    const auto placement = *large.try_place(6, 1900);
    Machine small(machine({{2, 1000}}));
    take(small.free, placement);
    BOOST_TEST(small.free.cores.empty());
    BOOST_TEST(small.start(1, 10) == "no");
    give_back(small.free, placement, small.topology);
    BOOST_TEST((small.free == everything(small.topology)));
}

BOOST_AUTO_TEST_CASE(memory_that_is_owed_is_not_given_from_elsewhere)
{
    // NUMA node 0 shrank under a job: it has less than nothing free.
    auto topology = machine({{2, 1000}, {2, 1000}});
    Machine m(topology);
    take(m.free, {.node = {}, .cores = CoreSet::range(0, 1), .memory = {{0, mebibytes(1500)}}});
    BOOST_TEST(m.start(1, 501) == "no"); // the machine as a whole has 500 left
    BOOST_TEST(m.start(1, 500) == "cores 2, memory 1:500");
}

BOOST_AUTO_TEST_CASE(many_cores)
{
    Machine m(machine({{200, 1000}}));
    m.start(100, 0);
    BOOST_TEST(m.start(100, 0) == "cores 100-199, memory");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fit)

BOOST_AUTO_TEST_CASE(never_fits_says_which_part_is_too_much)
{
    const auto topology = machine({{4, 2048}});
    BOOST_TEST(never_fits({.cores = 8, .memory = {}}, topology, "n1") == "8 cores, but n1 has 4");
    BOOST_TEST(never_fits({.cores = 4, .memory = mebibytes(3072)}, topology, "n1") == "3G of memory, but n1 has 2G");
    BOOST_TEST(never_fits({.cores = 5, .memory = mebibytes(3072)}, topology, "n1") == "5 cores, but n1 has 4");
    BOOST_TEST(never_fits({.cores = 4, .memory = mebibytes(2048)}, topology, "n1") == "");
    BOOST_TEST(never_fits({.cores = 1, .memory = {}}, Topology{}, "login1") == "1 cores, but login1 has 0");
}

BOOST_AUTO_TEST_CASE(what_could_fit_fits_an_empty_node)
{
    const auto topology = machine({{3, 1000}, {0, 77}, {2, 10}});
    const auto free = everything(topology);
    for (std::uint32_t n = 1; n <= 7; ++n)
        for (bool exclusive : {false, true})
            for (std::int64_t memory : {0, 10, 1087, 1088}) {
                ResourceRequest request{.tasks = n};
                request.exclusive = exclusive;
                if (memory > 0)
                    request.memory_per_node = mebibytes(memory);
                const auto wanted = demand_on(request, topology, {});
                BOOST_TEST(never_fits(wanted, topology, "n").empty() ==
                           place(NodeId{0}, wanted, topology, free).has_value());
            }
}

BOOST_AUTO_TEST_SUITE_END()
