// What jnoded says when it is asked: samples of jobs, and what this node can enforce.
#include "cgroup/file.hpp"
#include "cgroup/usage.hpp"
#include "job_sample.hpp"
#include "node_check.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::noded;

namespace {

// A folder that looks like a cgroup to those who only read.
struct Group {
    std::string path;
    Group()
    {
        char name[] = "/tmp/jarvis-group-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Group() { std::filesystem::remove_all(path); }
    void write(const std::string& file, std::string_view text) const { std::ofstream(path + "/" + file) << text; }
};

CheckSituation as_root()
{
    return {.node = "n1", .setting = "auto", .root = true, .tree = {}, .in_force = {}};
}

// Version 2 alone, with a tree that has everything.
CheckFacts good()
{
    CheckFacts facts;
    facts.kernel = "6.1.0";
    facts.mount = "/sys/fs/cgroup";
    facts.writable = true;
    facts.parent = "/sys/fs/cgroup";
    facts.parent_is_top = true;
    facts.tree = "/sys/fs/cgroup/jarvis_01020304_n1";
    facts.top_controllers = facts.parent_controllers = facts.parent_handed = facts.jobs_controllers = "cpuset cpu io memory hugetlb pids\n";
    facts.files = {"cgroup.freeze", "cgroup.kill", "cpuset.mems", "memory.oom.group", "pids.max", "io.max", "cpuset.cpus.exclusive"};
    facts.pressure = true;
    for (const auto* name : {"cpuset", "memory", "pids", "blkio", "io", "hugetlb"})
        facts.groups.controllers.push_back({name, true, "/sys/fs/cgroup"});
    return facts;
}

CheckedCapability find(const std::vector<CheckedCapability>& checked, std::string_view name)
{
    for (const auto& one : checked)
        if (one.name == name)
            return one;
    BOOST_FAIL("no " << name);
    return {};
}

void check(const CheckSituation& situation, const CheckFacts& facts, std::string_view name, std::string_view why, std::string_view remedy)
{
    const auto one = find(judge(situation, facts), name);
    BOOST_TEST(!one.works);
    BOOST_TEST(one.why.find(why) != std::string::npos, name << ": " << one.why);
    BOOST_TEST(one.remedy.find(remedy) != std::string::npos, name << ": " << one.remedy);
}

} // namespace

BOOST_AUTO_TEST_SUITE(cgroup_files)

BOOST_AUTO_TEST_CASE(usage_is_what_the_files_say)
{
    const Group group;
    wire::Usage nothing;
    cgroup::add_usage(group.path, nothing);
    BOOST_TEST(!nothing.has_memory_peak());
    BOOST_TEST(!nothing.detail().has_read());
    group.write("cpu.stat", "usage_usec 300\nuser_usec 200\nsystem_usec 100\nnr_throttled 1\nthrottled_usec 7\n");
    group.write("memory.peak", "4096000\n");
    group.write("memory.stat", "anon 1000\nfile 5000\nshmem 2000\npgmajfault 3\n");
    group.write("io.stat", "8:0 rbytes=100 wbytes=1 rios=9\n8:16 rbytes=20 wbytes=2 rios=9\n");
    group.write("cpu.pressure", "some avg10=12.34 avg60=0.00 avg300=0.00 total=55\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    wire::Usage usage;
    cgroup::add_usage(group.path, usage);
    BOOST_TEST(usage.cpu_user_us() == 200);
    BOOST_TEST(usage.cpu_system_us() == 100);
    BOOST_TEST(usage.memory_peak() == 4096000);
    BOOST_TEST(usage.detail().throttled_us() == 7);
    BOOST_TEST(usage.detail().page_cache() == 3000);
    BOOST_TEST(usage.detail().major_faults() == 3);
    BOOST_TEST(usage.detail().read() == 120);
    BOOST_TEST(usage.detail().written() == 3);
    BOOST_TEST(usage.detail().cpu_pressure_us() == 55);
    BOOST_TEST(!usage.detail().has_io_pressure_us());
    BOOST_TEST(cgroup::recent_pressure(group.path, "cpu.pressure").value() == 1234u);
    BOOST_TEST(!cgroup::recent_pressure(group.path, "io.pressure").has_value());
    group.write("io.pressure", "some avg10=x total=1\n");
    BOOST_TEST(!cgroup::recent_pressure(group.path, "io.pressure").has_value());
}

BOOST_AUTO_TEST_CASE(words_of_a_line)
{
    BOOST_TEST(cgroup::has_word("cpuset cpu io\n", "cpu"));
    BOOST_TEST(!cgroup::has_word("cpuset io\n", "cpu"));
    BOOST_TEST(!cgroup::has_word("", "cpu"));
    BOOST_TEST(!cgroup::has_word("\ncpu", "cpu"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(samples)

BOOST_AUTO_TEST_CASE(a_process_as_proc_says_it)
{
    const auto* stat = "12 (a) b) S 1 12 12 0 -1 4194304 100 200 3 4 150 50 1000 500 20 0 7 0 12345 1 2";
    ProcessUsage all, children, none;
    read_process_stat(stat, 100, Of::all, all);
    BOOST_TEST(all.major_faults == 7);
    BOOST_TEST(all.user_us == (150 + 1000) * 10'000);
    BOOST_TEST(all.system_us == (50 + 500) * 10'000);
    BOOST_TEST(all.threads == 7);
    read_process_stat(stat, 100, Of::children, children);
    BOOST_TEST(children.user_us == 1000 * 10'000);
    BOOST_TEST(children.threads == 0);
    for (const auto* bad : {"", "12 (a", "12 (a)", "12 (a) S", "x"})
        read_process_stat(bad, 100, Of::all, none);
    BOOST_TEST(none.user_us == 0);
    read_process_status("Name:\tx\nRssAnon:\t     120 kB\nRssFile:\t      8 kB\nRssShmem:\t       4 kB\n", all);
    BOOST_TEST(all.anonymous == 120 * 1024);
    BOOST_TEST(all.files == 8 * 1024);
    BOOST_TEST(all.shared == 4 * 1024);
    read_process_io("rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n", all);
    BOOST_TEST(all.read == 5);
    BOOST_TEST(all.written == 6);
}

BOOST_AUTO_TEST_CASE(a_job_without_a_group_is_its_processes)
{
    const auto child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    const auto sample = sample_job({.cgroup = {}, .shepherd = ::getpid()});
    ::kill(child, SIGKILL);
    BOOST_TEST(sample.processes() >= 1u);
    BOOST_TEST(sample.memory() > 0);
    BOOST_TEST(!sample.has_memory_limit());
    BOOST_TEST(!sample.has_cpu_pressure());
    BOOST_TEST(sample.notes_size() >= 3);
    const auto gone = sample_job({.cgroup = "/nowhere", .shepherd = {}});
    BOOST_TEST(gone.processes() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(node_check)

BOOST_AUTO_TEST_CASE(a_good_node_has_all)
{
    for (const auto& one : judge(as_root(), good()))
        BOOST_TEST(one.works, one.name << ": " << one.why);
}

BOOST_AUTO_TEST_CASE(sizes_of_huge_pages_are_those_of_the_machine)
{
    auto facts = good();
    facts.files.emplace_back("hugetlb.2MB.max");
    BOOST_TEST(find(judge(as_root(), facts), "pages_2M").works);
    BOOST_TEST(judge(as_root(), facts).size() == judge(as_root(), good()).size() + 1);
}

BOOST_AUTO_TEST_CASE(devices_and_isolation_have_grounds_of_their_own)
{
    auto facts = good();
    facts.device_problem = "cannot load a device program: operation not permitted";
    check(as_root(), facts, "devices", "operation not permitted", "CAP_BPF");
    std::erase(facts.files, "cpuset.cpus.exclusive");
    check(as_root(), facts, "isolation", "every group above must be a partition root", "Linux 6.7 or newer");
}

BOOST_AUTO_TEST_CASE(what_is_in_the_way_has_a_name_and_a_remedy)
{
    auto off = as_root();
    off.setting = "none";
    check(off, good(), "freeze", "switched off", "auto");
    auto facts = good();
    facts.mount.clear();
    check(as_root(), facts, "cpuset", "no cgroup2 file system is mounted", "mount -t cgroup2");
    facts = good();
    facts.writable = false;
    check(as_root(), facts, "kill", "/sys/fs/cgroup is mounted read-only", "remount,rw");
    auto user = as_root();
    user.root = false;
    BOOST_TEST(find(judge(user, good()), "memory").works); // somebody else's tree, which an ordinary user looks at
    facts = good();
    facts.tree.clear();
    check(user, facts, "memory", "no delegated cgroup", "jnoded.cgroup");
}

BOOST_AUTO_TEST_CASE(controllers_are_followed_from_the_top)
{
    auto facts = good();
    facts.jobs_controllers = facts.parent_handed = facts.parent_controllers = facts.top_controllers = "hugetlb\n";
    facts.groups.controllers[1].mount = "/sys/fs/cgroup/memory"; // version 1
    check(as_root(), facts, "memory", "version 1 has it, at /sys/fs/cgroup/memory", "cgroup_no_v1=memory");
    facts.groups.controllers[1] = {"memory", false, ""};
    check(as_root(), facts, "memory", "switched off at the boot", "cgroup_enable=memory");
    facts.groups.controllers.clear();
    check(as_root(), facts, "pids", "this kernel has not got it", "CONFIG_CGROUP_PIDS");

    facts = good();
    facts.parent = "/sys/fs/cgroup/a/b";
    facts.parent_is_top = false;
    facts.jobs_controllers = facts.parent_handed = facts.parent_controllers = "cpu\n";
    facts.missing_in = "/sys/fs/cgroup/a";
    check(as_root(), facts, "io", "/sys/fs/cgroup/a/cgroup.subtree_control does not hand it on",
          "echo +io >/sys/fs/cgroup/a/cgroup.subtree_control");
    facts.parent_controllers = good().parent_controllers;
    facts.parent_occupied = true;
    check(as_root(), facts, "io", "/sys/fs/cgroup/a/b/cgroup.procs has processes", "a group of their own");
    facts.parent_occupied = false;
    check(as_root(), facts, "io", "not in /sys/fs/cgroup/a/b/cgroup.subtree_control", "echo +io");
    facts.parent_handed = good().parent_handed;
    check(as_root(), facts, "io", "not in /sys/fs/cgroup/jarvis_01020304_n1/jobs/cgroup.controllers", "restart jnoded");
}

BOOST_AUTO_TEST_CASE(an_old_kernel_is_named)
{
    auto facts = good();
    facts.kernel = "5.10.0";
    std::erase(facts.files, "cgroup.kill");
    check(as_root(), facts, "kill", "Linux 5.10.0) has no cgroup.kill", "Linux 5.14 or newer");
}

BOOST_AUTO_TEST_CASE(a_running_daemon_knows_best)
{
    auto tried = as_root();
    tried.in_force = Capabilities(static_cast<std::uint32_t>(Capability::devices));
    BOOST_TEST(find(judge(tried, good()), "devices").works);
    check(tried, good(), "cpuset", "refused it when jnoded tried it", "log");
}

BOOST_AUTO_TEST_CASE(the_answer_is_text_and_json)
{
    auto facts = good();
    std::erase(facts.files, "cgroup.kill");
    const auto answer = render_check(as_root(), facts, judge(as_root(), facts));
    BOOST_TEST(answer.text().starts_with("node n1: confinement none (cpuset,memory,pids,io,freeze,devices,hugetlb,isolation); full takes kill as well\n"),
               answer.text());
    const auto object = boost::json::parse(answer.json()).as_object();
    BOOST_TEST(object.at("confinement").as_string() == "none");
    BOOST_TEST(object.at("capabilities").as_array().size() == 9u);
    BOOST_TEST(object.at("tree").as_string() == facts.tree);
}

BOOST_AUTO_TEST_CASE(this_machine_can_be_checked)
{
    const auto answer = check_node(as_root());
    BOOST_TEST(answer.text().find("controllers: ") != std::string::npos, answer.text());
    BOOST_TEST(boost::json::parse(answer.json()).as_object().contains("mount"));
}

BOOST_AUTO_TEST_SUITE_END()
