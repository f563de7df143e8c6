#include "cgroup/file.hpp"
#include "cgroup_limits.hpp"
#include "job_usage.hpp"
#include "out_of_memory.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace jarvis;
using namespace jarvis::shepherd;

namespace {

// A folder that looks like a cgroup, as far as files are read.
class FakeGroup {
    std::string path_;

public:
    FakeGroup()
    {
        char name[] = "/tmp/jarvis-unit-shepherd-XXXXXX";
        BOOST_REQUIRE(::mkdtemp(name) != nullptr);
        path_ = name;
    }
    ~FakeGroup() { std::filesystem::remove_all(path_); }
    FakeGroup(const FakeGroup&) = delete;
    FakeGroup& operator=(const FakeGroup&) = delete;

    void put(const std::string& file, std::string_view text) const { std::ofstream(path_ + "/" + file) << text; }
    const std::string& path() const { return path_; }
};

wire::LaunchOrder order_with(const std::string& file, const std::string& value, bool optional = false)
{
    wire::LaunchOrder order;
    auto& limit = *order.add_cgroup_values();
    limit.set_file(file);
    limit.set_value(value);
    limit.set_optional(optional);
    return order;
}

// As Linux 6.1 writes it.
constexpr std::string_view oom_line =
    "6,900,12345678,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=job_7,mems_allowed=0-1,"
    "oom_memcg=/jarvis_0a0b0c0d_n1/jobs/job_7,task_memcg=/jarvis_0a0b0c0d_n1/jobs/job_7/tasks.0,task=python3,pid=214,uid=65534\n";

} // namespace

BOOST_AUTO_TEST_CASE(limits_are_compared_by_what_they_mean)
{
    BOOST_TEST(means_the_same("cpuset.cpus", "0-1,4", "0-1,4\n"));
    BOOST_TEST(means_the_same("cpuset.cpus", "0,1,2", "0-2\n"));
    BOOST_TEST(!means_the_same("cpuset.cpus", "0-2", "0-3\n"));
    BOOST_TEST(!means_the_same("cpuset.mems", "0", "\n"));
    BOOST_TEST(!means_the_same("cpuset.mems", "0", "x\n"));
    BOOST_TEST(means_the_same("memory.max", "100000", "98304\n"));
    BOOST_TEST(!means_the_same("memory.max", "100000", "max\n"));
    BOOST_TEST(!means_the_same("memory.max", "1000000", "98304\n"));
    BOOST_TEST(means_the_same("memory.swap.max", "0", "0\n"));
    BOOST_TEST(means_the_same("pids.max", "60", "60\n"));
    BOOST_TEST(!means_the_same("pids.max", "60", "max\n"));
    BOOST_TEST(means_the_same("cpuset.cpus.partition", "isolated", "isolated\n"));
    BOOST_TEST(!means_the_same("cpuset.cpus.partition", "isolated", "isolated invalid (Parent is not a partition root)\n"));
    BOOST_TEST(means_the_same("io.weight", "default 40", "default 40\n8:0 10\n"));
}

BOOST_AUTO_TEST_CASE(a_limit_that_holds_otherwise_is_told)
{
    const FakeGroup group;
    group.put("cpuset.cpus", "");
    group.put("cpuset.cpus.effective", "0-3\n");
    BOOST_TEST(set_limits(group.path(), order_with("cpuset.cpus", "0-2")).error().message == "cpuset.cpus.effective says 0-3, asked for 0-2");
    group.put("cpuset.cpus.effective", "0-2\n");
    BOOST_TEST(set_limits(group.path(), order_with("cpuset.cpus", "0-2")).has_value());
    BOOST_TEST(set_limits(group.path(), order_with("pids.max", "7")).error().message == "cannot set pids.max to 7: no such file or directory");
    BOOST_TEST(set_limits(group.path(), order_with("memory.swap.max", "0", true)).has_value());
}

BOOST_AUTO_TEST_CASE(the_kernel_says_whom_it_killed)
{
    BOOST_TEST(killed_process(oom_line, "/sys/fs/cgroup/jarvis_0a0b0c0d_n1/jobs/job_7") == "python3 (process 214)");
    // As a container sees it, and another job, tree, or a longer number.
    BOOST_TEST(killed_process(oom_line, "/jarvis_0a0b0c0d_n1/jobs/job_7") == "python3 (process 214)");
    BOOST_TEST(killed_process(oom_line, "/sys/fs/cgroup/jarvis_0a0b0c0d_n1/jobs/job_70") == "");
    BOOST_TEST(killed_process(oom_line, "/sys/fs/cgroup/jarvis_0a0b0c0d_n2/jobs/job_7") == "");
    BOOST_TEST(killed_process("", "/a/jobs/job_7") == "");
    BOOST_TEST(killed_process("oom-kill:task_memcg=\n,task=,pid=\n", "/a/jobs/job_7") == "");
}

