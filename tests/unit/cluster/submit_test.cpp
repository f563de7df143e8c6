// Submitting: the request's defaults and checks, and that a repeated submit is the same job.
#include "cluster.hpp"

#include "cluster/submit.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::check_request;
using jarvis::cluster::prepare_request;

namespace {

std::string refusal(const Cluster& c, const Submission& submission)
{
    auto checked = check_request(c.state(), submission.request());
    return checked ? "accepted" : fmt::format("{}: {}", name(checked.error().code), checked.error().message);
}

std::string unprepared(const cluster::Settings& settings, const Submission& submission)
{
    auto prepared = prepare_request(settings, submission.request());
    return prepared ? "accepted" : fmt::format("{}: {}", name(prepared.error().code), prepared.error().message);
}

} // namespace

BOOST_AUTO_TEST_SUITE(submit)

BOOST_AUTO_TEST_CASE(a_submit_is_a_pending_job_with_the_next_id)
{
    Cluster c(nodes(1), cores(4));
    c.pass(10s);
    BOOST_TEST(c.submit(job().nice(5).priority(7)) == "job 1");
    BOOST_TEST(c.submit(job().hold()) == "job 2");
    BOOST_TEST(c.at(2).priority == 0);
    BOOST_TEST((c.at(2).state == JobState::pending));
    BOOST_TEST((c.at(2).submitted == Instant(10s)));
    BOOST_TEST((c.at(2).submitted_wall == c.wall()));
    BOOST_TEST(c.at(1).priority == 2); // the policy's number, less what is nice
    BOOST_TEST(c.state().index.active_jobs == 2u);
}

BOOST_AUTO_TEST_CASE(the_first_id_is_the_configurations)
{
    auto settings = some_settings(nodes(1));
    settings.first_job_id = 4000;
    Cluster c(settings);
    BOOST_TEST(c.submit(job()) == "job 4000");
    settings.first_job_id = 10; // never lowers it
    c.configure(settings);
    BOOST_TEST(c.submit(job()) == "job 4001");
    settings.first_job_id = 5000;
    c.configure(settings);
    BOOST_TEST(c.submit(job()) == "job 5000");
    settings.first_job_id = max_job_id.value;
    c.configure(settings);
    BOOST_TEST(c.submit(job()) == "unavailable: the job ids are used up");
}

BOOST_AUTO_TEST_CASE(the_same_request_id_is_the_same_job)
{
    Cluster c(nodes(1), cores(4));
    BOOST_TEST(c.submit(job().request_id(1).digest(5)) == "job 1");
    BOOST_TEST(c.submit(job().request_id(1).digest(5)) == "job 1");
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.submit(job().request_id(1).digest(6)) == "invalid: this request id was used for job 1, with another content");
    BOOST_TEST(c.submit(job().by(bob).request_id(1).digest(6)) == "job 2"); // another user's ids are others
    BOOST_TEST(c.submit(job().request_id(2).digest(5)) == "job 3");
    // Also once it has ended, and after a restart.
    c.cancel(alice, {1});
    BOOST_TEST(c.submit(job().request_id(1).digest(5)) == "job 1");
    c.restart();
    BOOST_TEST(c.submit(job().request_id(1).digest(5)) == "job 1");
}

BOOST_AUTO_TEST_CASE(the_same_request_twice_in_one_batch_is_one_job)
{
    Cluster c(nodes(1), cores(4));
    auto command = c.command(job().request_id(1));
    c.run({command, command});
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on n1 cores 0");
}

BOOST_AUTO_TEST_CASE(the_number_of_jobs_is_limited)
{
    auto settings = some_settings(nodes(1));
    settings.max_jobs = 2;
    Cluster c(settings);
    c.submit(job().request_id(1));
    c.submit(job());
    BOOST_TEST(c.submit(job()) == "unavailable: the cluster holds 2 jobs, its limit (pending_jobs in [limits]); "
                                  "try again when some have ended");
    BOOST_TEST(c.submit(job().request_id(1)) == "job 1"); // a repetition is no new job
    c.cancel(alice, {1});
    BOOST_TEST(c.submit(job()) == "job 3");
}

BOOST_AUTO_TEST_CASE(numbers_of_a_policy_at_the_edge_do_not_overflow)
{
    Cluster c(some_settings(nodes(1)));
    c.submit(job().by(otto).priority(std::numeric_limits<std::int64_t>::max()).by(otto).nice(-1000));
    c.submit(job().priority(std::numeric_limits<std::int64_t>::min()).nice(1000));
    BOOST_TEST(c.at(1).priority > c.at(2).priority);
}

