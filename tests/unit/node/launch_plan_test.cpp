#include "node/launch_plan.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::node;

namespace {

Topology two_cores_with_threads()
{
    Topology topology;
    topology.cores = {{.pus = {0, 2}}, {.pus = {1, 3}}};
    return topology;
}

StartOrder launch_order(std::uint32_t incarnation = 1)
{
    StartOrder order{.key = {JobId{7}, Incarnation{incarnation}}};
    order.request.account = Account{.uid = 0, .gid = 0, .groups = {}, .user = "alice", .group = {}, .home = {}, .shell = {}};
    order.request.name = "a/b";
    order.request.working_directory = "/home/alice";
    order.placement.cores.insert(1);
    return order;
}

LaunchSettings settings()
{
    LaunchSettings settings;
    settings.facts.node_name = "n1";
    settings.jobs_folder = "/run/jarvis_x_n1/jobs";
    settings.temporary_root = "/tmp";
    return settings;
}

LaunchPlan plan(const StartOrder& order, const LaunchSettings& with = settings())
{
    auto plan = plan_launch(order, with, two_cores_with_threads());
    BOOST_REQUIRE(plan.has_value());
    return *plan;
}

} // namespace

BOOST_AUTO_TEST_CASE(cores_become_their_hardware_threads)
{
    BOOST_TEST((plan(launch_order()).pus == std::vector<std::uint32_t>{1, 3}));
}

BOOST_AUTO_TEST_CASE(a_core_that_is_not_offered_is_refused)
{
    auto o = launch_order();
    o.placement.cores.insert(5);
    const auto failed = plan_launch(o, settings(), two_cores_with_threads());
    BOOST_REQUIRE(!failed);
    BOOST_TEST(failed.error().message == "was given core 5, while this node offers the cores 0-1");
}

BOOST_AUTO_TEST_CASE(virtual_cores_bind_to_nothing)
{
    auto with = settings();
    with.bound = false;
    BOOST_TEST(plan(launch_order(), with).pus.empty());
}

BOOST_AUTO_TEST_CASE(paths_are_expanded)
{
    auto o = launch_order();
    BOOST_TEST(plan(o).output_path == "jarvis-7.out");
    BOOST_TEST(plan(o).error_path == "");
    BOOST_TEST(plan(o).input_path == "");
    o.request.output = "/out/%u/%x.%j.%N";
    o.request.error = "%j.err";
    BOOST_TEST(plan(o).output_path == "/out/alice/a_b.7.n1");
    BOOST_TEST(plan(o).error_path == "7.err");
}

BOOST_AUTO_TEST_CASE(a_task_has_files_and_folders_of_its_own)
{
    auto o = launch_order();
    o.key.job.task = 3;
    BOOST_TEST(plan(o).output_path == "jarvis-7_3.out");
    o.request.output = "%A/%a.%j";
    BOOST_TEST(plan(o).output_path == "7/3.7_3");
    BOOST_TEST(plan(o).job_folder.ends_with("/7_3.1"));
}

BOOST_AUTO_TEST_CASE(a_requeued_job_appends)
{
    BOOST_TEST(!plan(launch_order(1)).append);
    BOOST_TEST(plan(launch_order(2)).append);
    auto o = launch_order(2);
    o.request.open_mode = OpenMode::truncate;
    BOOST_TEST(!plan(o).append);
    o = launch_order(1);
    o.request.open_mode = OpenMode::append;
    BOOST_TEST(plan(o).append);
}

BOOST_AUTO_TEST_CASE(folders_name_job_and_incarnation)
{
    auto with = settings();
    BOOST_TEST(plan(launch_order(3)).job_folder == "/run/jarvis_x_n1/jobs/7.3");
    BOOST_TEST(plan(launch_order(3)).script_path == "/run/jarvis_x_n1/jobs/7.3/script");
    BOOST_TEST(plan(launch_order(3)).temporary_folder == "/tmp/jarvis_n1_7.3");
    BOOST_TEST(plan(launch_order(3)).cgroup == "");
    with.jobs_cgroup = "/sys/fs/cgroup/x/jobs";
    BOOST_TEST(plan(launch_order(3), with).cgroup == "/sys/fs/cgroup/x/jobs/job_7");
}

