#include "node/steps.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <set>

using namespace jarvis;
using namespace jarvis::node;

namespace {

// Nodes with so many NUMA nodes of so many cores each.
std::vector<StepHost> hosts(std::uint32_t count, std::uint32_t numa = 1, std::uint32_t cores = 4)
{
    std::vector<StepHost> all;
    for (std::uint32_t n = 1; n <= count; ++n) {
        StepHost host{.name = "n" + std::to_string(n), .numa = {}};
        for (std::uint32_t i = 0; i < numa; ++i)
            host.numa.push_back(CoreSet::range(i * cores, cores));
        all.push_back(std::move(host));
    }
    return all;
}

StepWish tasks(std::uint32_t count, std::uint32_t cores = 1)
{
    StepWish wish;
    wish.tasks = count;
    wish.cores_per_task = cores;
    return wish;
}

// "n1:0-1 n1:2-3 n2:0-1", by rank.
std::string text(const PlacedTasks& placed)
{
    std::string words;
    for (const auto& task : placed)
        words += (words.empty() ? "n" : " n") + std::to_string(task.host + 1) + ":" + format_list(task.cores);
    return words;
}

std::string placed(const std::vector<StepHost>& free, const StepWish& wish)
{
    const auto tasks = place_tasks(free, wish);
    return tasks ? text(*tasks) : "no: " + tasks.error().message;
}

GrantedStep granted(JobSteps& steps, StepTicket ticket, const StepWish& wish)
{
    auto answer = steps.ask(ticket, wish);
    BOOST_REQUIRE(answer.has_value());
    BOOST_REQUIRE(std::holds_alternative<GrantedStep>(*answer));
    return std::get<GrantedStep>(*answer);
}

bool waits(JobSteps& steps, StepTicket ticket, const StepWish& wish)
{
    const auto answer = steps.ask(ticket, wish);
    return answer && std::holds_alternative<WaitingStep>(*answer);
}

} // namespace

BOOST_AUTO_TEST_CASE(tasks_fill_one_node_after_the_other)
{
    BOOST_TEST(placed(hosts(2), tasks(3)) == "n1:0 n1:1 n1:2");
    BOOST_TEST(placed(hosts(2), tasks(5)) == "n1:0 n1:1 n1:2 n1:3 n2:0");
    BOOST_TEST(placed(hosts(2), tasks(3, 2)) == "n1:0-1 n1:2-3 n2:0-1");
    BOOST_TEST(placed(hosts(2), tasks(5, 2)) == "no: 10 cores for 5 tasks");
    BOOST_TEST(placed(hosts(2), tasks(1, 5)) == "no: 1 node with 5 cores for a task");
}

BOOST_AUTO_TEST_CASE(a_number_of_nodes_spreads_the_tasks_evenly)
{
    auto wish = tasks(4);
    wish.nodes_min = wish.nodes_max = 2;
    BOOST_TEST(placed(hosts(3), wish) == "n1:0 n1:1 n2:0 n2:1");
    wish.tasks = 1;
    BOOST_TEST(placed(hosts(3), wish) == "no: 1 task cannot run on 2 nodes");
    wish.tasks = 8;
    wish.nodes_min = wish.nodes_max = 4;
    BOOST_TEST(placed(hosts(3), wish) == "no: 4 nodes with 1 core for a task");
}

BOOST_AUTO_TEST_CASE(the_emptiest_nodes_serve_where_the_first_ones_are_too_full)
{
    auto free = hosts(3);
    free[0].numa[0] = CoreSet::range(3, 1);
    auto wish = tasks(8);
    wish.nodes_min = wish.nodes_max = 2;
    BOOST_TEST(placed(free, wish) == "n2:0 n2:1 n2:2 n2:3 n3:0 n3:1 n3:2 n3:3");
}

BOOST_AUTO_TEST_CASE(cyclic_and_plane_deal_the_tasks_out)
{
    auto wish = tasks(5);
    wish.over_nodes = Distribution::cyclic;
    BOOST_TEST(placed(hosts(2), wish) == "n1:0 n2:0 n1:1 n2:1 n1:2");
    wish.over_nodes = Distribution::plane;
    wish.plane = 2;
    BOOST_TEST(placed(hosts(2), wish) == "n1:0 n1:1 n2:0 n2:1 n1:2");
}

