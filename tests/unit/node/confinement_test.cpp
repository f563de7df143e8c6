#include "node/confinement.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace jarvis;
using namespace jarvis::node;

namespace {

constexpr auto everything = Capabilities(~std::uint32_t{0});

// Two packages with two cores each, whose second one has no memory, and a third NUMA node without cores. Numbered as no one would guess.
Topology machine()
{
    Topology topology;
    topology.cores = {{.pus = {0, 4}}, {.pus = {1, 5}}, {.pus = {2, 6}}, {.pus = {3, 7}}};
    topology.numa_nodes = {{.os_index = 8, .memory = mebibytes(1000), .cores = CoreSet::range(0, 2)},
                           {.os_index = 1, .memory = {}, .cores = CoreSet::range(2, 2)},
                           {.os_index = 5, .memory = mebibytes(2000), .cores = {}}};
    return topology;
}

NodePlacement cores(std::uint32_t first, std::uint32_t count)
{
    NodePlacement placement;
    placement.cores = CoreSet::range(first, count);
    return placement;
}

std::string value(const std::vector<CgroupValue>& values, std::string_view file)
{
    const auto found = std::ranges::find(values, file, &CgroupValue::file);
    return found == values.end() ? "absent" : found->value;
}

std::vector<CgroupValue> limits(const NodePlacement& placement, Capabilities can = everything)
{
    return job_limits(placement, {0, 4, 1}, {5, 8}, false, {.capabilities = can, .max_processes = 100});
}

} // namespace

BOOST_AUTO_TEST_CASE(memory_comes_from_the_nodes_of_the_shares)
{
    auto placement = cores(0, 1);
    placement.memory = {{0, mebibytes(1)}, {2, mebibytes(1)}};
    BOOST_TEST((memory_nodes(placement, machine()) == std::vector<std::uint32_t>{5, 8}));
    placement.memory = {{2, mebibytes(1)}};
    BOOST_TEST((memory_nodes(placement, machine()) == std::vector<std::uint32_t>{5}));
}

BOOST_AUTO_TEST_CASE(uncounted_memory_comes_from_the_nodes_of_the_cores)
{
    BOOST_TEST((memory_nodes(cores(1, 1), machine()) == std::vector<std::uint32_t>{8}));
    BOOST_TEST((memory_nodes(cores(1, 2), machine()) == std::vector<std::uint32_t>{8}));
    BOOST_TEST((memory_nodes(cores(2, 2), machine()) == std::vector<std::uint32_t>{5, 8})); // theirs has none
}

BOOST_AUTO_TEST_CASE(a_job_is_told_what_it_has)
{
    auto placement = cores(0, 2);
    placement.memory = {{0, mebibytes(512)}, {2, mebibytes(512)}};
    const auto values = limits(placement);
    BOOST_TEST(value(values, "cpuset.cpus") == "0-1,4");
    BOOST_TEST(value(values, "cpuset.mems") == "5,8");
    BOOST_TEST(value(values, "memory.max") == "1073741824");
    BOOST_TEST(value(values, "memory.high") == "1040187392"); // 32 MiB below
    BOOST_TEST(value(values, "memory.swap.max") == "0");
    BOOST_TEST(value(values, "memory.oom.group") == "1");
    BOOST_TEST(value(values, "pids.max") == "100");
    BOOST_TEST(value(values, "cpu.weight") == "40");
    BOOST_TEST(value(values, "io.weight") == "default 40");
}

BOOST_AUTO_TEST_CASE(the_margin_below_the_limit_is_bounded)
{
    BOOST_TEST((high_mark(mebibytes(32)) == mebibytes(31)));
    BOOST_TEST((high_mark(mebibytes(1 << 20)) == mebibytes((1 << 20) - 64)));
}

BOOST_AUTO_TEST_CASE(weights_stay_in_the_kernels_range)
{
    BOOST_TEST(value(limits(cores(0, 1000)), "cpu.weight") == "10000");
    BOOST_TEST(value(limits(cores(0, 0)), "cpu.weight") == "1");
}

BOOST_AUTO_TEST_CASE(memory_that_is_not_counted_has_no_limit)
{
    const auto values = limits(cores(0, 2));
    BOOST_TEST(value(values, "memory.max") == "absent");
    BOOST_TEST(value(values, "memory.high") == "absent");
    BOOST_TEST(value(values, "memory.oom.group") == "1");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_enforced_is_not_written)
{
    auto placement = cores(0, 2);
    placement.memory = {{0, mebibytes(512)}};
    for (const auto& left : limits(placement, Capabilities()))
        BOOST_TEST(left.optional, left.file);
    BOOST_TEST(value(limits(placement, Capabilities(1 << 1)), "memory.max") == "536870912");
    BOOST_TEST(value(limits(placement, Capabilities(1 << 1)), "cpuset.cpus") == "absent");
}

BOOST_AUTO_TEST_CASE(a_job_may_go_on_without_a_process)
{
    const auto values = job_limits(cores(0, 1), {}, {}, true, {.capabilities = everything, .max_processes = 0});
    BOOST_TEST(value(values, "memory.oom.group") == "0");
    BOOST_TEST(value(values, "pids.max") == "absent");
    BOOST_TEST(value(values, "cpuset.cpus") == "absent"); // cores that are only counted
    BOOST_TEST(value(values, "cpuset.mems") == "absent");
}

BOOST_AUTO_TEST_CASE(all_jobs_share_what_is_offered)
{
    const auto values = share_of_all_jobs(machine(), true, everything);
    BOOST_TEST(value(values, "cpuset.cpus") == "0-7");
    BOOST_TEST(value(values, "cpuset.mems") == "5,8");
    BOOST_TEST(value(values, "memory.max") == "3145728000");
    BOOST_TEST(value(share_of_all_jobs(machine(), false, everything), "cpuset.cpus") == "absent");
    BOOST_TEST(share_of_all_jobs(machine(), true, Capabilities()).empty());
}
