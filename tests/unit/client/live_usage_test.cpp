// What jstat makes of what nodes say.
#include "client/live_usage.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace jarvis;
using namespace jarvis::client;

namespace {

wire::JobDetail job_on_two()
{
    wire::JobDetail job;
    for (const char* name : {"n1", "n2"}) {
        auto& node = *job.add_nodes();
        node.set_name(name);
        node.set_cores("0-3");
    }
    return job;
}

// After so many seconds n1 says this, and n2 that it has used a second of a processor.
wire::NodeAnswers answers(int seconds, const wire::JobSample& of_n1)
{
    wire::NodeAnswers answers;
    auto& first = *answers.add_items();
    first.set_node("n1");
    *first.mutable_usage() = of_n1;
    auto& second = *answers.add_items();
    second.set_node("n2");
    second.mutable_usage()->set_at_us(seconds * 1'000'000ll);
    second.mutable_usage()->mutable_usage()->set_cpu_user_us(seconds * 1'000'000ll);
    second.mutable_usage()->set_memory(4096);
    return answers;
}

} // namespace

BOOST_AUTO_TEST_SUITE(live_usage_of_a_job)

BOOST_AUTO_TEST_CASE(a_node_whose_figures_make_no_sense_is_told_of_and_left_out)
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    wire::JobSample time, size, used;
    time.set_at_us(-most);
    size.set_memory(most);
    used.mutable_usage()->set_cpu_user_us(most);
    for (const auto& senseless : {time, size, used}) {
        const auto usage = live_usage(job_on_two(), answers(1, senseless), answers(2, senseless));
        BOOST_TEST(usage.nodes[0].error == "node n1: what it says of the job makes no sense");
        BOOST_TEST(usage.nodes[1].error == "");
        BOOST_TEST(*usage.sum.memory == 4096);
        BOOST_TEST(*usage.sum.user == 1.0);
    }
    // Nor does what it said before give a rate.
    wire::JobSample good;
    good.set_at_us(2'000'000);
    const auto usage = live_usage(job_on_two(), answers(1, time), answers(2, good));
    BOOST_TEST(usage.nodes[0].error == "");
    BOOST_TEST(!usage.nodes[0].figures.user.has_value());
}

BOOST_AUTO_TEST_CASE(sums_stay_numbers)
{
    wire::JobSample many;
    many.set_at_us(1);
    many.set_processes(std::numeric_limits<std::uint32_t>::max());
    auto all = answers(1, many);
    all.mutable_items(1)->mutable_usage()->set_processes(7);
    const auto usage = live_usage(job_on_two(), all, all);
    BOOST_TEST(*usage.sum.processes == std::numeric_limits<std::uint32_t>::max());
}

BOOST_AUTO_TEST_SUITE_END()