BOOST_AUTO_TEST_CASE(only_operators_push_ahead)
{
    Cluster c(some_settings(nodes(1)));
    BOOST_TEST(c.submit(job().nice(-1)) == "denied: --nice below 0 takes the role operator or admin (see [security]); alice has neither");
    BOOST_TEST(c.submit(job().nice(0)) == "job 1");
    BOOST_TEST(c.submit(job().by(otto).nice(-1)) == "job 2");
}

BOOST_AUTO_TEST_CASE(only_operators_go_before_others)
{
    Cluster c(some_settings(nodes(1)));
    BOOST_TEST(c.submit(job().by(alice).nice(-1)).find("takes the role operator") != std::string::npos);
    BOOST_TEST(c.submit(job().by(alice).nice(0)) == "job 1");
    BOOST_TEST(c.submit(job().by(otto).nice(-1)) == "job 2");
}

BOOST_AUTO_TEST_CASE(root_is_refused_unless_allowed)
{
    Cluster c(some_settings(nodes(1)));
    BOOST_TEST(c.submit(job().by(root)) == "denied: jobs of root are refused here; submit as an ordinary user "
                                           "(an administrator can set allow_root_jobs in [security])");
    auto settings = some_settings(nodes(1));
    settings.allow_root_jobs = true;
    c.configure(settings);
    BOOST_TEST(c.submit(job().by(root)) == "job 1");
}

BOOST_AUTO_TEST_CASE(what_the_request_leaves_out_is_the_partitions)
{
    auto settings = some_settings(nodes(2));
    settings.partitions.push_back(some_partition("long", {"n2"}));
    settings.partitions[1].default_time.reset();
    settings.partitions[1].max_time = 24h;

    auto plain = prepare_request(settings, job().request());
    BOOST_REQUIRE(plain);
    BOOST_TEST(*plain->partition == "batch");
    BOOST_TEST((plain->time_limit == 1h));
    BOOST_TEST(*plain->output == "jarvis-%j.out");

    auto in_long = prepare_request(settings, job().partition("long").request());
    BOOST_TEST((in_long.value().time_limit == 24h)); // no default: the maximum
    auto asked = prepare_request(settings, job().limit(5min).request());
    BOOST_TEST((asked.value().time_limit == 5min));

    settings.partitions[0].default_time.reset(); // neither: unlimited
    BOOST_TEST((!prepare_request(settings, job().request()).value().time_limit));
}

BOOST_AUTO_TEST_CASE(an_unknown_partition_is_named_with_the_nearest)
{
    auto settings = some_settings(nodes(1));
    settings.partitions.push_back(some_partition("gpu", {"n1"}));
    BOOST_TEST(unprepared(settings, job().partition("bach")) == "not found: no partition \"bach\"; did you mean \"batch\"?");
    BOOST_TEST(unprepared(settings, job().partition("weather")) == "not found: no partition \"weather\"");
    settings.partitions[0].is_default = false;
    BOOST_TEST(unprepared(settings, job()) == "invalid: no partition was named and none is the default; name one with --partition");
    // The configuration may have changed between the two checks.
    Cluster c(settings);
    BOOST_TEST(refusal(c, job().partition("gpux")) == "not found: no partition \"gpux\"; did you mean \"gpu\"?");
}

BOOST_AUTO_TEST_CASE(limits_of_time)
{
    auto settings = some_settings(nodes(1));
    settings.partitions[0].max_time = 2h;
    Cluster c(settings);
    BOOST_TEST(refusal(c, job().partition("batch").limit(2h)) == "accepted");
    BOOST_TEST(refusal(c, job().partition("batch").limit(2h + 1s)) ==
               "invalid: the time limit 02:00:01 is above partition batch's maximum of 02:00:00");
    BOOST_TEST(refusal(c, job().partition("batch").limit({})) ==
               "invalid: the time limit unlimited is above partition batch's maximum of 02:00:00");
    BOOST_TEST(refusal(c, job().partition("batch").limit(0s)) == "invalid: the time limit must be above 0");
}

