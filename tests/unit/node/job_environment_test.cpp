#include "node/job_environment.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace jarvis;
using namespace jarvis::node;

namespace {

StartOrder order()
{
    StartOrder order{.key = {JobId{7}, Incarnation{2}}, .node_list = "n[1-2]", .node_count = 2};
    auto& request = order.request;
    request.account = Account{.uid = 1000, .gid = 1000, .user = "alice", .group = "alice", .home = "/home/alice", .shell = "/bin/bash"};
    request.name = "run me";
    request.partition = "batch";
    request.resources.tasks = 2;
    request.resources.cpus_per_task = 3;
    request.submit_directory = "/home/alice/work";
    request.submit_host = "login1";
    order.placement.cores = CoreSet::range(0, 3);
    order.placement.memory = {{0, mebibytes(512)}, {1, mebibytes(256)}};
    return order;
}
const NodeFacts facts{.node_name = "n1", .configuration = "/etc/jarvis/jarvis.toml", .own_folders = {"/opt/jarvis/bin"}};

std::string value_of(const std::vector<std::string>& environment, std::string_view name)
{
    const auto prefix = std::string(name) + "=";
    const auto found = std::ranges::find_if(environment, [&](const auto& v) { return v.starts_with(prefix); });
    return found == environment.end() ? "<unset>" : found->substr(prefix.size());
}

} // namespace

BOOST_AUTO_TEST_CASE(says_what_the_job_has)
{
    const auto environment = job_environment(order(), facts, {0, 4, 1, 5, 2, 6}, "/tmp/private");
    const std::pair<const char*, const char*> expected[] = {
        {"JARVIS_JOB_ID", "7"},           {"JARVIS_JOB_NAME", "run me"},
        {"JARVIS_SUBMIT_DIR", "/home/alice/work"}, {"JARVIS_SUBMIT_HOST", "login1"},
        {"JARVIS_NODELIST", "n[1-2]"},    {"JARVIS_NNODES", "2"},
        {"JARVIS_NTASKS", "2"},           {"JARVIS_CPUS_PER_TASK", "3"},
        {"JARVIS_TASKS_PER_NODE", "2"},
        {"JARVIS_CPUS_ON_NODE", "3"},     {"JARVIS_CPU_LIST", "0-2,4-6"},
        {"JARVIS_MEM_PER_NODE", "768"},   {"JARVIS_NODENAME", "n1"},
        {"JARVIS_PARTITION", "batch"},    {"JARVIS_RESTART_COUNT", "1"},
        {"JARVIS_CONF", "/etc/jarvis/jarvis.toml"}, {"JARVIS_TMPDIR", "/tmp/private"},
        {"HOME", "/home/alice"},          {"USER", "alice"},
        {"LOGNAME", "alice"},             {"SHELL", "/bin/bash"},
    };
    for (const auto& [name, value] : expected)
        BOOST_TEST(value_of(environment, name) == value, name);
    BOOST_TEST(value_of(environment, "PATH") != "<unset>");
    BOOST_TEST(value_of(environment, "TMPDIR") == "<unset>");
}

BOOST_AUTO_TEST_CASE(says_which_task_of_an_array_it_is)
{
    auto task = order();
    BOOST_TEST(value_of(job_environment(task, facts, {0}, "/tmp/private"), "JARVIS_ARRAY_JOB_ID") == "<unset>");
    task.key.job.task = 4;
    task.array = {0, 8, 2, 5};
    const auto environment = job_environment(task, facts, {0}, "/tmp/private");
    const std::pair<const char*, const char*> expected[] = {
        {"JARVIS_JOB_ID", "7_4"},         {"JARVIS_ARRAY_JOB_ID", "7"},     {"JARVIS_ARRAY_TASK_ID", "4"},  {"JARVIS_ARRAY_TASK_MIN", "0"},
        {"JARVIS_ARRAY_TASK_MAX", "8"},   {"JARVIS_ARRAY_TASK_STEP", "2"},  {"JARVIS_ARRAY_TASK_COUNT", "5"},
    };
    for (const auto& [name, value] : expected)
        BOOST_TEST(value_of(environment, name) == value, name);
}

