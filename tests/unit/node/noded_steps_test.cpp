// The steps of a job as the node daemon keeps them, with real files.
#include "step_job.hpp"
#include "wire/convert_step.hpp"
#include "wire/job_id.hpp"
#include "wire/limits.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>

using namespace jarvis;
using namespace jarvis::noded;

namespace {

const node::JobKey key{JobId{7}, Incarnation{2}};

struct Folder {
    std::string path = "/tmp/jarvis-steps-XXXXXX";
    Folder() { BOOST_REQUIRE(::mkdtemp(path.data())); }
    ~Folder() { std::filesystem::remove_all(path); }
};

Topology four_cores()
{
    Topology topology;
    for (std::uint32_t core = 0; core < 4; ++core)
        topology.cores.push_back({.pus = {core, core + 4}});
    topology.numa_nodes = {{.os_index = 0, .memory = {}, .cores = CoreSet::range(0, 2)}, {.os_index = 2, .memory = {}, .cores = CoreSet::range(2, 2)}};
    return topology;
}

wire::LaunchOrder order()
{
    wire::LaunchOrder order;
    for (const std::uint32_t core : {0, 1, 2, 3})
        order.add_cores(core);
    for (const std::uint32_t pu : {0, 1, 2, 3, 4, 5, 6, 7})
        order.add_pus(pu);
    order.add_numa_nodes(0);
    order.add_numa_nodes(2);
    return order;
}

StepJob job_in(const Folder& folder)
{
    auto job = StepJob::open(key, order(), four_cores(), "n1", folder.path);
    BOOST_REQUIRE_MESSAGE(job, (job ? "" : job.error().message));
    return std::move(*job);
}

wire::StepRequest request(std::uint32_t tasks)
{
    wire::StepRequest request;
    request.set_name("prog");
    request.set_tasks(tasks);
    request.set_cores_per_task(1);
    request.set_token(tasks);
    return request;
}

wire::StepGrant begin(StepJob& job, const wire::StepRequest& what, node::StepTicket ticket = 1)
{
    auto answer = job.ask(ticket, *wish_from(what));
    BOOST_REQUIRE(answer.has_value());
    auto grant = job.begin(std::get<node::GrantedStep>(*answer), what, 4711, 1);
    BOOST_REQUIRE(grant.has_value());
    return *grant;
}

void end(StepJob& job, std::uint32_t step, int code = 0)
{
    wire::StepOver over;
    over.set_exit_code(code);
    job.end(step, over);
    (void)job.release(step);
}

} // namespace

BOOST_AUTO_TEST_SUITE(steps_of_a_job)

BOOST_AUTO_TEST_CASE(tasks_are_bound_to_the_threads_of_their_cores)
{
    const Folder folder;
    auto job = job_in(folder);
    auto what = request(2);
    what.set_memory_binding(wire::StepRequest::LOCAL);
    what.set_inside(static_cast<std::uint32_t>(Distribution::cyclic));
    const auto grant = begin(job, what);
    BOOST_REQUIRE_EQUAL(grant.tasks_size(), 2);
    BOOST_TEST((std::vector<std::uint32_t>(grant.tasks(0).pus().begin(), grant.tasks(0).pus().end()) == std::vector<std::uint32_t>{0, 4}));
    BOOST_TEST((std::vector<std::uint32_t>(grant.tasks(1).pus().begin(), grant.tasks(1).pus().end()) == std::vector<std::uint32_t>{2, 6}));
    BOOST_REQUIRE_EQUAL(grant.tasks(1).numa_nodes_size(), 1);
    BOOST_TEST(grant.tasks(1).numa_nodes(0) == 2u);
}

BOOST_AUTO_TEST_CASE(wider_bindings_stay_inside_the_step)
{
    const Folder folder;
    auto job = job_in(folder);
    auto what = request(3);
    what.set_cpu_binding(wire::StepRequest::NUMA);
    const auto numa = begin(job, what);
    BOOST_TEST(numa.tasks(0).pus_size() == 4);
    BOOST_TEST(numa.tasks(2).pus_size() == 2); // the other core there is not the step's
    end(job, numa.step());
    what.set_cpu_binding(wire::StepRequest::STEP);
    BOOST_TEST(begin(job, what).tasks(0).pus_size() == 6);
}