BOOST_AUTO_TEST_CASE(inside_a_node_block_keeps_together_and_cyclic_goes_round)
{
    auto wish = tasks(4);
    BOOST_TEST(placed(hosts(1, 2), wish) == "n1:0 n1:1 n1:2 n1:3");
    wish.inside = Distribution::cyclic;
    BOOST_TEST(placed(hosts(1, 2), wish) == "n1:0 n1:4 n1:1 n1:5");
    // A task of three fits into each NUMA node once; the third takes what is left of both.
    BOOST_TEST(placed(hosts(1, 2), tasks(2, 3)) == "n1:0-2 n1:4-6");
}

BOOST_AUTO_TEST_CASE(a_small_step_takes_the_tightest_hole)
{
    auto free = hosts(1, 2);
    free[0].numa[1] = CoreSet::range(6, 2);
    BOOST_TEST(placed(free, tasks(2)) == "n1:6 n1:7");
    BOOST_TEST(placed(free, tasks(3)) == "n1:0 n1:1 n1:2");
}

BOOST_AUTO_TEST_CASE(named_nodes_and_a_limit_for_each_hold)
{
    auto wish = tasks(2);
    wish.nodes = {"n2"};
    BOOST_TEST(placed(hosts(2), wish) == "n2:0 n2:1");
    wish.nodes.clear();
    wish.tasks_per_node = 1;
    BOOST_TEST(placed(hosts(2), wish) == "n1:0 n2:0");
}

BOOST_AUTO_TEST_CASE(overlapping_tasks_go_round_the_cores)
{
    auto wish = tasks(6);
    wish.overlap = true;
    BOOST_TEST(placed(hosts(1), wish) == "n1:0 n1:1 n1:2 n1:3 n1:0 n1:1");
    wish.cores_per_task = 5;
    BOOST_TEST(placed(hosts(1), wish) == "no: 1 node with 5 cores for a task");
}

BOOST_AUTO_TEST_CASE(steps_have_cores_of_their_own_and_numbers_that_are_never_used_again)
{
    JobSteps steps(hosts(1));
    const auto first = granted(steps, 1, tasks(2));
    const auto second = granted(steps, 2, tasks(2));
    BOOST_TEST(text(first.tasks) == "n1:0 n1:1");
    BOOST_TEST(text(second.tasks) == "n1:2 n1:3");
    BOOST_TEST(steps.end(first.step).empty());
    const auto third = granted(steps, 3, tasks(1));
    BOOST_TEST(text(third.tasks) == "n1:0");
    BOOST_TEST((first.step == 0 && second.step == 1 && third.step == 2));
}

BOOST_AUTO_TEST_CASE(who_finds_no_cores_waits_in_line)
{
    JobSteps steps(hosts(1));
    const auto first = granted(steps, 1, tasks(3));
    BOOST_TEST(waits(steps, 2, tasks(4)));
    BOOST_TEST(waits(steps, 3, tasks(1))); // one is free, and the wide one was first
    auto shared = tasks(4);
    shared.overlap = true;
    BOOST_TEST(text(granted(steps, 4, shared).tasks) == "n1:0 n1:1 n1:2 n1:3");
    const auto next = steps.end(first.step);
    BOOST_REQUIRE_EQUAL(next.size(), 1u);
    BOOST_TEST(next[0].ticket == 2u);
    const auto last = steps.end(next[0].step);
    BOOST_REQUIRE_EQUAL(last.size(), 1u);
    BOOST_TEST(last[0].ticket == 3u);
}

BOOST_AUTO_TEST_CASE(who_gives_up_lets_the_next_one_through)
{
    JobSteps steps(hosts(1));
    (void)granted(steps, 1, tasks(3));
    BOOST_TEST(waits(steps, 2, tasks(4)));
    BOOST_TEST(waits(steps, 3, tasks(1)));
    const auto next = steps.leave(2);
    BOOST_REQUIRE_EQUAL(next.size(), 1u);
    BOOST_TEST(next[0].ticket == 3u);
    BOOST_TEST(steps.leave(2).empty());
}

BOOST_AUTO_TEST_CASE(what_can_never_be_is_refused_and_says_why)
{
    JobSteps steps(hosts(1));
    const auto many = steps.ask(1, tasks(5));
    BOOST_REQUIRE(!many);
    BOOST_TEST((many.error().code == Errc::invalid));
    BOOST_TEST(many.error().message == "the step needs 5 cores for 5 tasks, and the job has 4 cores on 1 node (with --overlap tasks share cores)");
    auto elsewhere = tasks(1);
    elsewhere.nodes = {"n7"};
    const auto other = steps.ask(1, elsewhere);
    BOOST_REQUIRE(!other);
    BOOST_TEST(other.error().message == "node n7 is none of the job's");
    (void)granted(steps, 2, tasks(4));
    auto now = tasks(1);
    now.immediate = true;
    const auto late = steps.ask(3, now);
    BOOST_REQUIRE(!late);
    BOOST_TEST((late.error().code == Errc::unavailable));
}

