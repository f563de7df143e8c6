// Node choice: which nodes a request gets, and how many tasks are on each.
#include "sched/choose_nodes.hpp"

#include <boost/test/unit_test.hpp>
#include <deque>

using namespace jarvis;
using namespace jarvis::sched;

namespace {

// A row of nodes, 1 GiB of memory for each core, and a request; nodes are named n1 ... by their place in the row.
struct Row {
    std::deque<Topology> topologies;
    std::deque<FreeResources> free;
    std::deque<std::vector<std::string>> features;
    std::vector<Candidate> candidates;
    Constraint constraint;
    NodesWanted wanted;

    Row& node(std::uint32_t cores, std::uint32_t busy = 0, std::vector<std::string> its_features = {})
    {
        Topology topology;
        for (std::uint32_t i = 0; i < cores; ++i)
            topology.cores.push_back({.pus = {i}, .package = 0});
        topology.numa_nodes.push_back({.os_index = 0, .memory = mebibytes(1024) * cores, .cores = CoreSet::range(0, cores)});
        topologies.push_back(topology);
        free.push_back(everything(topology));
        take(free.back(), {.node = {}, .cores = CoreSet::range(0, busy), .memory = {{0, mebibytes(1024) * busy}}});
        features.push_back(std::move(its_features));
        const auto index = static_cast<std::uint32_t>(candidates.size());
        candidates.push_back({.node = NodeId{index + 1}, .position = index, .required = false, .topology = &topologies.back(),
                              .free = &free.back(), .features = &features.back()});
        return *this;
    }
    Row& nodes(std::initializer_list<std::uint32_t> cores)
    {
        for (auto n : cores)
            node(n);
        return *this;
    }
    Row& require(std::initializer_list<std::uint32_t> names)
    {
        for (auto& candidate : candidates)
            candidate.required = std::find(names.begin(), names.end(), candidate.node.value) != names.end();
        return *this;
    }
    // "n1:2 n3:1", or "no"
    std::string choose(std::uint32_t tasks, std::uint32_t min = 1, std::uint32_t max = 0)
    {
        wanted.resources.tasks = tasks;
        wanted.nodes_min = min;
        wanted.nodes_max = max;
        std::string text;
        for (const auto& [index, count] : choose_nodes(wanted, candidates))
            text += fmt::format("{}n{}:{}", text.empty() ? "" : " ", candidates[index].node, count);
        return text.empty() ? "no" : text;
    }
    Row& constrain(std::string_view text)
    {
        constraint = *parse_constraint(text);
        wanted.constraint = &constraint;
        return *this;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(node_choice)

BOOST_AUTO_TEST_CASE(the_first_node_that_holds_all_is_taken)
{
    Row row;
    row.node(4, 2).nodes({4, 8});
    BOOST_TEST(row.choose(2) == "n1:2");
    BOOST_TEST(row.choose(3) == "n2:3");
    BOOST_TEST(row.choose(8) == "n3:8");
}

BOOST_AUTO_TEST_CASE(else_as_few_as_it_takes)
{
    Row row;
    row.nodes({2, 2, 4, 4});
    BOOST_TEST(row.choose(8) == "n3:4 n4:4");
    BOOST_TEST(row.choose(12) == "n1:2 n2:2 n3:4 n4:4");
    BOOST_TEST(row.choose(13) == "no");
    BOOST_TEST(row.choose(8, 1, 1) == "no");
}

BOOST_AUTO_TEST_CASE(nine_tasks_need_three_nodes_of_which_the_first_in_the_order_do_not_do)
{
    Row row;
    row.nodes({2, 2, 4, 4});
    BOOST_TEST(row.choose(9) == "n1:2 n3:4 n4:3");
    BOOST_TEST(row.choose(8, 3) == "n1:2 n2:2 n3:4");
}

BOOST_AUTO_TEST_CASE(so_many_nodes_as_are_asked_for_each_with_a_task)
{
    Row row;
    row.nodes({4, 4, 4});
    BOOST_TEST(row.choose(2, 2) == "n1:1 n2:1");
    BOOST_TEST(row.choose(6, 2) == "n1:4 n2:2");
    BOOST_TEST(row.choose(5, 3) == "n1:3 n2:1 n3:1");
    BOOST_TEST(row.choose(3, 4) == "no");
    BOOST_TEST(row.choose(2, 3) == "no"); // fewer tasks than nodes
}

BOOST_AUTO_TEST_CASE(tasks_per_node_are_a_limit)
{
    Row row;
    row.nodes({8, 8, 8});
    row.wanted.resources.tasks_per_node = 2;
    BOOST_TEST(row.choose(4) == "n1:2 n2:2");
    BOOST_TEST(row.choose(5) == "n1:2 n2:2 n3:1");
    BOOST_TEST(row.choose(7) == "no");
}

BOOST_AUTO_TEST_CASE(a_task_is_not_split)
{
    Row row;
    row.nodes({3, 3});
    row.wanted.resources.cpus_per_task = 2;
    BOOST_TEST(row.choose(2) == "n1:1 n2:1");
    BOOST_TEST(row.choose(3) == "no");
}

BOOST_AUTO_TEST_CASE(memory_counts_like_cores)
{
    Row row;
    row.nodes({4, 4});
    row.wanted.resources.memory_per_cpu = mebibytes(2048);
    BOOST_TEST(row.choose(4) == "n1:2 n2:2");
    row.wanted.resources.memory_per_cpu.reset();
    row.wanted.resources.memory_per_node = mebibytes(4096);
    BOOST_TEST(row.choose(6) == "n1:4 n2:2");
    row.wanted.resources.memory_per_node = mebibytes(4097);
    BOOST_TEST(row.choose(1) == "no");
}

BOOST_AUTO_TEST_CASE(exclusive_takes_whole_free_nodes)
{
    Row row;
    row.node(4, 1).nodes({4, 4});
    row.wanted.resources.exclusive = true;
    BOOST_TEST(row.choose(2) == "n2:2");
    BOOST_TEST(row.choose(2, 2) == "n2:1 n3:1");
    BOOST_TEST(row.choose(2, 3) == "no");
    const auto placement = place_on_nodes(row.wanted, row.candidates);
    BOOST_TEST(!placement);
    row.choose(2, 2);
    const auto placed = place_on_nodes(row.wanted, row.candidates);
    BOOST_REQUIRE(placed);
    BOOST_TEST(placed->nodes[1].cores.count() == 4u);
    BOOST_TEST(placed->nodes[1].tasks == 1u);
    BOOST_TEST((placed->nodes[1].total_memory() == mebibytes(4096)));
}

BOOST_AUTO_TEST_CASE(all_of_a_node_list_are_in_and_others_if_it_takes_more)
{
    Row row;
    row.nodes({4, 4, 4, 4}).require({2, 4});
    BOOST_TEST(row.choose(2) == "n2:1 n4:1");
    BOOST_TEST(row.choose(9) == "n1:4 n2:4 n4:1");
    BOOST_TEST(row.choose(8, 1, 1) == "no");
    row.require({3});
    BOOST_TEST(row.choose(2) == "n3:2");
    BOOST_TEST(row.choose(5) == "n1:4 n3:1");
}

BOOST_AUTO_TEST_CASE(a_busy_node_of_the_list_is_waited_for)
{
    Row row;
    row.node(2, 2).nodes({2}).require({1});
    BOOST_TEST(row.choose(1) == "no");
}

BOOST_AUTO_TEST_CASE(counted_features_are_fulfilled)
{
    Row row;
    row.node(2, 0, {"r1"}).node(2, 0, {"r1"}).node(2, 0, {"r2"}).node(2, 0, {"r2", "gpu"}).node(2, 0, {});
    BOOST_TEST(row.constrain("r2*1").choose(1) == "n3:1");
    BOOST_TEST(row.constrain("r1*1&gpu*1").choose(2) == "n1:1 n4:1");
    BOOST_TEST(row.constrain("r1*2&r2*1").choose(3) == "n1:1 n2:1 n3:1");
    BOOST_TEST(row.constrain("r1*1&r2*2").choose(7) == "n1:2 n2:2 n3:2 n4:1");
    BOOST_TEST(row.constrain("r2*1&gpu*1").choose(1) == "n4:1"); // one node may serve several
    BOOST_TEST(row.constrain("r1*3").choose(5) == "no");
    BOOST_TEST(row.constrain("r1*1&r2*1").choose(2, 1, 1) == "no");
}

BOOST_AUTO_TEST_CASE(contiguous_nodes_are_neighbours)
{
    Row row;
    row.nodes({2, 2}).node(2, 2).nodes({2, 2, 2});
    row.wanted.resources.contiguous = true;
    BOOST_TEST(row.choose(4) == "n1:2 n2:2");
    BOOST_TEST(row.choose(6) == "n4:2 n5:2 n6:2");
    BOOST_TEST(row.choose(3, 3) == "n4:1 n5:1 n6:1");
    BOOST_TEST(row.choose(7) == "no");
    BOOST_TEST(row.require({5}).choose(4) == "n4:2 n5:2");
    BOOST_TEST(row.require({2, 4}).choose(4) == "no");
    row.require({});
    row.candidates[4].position = 9; // n5 stands elsewhere
    BOOST_TEST(row.choose(6) == "no");
}

BOOST_AUTO_TEST_CASE(neighbours_fulfil_counts_among_themselves)
{
    Row row;
    row.node(2, 0, {"r1"}).node(2).node(2, 0, {"r1"}).node(2, 0, {"gpu"}).node(2, 0, {"r1"}).node(2, 0, {"r1"});
    row.wanted.resources.contiguous = true;
    BOOST_TEST(row.constrain("r1*1&gpu*1").choose(2) == "n3:1 n4:1");
    BOOST_TEST(row.constrain("r1*2").choose(2) == "n5:1 n6:1"); // shorter than n1 to n3
    BOOST_TEST(row.constrain("r1*2&gpu*1").choose(3) == "n3:1 n4:1 n5:1");
    BOOST_TEST(row.constrain("gpu*2").choose(2) == "no");
    BOOST_TEST(row.constrain("r1*3").choose(6, 1, 4) == "n3:2 n4:2 n5:1 n6:1");
    BOOST_TEST(row.constrain("r1*4").choose(6, 1, 5) == "no");
}

BOOST_AUTO_TEST_CASE(a_thousand_nodes_are_chosen_among_ten_thousand)
{
    Row row;
    for (int i = 0; i < 10'000; ++i)
        row.node(4);
    row.wanted.resources.tasks = 4000;
    row.wanted.nodes_min = 1000;
    const auto chosen = choose_nodes(row.wanted, row.candidates);
    BOOST_TEST(chosen.size() == 1000u);
    BOOST_TEST(chosen.back().candidate == 999u);
}

BOOST_AUTO_TEST_SUITE_END()
