// The way down: which states an older version could go on from.
#include "values.hpp"

#include "journal/older_version.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::journal::test;

namespace {

// A state with one job, pending or ended, that was asked for like this.
struct Sample {
    cluster::State state;

    Sample()
    {
        state.next_job = JobId{100};
        cluster::Node node;
        node.name = "n1";
        state.nodes.push_back(node);
        node.name = "n2";
        state.nodes.push_back(node);
    }
    Sample& with(JobId id, JobRequest request, bool ended = false)
    {
        auto job = std::make_shared<cluster::Job>();
        job->id = id;
        job->request = std::make_shared<const JobRequest>(std::move(request));
        if (ended) {
            job->state = JobState::completed;
            job->ended = cluster::Ended{};
            job->ended->end.state = JobState::completed;
        }
        if (job->is_array())
            state.arrays[id.value].waiting = job->request->array->tasks;
        state.jobs[id] = std::move(job);
        return *this;
    }
    journal::Fitness fitness() const
    {
        auto result = journal::fitness_for(state, "0.1");
        BOOST_REQUIRE(result);
        return *result;
    }
};

JobRequest with_retry()
{
    auto request = plain_request();
    request.retry = RetryRule{.times = 3};
    return request;
}

JobRequest with_array()
{
    auto request = plain_request();
    request.array = ArraySpec{*parse_index_set("0-9", 100), 0};
    return request;
}

} // namespace

BOOST_AUTO_TEST_SUITE(older_version)

BOOST_AUTO_TEST_CASE(what_has_nothing_new_is_fit)
{
    const auto fitness = Sample().with(JobId{1}, plain_request()).with(JobId{2}, plain_request(), true).fitness();
    BOOST_TEST(fitness.obstacle_count == 0u);
    BOOST_TEST(fitness.losses.empty());
}

BOOST_AUTO_TEST_CASE(jobs_that_it_would_not_treat_as_their_owners_were_told_are_named)
{
    const auto fitness = Sample().with(JobId{7}, with_array()).with(JobId{7, 3}, plain_request()).with(JobId{9}, with_retry()).fitness();
    BOOST_TEST(fitness.obstacle_count == 3u);
    const std::vector<std::string> wanted{"job 7: an array", "job 7_3: a task of an array", "job 9: a retry rule"};
    BOOST_TEST(fitness.obstacles == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_has_ended_is_a_loss_and_no_obstacle)
{
    const auto fitness = Sample().with(JobId{9}, with_retry(), true).fitness();
    BOOST_TEST(fitness.obstacle_count == 0u);
    BOOST_TEST(fitness.losses == std::vector<std::string>{"a retry rule"}, boost::test_tools::per_element());
}

// Its record would stand beside the array's under one id.
BOOST_AUTO_TEST_CASE(an_ended_task_is_an_obstacle)
{
    BOOST_TEST(Sample().with(JobId{7, 3}, plain_request(), true).fitness().obstacle_count == 1u);
}

BOOST_AUTO_TEST_CASE(a_job_on_several_nodes_is_an_obstacle_while_it_runs)
{
    Sample sample;
    sample.with(JobId{7}, plain_request());
    auto job = std::make_shared<cluster::Job>(*sample.state.jobs[JobId{7}]);
    job->state = JobState::running;
    job->run = cluster::Run{};
    job->run->placement = placement_on(0);
    job->run->placement.nodes.push_back(placement_on(1).nodes[0]);
    sample.state.jobs[JobId{7}] = job;
    BOOST_TEST(sample.fitness().obstacles == std::vector<std::string>{"job 7: several nodes"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(many_obstacles_are_counted_and_some_are_named)
{
    Sample sample;
    for (std::uint64_t id = 1; id <= 50; ++id)
        sample.with(JobId{id}, with_array());
    const auto fitness = sample.fitness();
    BOOST_TEST(fitness.obstacle_count == 50u);
    BOOST_TEST(fitness.obstacles.size() == 10u);
}

BOOST_AUTO_TEST_CASE(a_version_that_nobody_knows_is_refused_with_those_that_are_known)
{
    const auto result = journal::fitness_for(cluster::State{}, "9.9");
    BOOST_REQUIRE(!result);
    BOOST_TEST((result.error().code == Errc::not_found));
    BOOST_TEST(result.error().message.find("0.1") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