BOOST_AUTO_TEST_CASE(a_restart_keeps_cores_and_numbers)
{
    JobSteps before(hosts(1));
    (void)granted(before, 1, tasks(1));
    const auto running = granted(before, 2, tasks(2));
    JobSteps after(hosts(1), 1);
    after.restore(running.step, running.tasks, false);
    const auto next = granted(after, 3, tasks(2));
    BOOST_TEST(next.step == 2u);
    BOOST_TEST(text(next.tasks) == "n1:0 n1:3");
}

BOOST_AUTO_TEST_CASE(no_core_is_ever_held_twice)
{
    std::mt19937 random(7);
    JobSteps steps(hosts(3, 2));
    std::map<std::uint32_t, PlacedTasks> running;
    std::set<StepTicket> waiting;
    StepTicket ticket = 0;
    const auto start = [&](const GrantedStep& step) {
        BOOST_REQUIRE(running.emplace(step.step, step.tasks).second);
        waiting.erase(step.ticket);
        std::vector<CoreSet> used(3);
        for (const auto& [number, placed] : running)
            for (const auto& task : placed) {
                BOOST_REQUIRE(!used[task.host].intersects(task.cores));
                used[task.host] |= task.cores;
            }
    };
    for (int round = 0; round < 3000; ++round) {
        if (random() % 3 == 0 && !running.empty()) {
            auto step = std::next(running.begin(), static_cast<std::ptrdiff_t>(random() % running.size()))->first;
            running.erase(step);
            for (const auto& next : steps.end(step))
                start(next);
            continue;
        }
        auto wish = tasks(1 + random() % 6, 1 + random() % 4);
        wish.over_nodes = static_cast<Distribution>(random() % 3);
        wish.inside = static_cast<Distribution>(random() % 2);
        wish.nodes_min = random() % 3;
        wish.nodes_max = wish.nodes_min;
        auto answer = steps.ask(++ticket, wish);
        if (answer && std::holds_alternative<GrantedStep>(*answer)) {
            const auto& step = std::get<GrantedStep>(*answer);
            BOOST_REQUIRE_EQUAL(step.tasks.size(), wish.tasks);
            for (const auto& task : step.tasks)
                BOOST_REQUIRE_EQUAL(task.cores.count(), wish.cores_per_task);
            start(step);
        } else if (answer) {
            waiting.insert(ticket);
        }
    }
    while (!running.empty()) {
        const auto step = running.begin()->first;
        running.erase(step);
        for (const auto& next : steps.end(step))
            start(next);
    }
    BOOST_TEST(waiting.empty());
}

BOOST_AUTO_TEST_CASE(what_a_node_has_may_become_known_later)
{
    auto known = hosts(2);
    known[1].numa.clear();
    JobSteps steps(known);
    BOOST_TEST(!steps.ask(1, tasks(8)).has_value());
    BOOST_TEST(text(granted(steps, 2, tasks(4)).tasks) == "n1:0 n1:1 n1:2 n1:3");
    BOOST_TEST(waits(steps, 3, tasks(2)));
    const auto served = steps.learn(1, {CoreSet::range(0, 4)});
    BOOST_REQUIRE_EQUAL(served.size(), 1u);
    BOOST_TEST(text(served[0].tasks) == "n2:0 n2:1");
    BOOST_TEST(steps.learn(7, {CoreSet::range(0, 4)}).empty()); // no such node
}

BOOST_AUTO_TEST_CASE(a_core_that_a_node_names_twice_is_one)
{
    auto known = hosts(2);
    known[1].numa.clear();
    JobSteps steps(known);
    BOOST_TEST(steps.learn(1, {CoreSet::range(0, 1), CoreSet::range(0, 1), CoreSet::range(0, 2)}).empty());
    auto wide = tasks(1, 3);
    wide.nodes = {"n2"};
    BOOST_TEST(!steps.ask(1, wide).has_value());
    wide.overlap = true; // and more of them would be looked for without an end
    BOOST_TEST(!steps.ask(2, wide).has_value());
    wide.cores_per_task = 2;
    BOOST_TEST(text(granted(steps, 3, wide).tasks) == "n2:0-1");
}