BOOST_AUTO_TEST_CASE(propagated_limits_replace_the_nodes_below_the_ceilings)
{
    const auto merged = merge_limits({{"CORE", 0, 0}, {"NOFILE", 1024, 524288}}, {{"NOFILE", 4096, 8192}, {"STACK", 9, 9}},
                                     {{"NOFILE", 2048, 2048}, {"CPU", 1, 1}});
    BOOST_TEST((merged == std::vector<ResourceLimit>{{"CORE", 0, 0}, {"NOFILE", 2048, 2048}, {"STACK", 9, 9}}));
}

BOOST_AUTO_TEST_CASE(threads_of_a_core_may_stay_unused)
{
    auto o = launch_order();
    o.placement.cores.insert(0);
    o.request.resources.wishes = PlacementWishes{.threads_per_core = 1};
    BOOST_TEST((plan(o).pus == std::vector<std::uint32_t>{0, 1}));
    o.request.resources.wishes = PlacementWishes{.threads_per_core = 5};
    BOOST_TEST((plan(o).pus == std::vector<std::uint32_t>{0, 1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(a_node_with_cpusets_confines_and_one_without_only_follows)
{
    auto topology = two_cores_with_threads();
    topology.numa_nodes = {{.os_index = 3, .memory = mebibytes(500), .cores = CoreSet::range(0, 2)}};
    auto with = settings();
    with.jobs_cgroup = "/sys/fs/cgroup/t/jobs";
    auto followed = plan_launch(launch_order(), with, topology);
    BOOST_REQUIRE(followed.has_value());
    BOOST_TEST(followed->cgroup == "/sys/fs/cgroup/t/jobs/job_7");
    BOOST_TEST(!followed->confined);
    BOOST_TEST(followed->numa_nodes.empty());
    with.confinement.capabilities.add(Capability::cpuset);
    const auto confined = plan_launch(launch_order(), with, topology);
    BOOST_REQUIRE(confined.has_value());
    BOOST_TEST(confined->confined);
    BOOST_TEST((confined->numa_nodes == std::vector<std::uint32_t>{3}));
    BOOST_REQUIRE_GE(confined->cgroup_values.size(), 2u);
    BOOST_TEST((confined->cgroup_values[0] == CgroupValue{"cpuset.cpus", "1,3"}));
    BOOST_TEST((confined->cgroup_values[1] == CgroupValue{"cpuset.mems", "3"}));
    BOOST_TEST(!confined->devices.has_value());
    topology.devices = {{.resource = "gpu", .paths = {"/dev/gpu0"}}};
    with.confinement.capabilities.add(Capability::devices);
    const auto kept_off = plan_launch(launch_order(), with, topology);
    BOOST_REQUIRE((kept_off.has_value() && kept_off->devices.has_value()));
    BOOST_TEST(kept_off->devices->withheld == std::vector<std::string>{"/dev/gpu0"});
}

BOOST_AUTO_TEST_CASE(a_private_dev_shm_is_as_large_as_the_jobs_memory)
{
    auto o = launch_order();
    o.placement.memory = {{.numa = 0, .memory = mebibytes(100)}, {.numa = 1, .memory = mebibytes(28)}};
    BOOST_TEST(!plan(o).shm.has_value());
    auto with = settings();
    with.private_shm = true;
    BOOST_TEST((plan(o, with).shm == mebibytes(128)));
    o.placement.memory.clear(); // memory is not counted here
    BOOST_TEST((plan(o, with).shm == MemorySize{}));
}

BOOST_AUTO_TEST_CASE(memory_has_a_policy_where_cores_are_real_ones)
{
    auto topology = two_cores_with_threads();
    topology.numa_nodes = {{.os_index = 3, .memory = mebibytes(500), .cores = CoreSet::range(0, 2)}};
    auto o = launch_order();
    o.request.resources.wishes = PlacementWishes{.memory = MemoryBinding::interleave};
    BOOST_TEST((plan_launch(o, settings(), topology)->memory_policy == MemoryPolicy{MemoryPolicyKind::interleave, {3}}));
    auto counted = settings();
    counted.bound = false;
    BOOST_TEST((plan_launch(o, counted, topology)->memory_policy == MemoryPolicy{}));
}
