#include "node/confinement.hpp"
#include "node/device_files.hpp"
#include "node/memory_policy.hpp"

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
    return job_limits(placement, {0, 4, 1}, {5, 8}, {}, {.capabilities = can, .max_processes = 100});
}

std::vector<CgroupValue> limits_of(PlacementWishes wishes)
{
    JobRequest request;
    request.resources.wishes = std::move(wishes);
    return job_limits(cores(0, 2), {0, 4, 1}, {5, 8}, request, {.capabilities = everything, .max_processes = 100});
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
    JobRequest request;
    request.continue_after_oom = true;
    const auto values = job_limits(cores(0, 1), {}, {}, request, {.capabilities = everything, .max_processes = 0});
    BOOST_TEST(value(values, "memory.oom.group") == "0");
    BOOST_TEST(value(values, "pids.max") == "absent");
    BOOST_TEST(value(values, "cpuset.cpus") == "absent"); // cores that are only counted
    BOOST_TEST(value(values, "cpuset.mems") == "absent");
}

BOOST_AUTO_TEST_CASE(huge_pages_are_limited_for_who_asks)
{
    const auto values = limits_of({.huge_pages = {{mebibytes(2), 4}, {mebibytes(1024), 3}}});
    BOOST_TEST(value(values, "hugetlb.2MB.max") == "8388608");
    BOOST_TEST(value(values, "hugetlb.2MB.rsvd.max") == "8388608");
    BOOST_TEST(value(values, "hugetlb.1GB.max") == "3221225472");
    for (const auto& other : limits_of({}))
        BOOST_TEST(!other.file.starts_with("hugetlb."), other.file);
}

BOOST_AUTO_TEST_CASE(isolated_cores_are_a_partition)
{
    const auto values = limits_of({.isolated = true});
    BOOST_TEST(value(values, "cpuset.cpus.partition") == "isolated");
    BOOST_TEST(value(values, "cpuset.cpus.exclusive") == "0-1,4");
    const auto at = [&](std::string_view file) { return std::ranges::find(values, file, &CgroupValue::file); };
    BOOST_TEST((at("cpuset.cpus") < at("cpuset.cpus.partition"))); // a partition of nothing is invalid
    BOOST_TEST(value(limits_of({}), "cpuset.cpus.partition") == "absent");
}

BOOST_AUTO_TEST_CASE(memory_lies_as_it_was_asked_for)
{
    using enum MemoryPolicyKind;
    auto placement = cores(0, 1);
    placement.memory = {{0, mebibytes(1)}};
    BOOST_TEST((memory_policy(MemoryBinding::prefer, placement, machine()) == MemoryPolicy{}));
    BOOST_TEST((memory_policy(MemoryBinding::local, placement, machine()) == MemoryPolicy{bind, {8}}));
    BOOST_TEST((memory_policy(MemoryBinding::interleave, placement, machine()) == MemoryPolicy{interleave, {8}}));
    placement.memory = {{0, mebibytes(1)}, {2, mebibytes(1)}};
    BOOST_TEST((memory_policy(MemoryBinding::prefer, placement, machine()) == MemoryPolicy{prefer, {8}}));
    BOOST_TEST((memory_policy(MemoryBinding::interleave, placement, machine()) == MemoryPolicy{interleave, {8}}));
    BOOST_TEST((memory_policy(MemoryBinding::none, placement, machine()) == MemoryPolicy{}));
    // Cores whose own node has no memory: there is none to prefer.
    BOOST_TEST((memory_policy(MemoryBinding::local, cores(2, 1), machine()) == MemoryPolicy{}));
    auto wide = machine();
    wide.numa_nodes[1].memory = mebibytes(100);
    BOOST_TEST((memory_policy(MemoryBinding::interleave, cores(0, 4), wide) == MemoryPolicy{interleave, {1, 8}}));
}

namespace {

// Two NVIDIA GPUs, a card of AMD's, a network card.
Topology with_devices()
{
    Topology topology;
    topology.devices = {{.resource = "gpu", .paths = {"/dev/nvidia0", "/dev/dri/renderD128"}},
                        {.resource = "gpu", .paths = {"/dev/nvidia1", "/dev/dri/renderD129"}},
                        {.resource = "gpu", .paths = {"/dev/kfd", "/dev/dri/renderD130"}},
                        {.resource = "nic", .paths = {"/dev/infiniband/uverbs0"}}};
    return topology;
}

using Paths = std::vector<std::string>;
const Paths nvidia_control{"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"};

Paths operator+(Paths a, const Paths& b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

DeviceFiles files(std::vector<std::uint32_t> devices, DeviceSettings settings = {.strict = false, .shared = {"nic"}})
{
    NodePlacement placement;
    placement.devices = std::move(devices);
    return device_files(placement, with_devices(), settings);
}

} // namespace

BOOST_AUTO_TEST_CASE(devices_come_with_their_control_files)
{
    const Paths network{"/dev/infiniband/uverbs0", "/dev/infiniband/rdma_cm"};
    const Paths first{"/dev/nvidia0", "/dev/dri/renderD128"}, second{"/dev/nvidia1", "/dev/dri/renderD129"}, third{"/dev/kfd", "/dev/dri/renderD130"};
    BOOST_TEST(files({1}).given == second + nvidia_control + network);
    BOOST_TEST(files({1}).withheld == first + third); // not the control files
    BOOST_TEST(files({2}).withheld == first + nvidia_control + second);
    BOOST_TEST(files({}).given == network);
    BOOST_TEST(files({}).withheld == first + nvidia_control + second + third);
    BOOST_TEST(files({}, {.strict = false, .shared = {}}).withheld == first + nvidia_control + second + third + network);
}

BOOST_AUTO_TEST_CASE(strict_needs_no_list_of_what_is_withheld)
{
    const auto strict = files({0}, {.strict = true, .shared = {}});
    BOOST_TEST(strict.strict);
    BOOST_TEST(strict.withheld.empty());
    BOOST_TEST(strict.given.front() == "/dev/nvidia0");
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