BOOST_AUTO_TEST_CASE(the_last_one_counts_and_names_are_not_believed)
{
    const std::string later = "6,901,1,-;oom-kill:task_memcg=/x,oom_memcg=/,task_memcg=/t/jobs/job_7/tasks.0,task=a,pid=1,task=b,pid=99,uid=0\n";
    BOOST_TEST(killed_process(later, "/t/jobs/job_7") == "a,pid=1,task=b (process 99)");
    BOOST_TEST(killed_process(std::string(oom_line) + std::string(oom_line).replace(oom_line.find("214"), 3, "215"),
                              "/jarvis_0a0b0c0d_n1/jobs/job_7") == "python3 (process 215)");
}

BOOST_AUTO_TEST_CASE(a_job_without_a_kill_is_not_out_of_memory)
{
    const FakeGroup group;
    auto order = order_with("memory.max", "83886080");
    order.set_cgroup(group.path());
    BOOST_TEST(!find_oom(order).has_value()); // no such file: no memory controller
    group.put("memory.events", "low 0\nhigh 9\nmax 3\noom 0\noom_kill 0\noom_group_kill 0\n");
    BOOST_TEST(!find_oom(order).has_value());
}

BOOST_AUTO_TEST_CASE(a_kill_is_told_with_limit_and_peak)
{
    const FakeGroup group;
    auto order = order_with("memory.max", "83886080");
    order.set_cgroup(group.path());
    group.put("memory.events", "low 0\nhigh 9\nmax 3\noom 1\noom_kill 2\noom_group_kill 1\n");
    group.put("memory.peak", "83886080\n");
    BOOST_TEST(find_oom(order).value() ==
               "out of memory: the job's limit on this node is 80M, its peak was 80M; the kernel killed 2 of its processes");
    group.put("memory.events", "oom 0\noom_kill 1\n"); // the limit of all jobs, or the machine's end
    BOOST_TEST(find_oom(order).value().starts_with("out of memory: not the job's own limit but the memory of the node"));
    order.set_continue_after_oom(true);
    BOOST_TEST(find_oom(order).value().ends_with("and the job went on (--oom=continue)"));
}

BOOST_AUTO_TEST_CASE(the_line_goes_to_the_error_file_if_it_is_one)
{
    const FakeGroup folder;
    wire::LaunchOrder order;
    order.set_job_id(7);
    order.set_working_directory(folder.path());
    order.set_output_path("out");
    const Owner me{::getuid(), ::getgid(), {}};
    BOOST_TEST(append_to_error_file(order, me, "words").has_value()); // gone: not made again
    BOOST_TEST(!std::filesystem::exists(folder.path() + "/out"));
    folder.put("out", "before\n");
    folder.put("err", "");
    BOOST_TEST(append_to_error_file(order, me, "words").has_value());
    BOOST_TEST(cgroup::read_file(folder.path(), "out").value() == "before\njarvis: job 7: words\n");
    order.set_error_path("err");
    BOOST_TEST(append_to_error_file(order, me, "words").has_value());
    BOOST_TEST(cgroup::read_file(folder.path(), "err").value() == "jarvis: job 7: words\n");
    order.set_error_path("/dev/null");
    BOOST_TEST(append_to_error_file(order, me, "words").has_value());
}

BOOST_AUTO_TEST_CASE(what_the_kernel_counted_is_taken_and_what_it_did_not_is_absent)
{
    const FakeGroup group;
    wire::Usage usage;
    add_usage(group.path(), usage);
    BOOST_TEST(!usage.has_memory_peak());
    BOOST_TEST(!usage.detail().has_read());
    BOOST_TEST(!usage.detail().has_cpu_pressure_us());
    BOOST_TEST(!usage.detail().has_throttled_us());
    group.put("cpu.stat", "usage_usec 9000000000\nuser_usec 8000000000\nsystem_usec 1000000000\nnr_throttled 2\nthrottled_usec 5\n");
    group.put("memory.peak", "4096\n");
    group.put("memory.stat", "anon 0\nfile 12288\nshmem 4096\npgfault 9\npgmajfault 1000000\n");
    group.put("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=10 wbytes=20 rios=0 wios=0 dbytes=0 dios=0\n");
    group.put("cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=11\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n");
    add_usage(group.path(), usage);
    BOOST_TEST(usage.cpu_user_us() == 8000000000);
    BOOST_TEST(usage.cpu_system_us() == 1000000000);
    BOOST_TEST(usage.memory_peak() == 4096);
    BOOST_TEST(usage.detail().page_cache() == 8192);
    BOOST_TEST(usage.detail().major_faults() == 1000000);
    BOOST_TEST(usage.detail().read() == 11);
    BOOST_TEST(usage.detail().written() == 22);
    BOOST_TEST(usage.detail().cpu_pressure_us() == 11);
    BOOST_TEST(usage.detail().throttled_us() == 5);
    BOOST_TEST(!usage.detail().has_io_pressure_us());
}