BOOST_AUTO_TEST_CASE(tasks_go_to_all_nodes_once_it_is_known_what_is_there)
{
    const Folder folder;
    auto two = order();
    two.set_node_list("n1,n7");
    const auto open = [&] { return StepJob::open(key, two, four_cores(), "n1", folder.path).value(); };
    auto job = open();
    BOOST_TEST((job.unknown_nodes() == std::vector<std::string>{"n7"}));
    BOOST_TEST(!job.ask(1, *wish_from(request(5)))); // four are here
    BOOST_TEST(job.learn("n7", {CoreSet::range(8, 2)}).empty());
    BOOST_TEST(job.unknown_nodes().empty());
    const auto grant = begin(job, request(5));
    BOOST_TEST(grant.node_list() == "n[1,7]");
    BOOST_TEST(grant.here() == 0u);
    BOOST_TEST(grant.tasks_per_node_size() == 2);
    BOOST_TEST(grant.tasks_per_node(1) == 1u);
    BOOST_TEST(grant.tasks(4).node() == 1u);
    BOOST_TEST(grant.tasks(4).cores(0) == 8u);
    BOOST_TEST(grant.tasks(4).pus_size() == 0); // its own node binds it
    BOOST_TEST((other_nodes(grant) == std::vector<std::string>{"n7"}));
    auto elsewhere = request(1);
    elsewhere.add_nodes("n7");
    const auto there = begin(job, elsewhere);
    BOOST_TEST(there.here() == 1u); // none of its tasks are here
    BOOST_TEST(there.cgroup().empty());
    BOOST_TEST((other_nodes(there) == std::vector<std::string>{"n7"}));

    job = open();
    BOOST_TEST(job.running().size() == 2u);
    BOOST_TEST(job.learn("n7", {CoreSet::range(8, 2)}).empty());
    BOOST_TEST(std::holds_alternative<node::WaitingStep>(*job.ask(9, *wish_from(elsewhere)))); // both cores there are still held
    wire::Usage used;
    used.set_cpu_user_us(5);
    used.set_memory_peak(1 << 20);
    job.end(grant.step(), {}, std::vector{used});
    BOOST_TEST(job.release(grant.step()).size() == 1u);
    const auto ended = job.unsent();
    BOOST_TEST(ended.steps(0).end().cores() == 5u);
    BOOST_TEST(ended.steps(0).end().node_count() == 2u);
    BOOST_TEST(ended.steps(0).end().usage().cpu_user_us() == 5);
    BOOST_TEST(ended.steps(0).end().usage().memory_peak() == 1 << 20);
}

BOOST_AUTO_TEST_CASE(a_restart_finds_what_runs_and_what_nobody_has_acknowledged)
{
    const Folder folder;
    {
        auto job = job_in(folder);
        end(job, begin(job, request(1)).step());
        (void)begin(job, request(2));
        end(job, begin(job, request(1)).step(), 3);
    }
    auto job = job_in(folder);
    BOOST_REQUIRE_EQUAL(job.running().size(), 1u);
    BOOST_TEST(job.running().begin()->first == 1u);
    BOOST_TEST(job.running().begin()->second.started.request().token() == 2u);
    BOOST_TEST(job.running().begin()->second.ticket == 0u);
    // Its cores are held, and numbers go on.
    const auto three = job.ask(5, *wish_from(request(3)));
    BOOST_REQUIRE(three.has_value());
    BOOST_TEST(std::holds_alternative<node::WaitingStep>(*three));
    (void)job.leave(5);
    BOOST_TEST(begin(job, request(1)).step() == 3u);
    const auto ends = job.unsent();
    BOOST_REQUIRE_EQUAL(ends.steps_size(), 2);
    BOOST_TEST(ends.steps(1).number() == 2u);
    BOOST_TEST(ends.steps(1).end().step() == 2u);
    BOOST_TEST(ends.steps(1).end().exit_code() == 3);
    BOOST_TEST(ends.incarnation() == 2u);
    BOOST_TEST(!job.has_unsent());
    job.send_again();
    BOOST_TEST(job.unsent().steps_size() == 2);
    job.acknowledge(1);
    BOOST_TEST(job.has_unacknowledged());
    job.acknowledge(99); // more than there is
    BOOST_TEST(!job.has_unacknowledged());
}

BOOST_AUTO_TEST_CASE(a_record_that_was_cut_is_as_if_it_had_never_been)
{
    const Folder folder;
    {
        auto job = job_in(folder);
        end(job, begin(job, request(1)).step());
    }
    const auto path = folder.path + "/steps";
    const auto whole = std::filesystem::file_size(path);
    std::filesystem::resize_file(path, whole - 3);
    {
        auto job = job_in(folder);
        BOOST_TEST(job.running().size() == 1u); // its end is not there
        end(job, 0);
    }
    auto job = job_in(folder);
    BOOST_TEST(job.running().empty());
    BOOST_TEST(job.unsent().steps_size() == 1);
}

BOOST_AUTO_TEST_CASE(the_file_stays_short_and_keeps_what_counts)
{
    const Folder folder;
    {
        auto job = job_in(folder);
        (void)begin(job, request(1)); // runs all the time
        for (int i = 0; i < 5000; ++i) {
            end(job, begin(job, request(1)).step());
            if (i % 100 == 99) {
                const auto ends = job.unsent();
                job.acknowledge(ends.steps(ends.steps_size() - 1).number() - 1);
            }
        }
        BOOST_TEST(std::filesystem::file_size(folder.path + "/steps") < 600u << 10);
    }
    auto job = job_in(folder);
    BOOST_TEST(job.running().size() == 1u);
    BOOST_TEST(begin(job, request(1)).step() == 5001u);
    while (job.has_unsent())
        if (const auto ends = job.unsent(); ends.steps_size() > 0)
            BOOST_TEST(ends.steps(ends.steps_size() - 1).number() <= 5000u);
}