BOOST_AUTO_TEST_CASE(numbers_that_make_no_sense)
{
    Cluster c(some_settings(nodes(1)));
    const auto batch = [] { return job().partition("batch").limit(1h); };
    BOOST_TEST(refusal(c, batch().tasks(0)) == "invalid: a job needs at least one task of one CPU");
    BOOST_TEST(refusal(c, batch().cpus(0)) == "invalid: a job needs at least one task of one CPU");
    BOOST_TEST(refusal(c, batch().tasks(100'000).cpus(100'000)) == "invalid: 100000 tasks of 100000 CPUs are more than 1000000 CPUs");
    BOOST_TEST(refusal(c, batch().memory({0})) == "invalid: --mem must be above 0 and at most 1P");
    BOOST_TEST(refusal(c, batch().memory(mebibytes(1) * (std::int64_t{1} << 31))) == "invalid: --mem must be above 0 and at most 1P");
    BOOST_TEST(refusal(c, batch().memory_per_cpu({-1})) == "invalid: --mem-per-cpu must be above 0 and at most 4T");
    BOOST_TEST(refusal(c, batch().memory_per_cpu(mebibytes(std::int64_t{5} << 20))) == "invalid: --mem-per-cpu must be above 0 and at most 4T");
}

BOOST_AUTO_TEST_CASE(nodes_and_tasks_have_to_go_together)
{
    Cluster c(nodes(3), cores(2));
    BOOST_TEST(refusal(c, job().partition("batch").limit(1h).nodes(3).tasks(2)) ==
               "invalid: 2 tasks cannot be on 3 nodes: each node has at least one");
    // Their product is above 32 bits, and would be 0 in them.
    BOOST_TEST(c.submit(job().nodes(65536).tasks_per_node(65536)) == "invalid: 4294967295 tasks of 1 CPUs are more than 1000000 CPUs");
}

BOOST_AUTO_TEST_CASE(a_node_list_stays_inside_the_partition)
{
    auto settings = some_settings(nodes(2));
    settings.partitions.push_back(some_partition("small", {"n2"}));
    Cluster c(settings);
    c.join_all(cores(2));
    BOOST_TEST(c.submit(job().partition("small").node_list({"n1"})) == "invalid: node n1 is not in partition small");
    BOOST_TEST(c.submit(job().partition("small").node_list({"n2"})) == "job 1");
    BOOST_TEST(c.submit(job().partition("small").exclude({"n2"})) ==
               "invalid: no node of partition small can ever run this: all of its nodes are excluded");
}

BOOST_AUTO_TEST_CASE(what_no_node_can_ever_run_is_refused_naming_the_largest)
{
    Cluster c(nodes(3), cores(4));
    c.machines["n2"] = some_machine(cores(8));
    c.join("n2");
    BOOST_TEST(c.submit(job().cpus(9)) ==
               "invalid: no node of partition batch can ever run this: it asks for 9 cores, but n2 has 8");
    BOOST_TEST(c.submit(job().memory(mebibytes(9216))) ==
               "invalid: no node of partition batch can ever run this: it asks for 9G of memory, but n2 has 8G");
    BOOST_TEST(c.submit(job().cpus(8)) == "job 1");
    // What is busy, drained or away now may be free later.
    c.drain(otto, {"n2"}, "broken");
    c.lose("n2");
    BOOST_TEST(c.submit(job().cpus(8)) == "job 2");
    BOOST_TEST(c.submit(job().cpus(9)).starts_with("invalid"));
}

BOOST_AUTO_TEST_CASE(a_node_of_unknown_size_may_be_large_enough)
{
    Cluster c(some_settings(nodes(2)));
    c.machines["n1"] = some_machine(cores(2));
    c.join("n1");
    BOOST_TEST(c.submit(job().tasks(64)) == "job 1");
    c.machines["n2"] = some_machine(cores(2));
    c.join("n2");
    BOOST_TEST(c.submit(job().tasks(64)).starts_with("invalid"));
}

BOOST_AUTO_TEST_CASE(a_partition_without_nodes_takes_nothing)
{
    auto settings = some_settings(nodes(1));
    settings.partitions.push_back(some_partition("empty", {}));
    Cluster c(settings);
    BOOST_TEST(c.submit(job().partition("empty")) == "invalid: partition empty has no nodes");
}

BOOST_AUTO_TEST_CASE(a_partition_that_is_down_takes_jobs_and_starts_none)
{
    auto settings = some_settings(nodes(1));
    settings.partitions[0].up = false;
    Cluster c(settings);
    c.machines["n1"] = some_machine(cores(2));
    c.join("n1");
    BOOST_TEST(c.submit(job()) == "job 1");
    BOOST_TEST(c.running() == "");
    BOOST_TEST(c.reason(1) == "PartitionDown: partition batch is down: it takes jobs and starts none");
}

BOOST_AUTO_TEST_SUITE_END()