BOOST_AUTO_TEST_CASE(the_submitters_variables_give_way_to_ours)
{
    auto o = order();
    o.environment = {"LANG=C",        "JSUB_NTASKS=9", "JARVIS_JOB_ID=666", "JARVIS_SECRET=1", "HOME=/root",
                     "EMPTY=",        "MULTI=a=b\nc",  "broken",            "=odd",            "LANG=de_DE",
                     "BASH_FUNC_f%%=() { :; }"};
    const auto environment = job_environment(o, facts, {}, "");
    BOOST_TEST(value_of(environment, "LANG") == "de_DE");
    BOOST_TEST(value_of(environment, "JSUB_NTASKS") == "<unset>");
    BOOST_TEST(value_of(environment, "JARVIS_SECRET") == "<unset>");
    BOOST_TEST(value_of(environment, "JARVIS_JOB_ID") == "7");
    BOOST_TEST(value_of(environment, "HOME") == "/home/alice");
    BOOST_TEST(value_of(environment, "EMPTY") == "");
    BOOST_TEST(value_of(environment, "MULTI") == "a=b\nc");
    BOOST_TEST(value_of(environment, "BASH_FUNC_f%%") == "() { :; }");
    BOOST_TEST(std::ranges::is_sorted(environment, {}, [](const auto& v) { return v.substr(0, v.find('=')); }));
}

BOOST_AUTO_TEST_CASE(our_folder_is_behind_all_others)
{
    const std::vector<std::string> ours{"/opt/jarvis/bin", "/usr/bin"};
    BOOST_TEST(path_with_ours_last("/opt/jarvis/bin:/usr/bin:/bin", ours) == "/usr/bin:/bin:/opt/jarvis/bin");
    BOOST_TEST(path_with_ours_last("/opt/jarvis/bin/:/bin", ours) == "/bin:/opt/jarvis/bin/");
    BOOST_TEST(path_with_ours_last("/bin:/opt/jarvis/bin", ours) == "/bin:/opt/jarvis/bin");
    BOOST_TEST(path_with_ours_last("/usr/bin:/bin", ours) == "/usr/bin:/bin");
    BOOST_TEST(path_with_ours_last("/bin::/x", ours) == "/bin:.:/x");
    BOOST_TEST(path_with_ours_last("/opt/jarvis/bin", ours).ends_with(":/opt/jarvis/bin"));
}

BOOST_AUTO_TEST_CASE(pus_are_printed_as_the_kernel_does)
{
    BOOST_TEST(format_pus({}) == "");
    BOOST_TEST(format_pus({3}) == "3");
    BOOST_TEST(format_pus({5, 0, 1, 2, 8, 4}) == "0-2,4-5,8");
}

BOOST_AUTO_TEST_CASE(tasks_of_the_nodes_are_counted_together)
{
    BOOST_TEST(format_tasks_per_node({}) == "");
    BOOST_TEST(format_tasks_per_node({4}) == "4");
    BOOST_TEST(format_tasks_per_node({2, 2, 2, 1}) == "2(x3),1");
    BOOST_TEST(format_tasks_per_node({1, 2, 2, 1}) == "1,2(x2),1");
    auto several = order();
    several.tasks_per_node = {2, 2, 2, 1};
    BOOST_TEST(value_of(job_environment(several, facts, {}, "/tmp/t"), "JARVIS_TASKS_PER_NODE") == "2(x3),1");
    BOOST_TEST(value_of(job_environment(several, facts, {}, "/tmp/t"), "JARVIS_NTASKS_PER_NODE") == "<unset>");
    several.request.resources.tasks_per_node = 2;
    BOOST_TEST(value_of(job_environment(several, facts, {}, "/tmp/t"), "JARVIS_NTASKS_PER_NODE") == "2");
}