// jrun may say them as often as it likes.
BOOST_AUTO_TEST_CASE(processes_that_are_told_again_and_again_do_not_fill_the_disk)
{
    const Folder folder;
    auto job = job_in(folder);
    const auto step = begin(job, request(1)).step();
    wire::StepProcesses processes;
    for (int pid = 1; pid <= 10000; ++pid)
        processes.add_processes()->set_pid(pid);
    for (int i = 0; i < 100; ++i)
        job.note_processes(step, processes);
    BOOST_TEST(std::filesystem::file_size(folder.path + "/steps") < 600u << 10);
    BOOST_TEST(job_in(folder).running().at(step).processes.processes_size() == 10000);
}

// The controller would close the node's connection over it.
BOOST_AUTO_TEST_CASE(what_a_step_used_stays_what_the_controller_reads)
{
    const Folder folder;
    auto job = job_in(folder);
    const auto step = begin(job, request(1)).step();
    wire::StepOver over;
    over.mutable_usage()->set_cpu_user_us(wire::limits::duration_us);
    over.mutable_usage()->set_cpu_system_us(wire::limits::duration_us - 1);
    job.end(step, over, std::vector{over.usage(), over.usage()});
    const auto ends = job.unsent();
    BOOST_REQUIRE_EQUAL(ends.steps_size(), 1);
    BOOST_TEST(wire::from_message(ends.steps(0).end()).has_value());
    BOOST_TEST(ends.steps(0).end().usage().cpu_user_us() == wire::limits::duration_us);
}

BOOST_AUTO_TEST_CASE(an_end_that_a_full_disk_has_kept_out_leaves_the_others_readable)
{
    const Folder folder;
    const auto path = folder.path + "/steps";
    {
        auto job = job_in(folder);
        end(job, begin(job, request(1)).step());
        const auto size = std::filesystem::file_size(path);
        const auto second = begin(job, request(1)).step();
        end(job, second);
        std::filesystem::resize_file(path, size);
        end(job, begin(job, request(1)).step());
    }
    auto job = job_in(folder);
    const auto first = job.unsent();
    BOOST_REQUIRE_EQUAL(first.steps_size(), 1); // those of one message follow one another
    BOOST_TEST(first.steps(0).number() == 1u);
    const auto then = job.unsent();
    BOOST_REQUIRE_EQUAL(then.steps_size(), 1);
    BOOST_TEST(then.steps(0).number() == 3u);
    BOOST_TEST(!job.has_unsent());
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_refused_by_name)
{
    const Folder folder;
    {
        auto job = job_in(folder);
        end(job, begin(job, request(1)).step());
    }
    const auto refused = [&](wire::StepRecord record) {
        const auto path = folder.path + "/steps";
        const auto size = std::filesystem::file_size(path);
        {
            auto log = StepLog::open(folder.path, [](wire::StepRecord&&) {});
            BOOST_REQUIRE(log && log->append(record));
        }
        auto job = StepJob::open(key, order(), four_cores(), "n1", folder.path);
        BOOST_REQUIRE(!job);
        BOOST_TEST((job.error().code == Errc::corrupt));
        BOOST_TEST(job.error().message.starts_with(path + ": "));
        std::filesystem::resize_file(path, size);
    };
    wire::StepRecord again; // of the number that there was
    again.mutable_ended()->set_number(1);
    *again.mutable_ended()->mutable_end() = job_in(folder).unsent().steps(0).end();
    refused(again);
    again.mutable_ended()->set_number(std::uint64_t{1} << 60);
    refused(again);
    again.mutable_ended()->set_number(2);
    again.mutable_ended()->mutable_end()->set_exit_code(1000);
    refused(again);
    wire::StepRecord late;
    late.set_acknowledged(1);
    refused(late);
}

BOOST_AUTO_TEST_CASE(what_nobody_takes_is_bounded)
{
    const Folder folder;
    auto job = job_in(folder);
    for (int i = 0; i < 20000; ++i)
        end(job, begin(job, request(1)).step());
    std::size_t kept = 0;
    while (job.has_unsent())
        kept += static_cast<std::size_t>(job.unsent().steps_size());
    BOOST_TEST(kept == 16384u);
}

BOOST_AUTO_TEST_CASE(requests_that_make_no_sense_are_refused)
{
    auto none = request(1);
    none.set_tasks(0);
    BOOST_TEST(!wish_from(none));
    auto many = request(1);
    many.set_tasks(1 << 20);
    BOOST_TEST(!wish_from(many));
    auto nodes = request(1);
    nodes.set_nodes_min(3);
    nodes.set_nodes_max(2);
    BOOST_TEST(!wish_from(nodes));
    auto unknown = request(1);
    unknown.set_inside(9);
    BOOST_TEST(!wish_from(unknown));
    auto named = request(1);
    named.set_name(std::string(5000, 'x'));
    BOOST_TEST(!wish_from(named));
}

BOOST_AUTO_TEST_SUITE_END()
