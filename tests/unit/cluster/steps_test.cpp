// Steps that have ended: journaled once, acknowledged always.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;

namespace {

StepEnd step(std::uint32_t number, std::int32_t exit_code = 0) { return {.step = number, .name = "solve", .node_list = "n1", .exit_code = exit_code}; }

Cluster requeueable_runs()
{
    Cluster c(nodes(2), cores(4));
    c.submit(job().tasks(4).requeue());
    return c;
}

} // namespace

BOOST_AUTO_TEST_SUITE(steps)

BOOST_AUTO_TEST_CASE(they_are_journaled_counted_and_acknowledged)
{
    auto c = requeueable_runs();
    c.report_steps("n1", ref(1), 1, {step(1, 3), step(0)});
    BOOST_TEST(c.events() == "steps of 1.1 ended: 1 to 2");
    BOOST_TEST(c.effects() == "ack steps 1.1 through 2 on n1");
    BOOST_TEST(c.at(1).run->steps.through == 2u);
    BOOST_TEST(c.at(1).run->steps.failed == 1u);
}

BOOST_AUTO_TEST_CASE(what_comes_again_is_acknowledged_again_and_only_news_is_journaled)
{
    auto c = requeueable_runs();
    c.report_steps("n1", ref(1), 1, {step(0), step(1)});
    c.report_steps("n1", ref(1), 1, {step(0), step(1)});
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "ack steps 1.1 through 2 on n1");
    c.report_steps("n1", ref(1), 2, {step(1), step(2), step(3, 1)});
    BOOST_TEST(c.events() == "steps of 1.1 ended: 3 to 4");
    BOOST_TEST(c.effects() == "ack steps 1.1 through 4 on n1");
    BOOST_TEST(c.at(1).run->steps.failed == 1u);
    c.report_steps("n1", ref(1), 1, {step(0)}); // that was long on its way
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.at(1).run->steps.through == 4u);
}

BOOST_AUTO_TEST_CASE(those_of_another_run_node_or_job_are_let_go)
{
    auto c = requeueable_runs();
    c.report_steps("n2", ref(1), 1, {step(0)}); // which has nothing of it
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "ack steps 1.1 through 1 on n2");
    c.report_steps("n1", ref(1, 2), 1, {step(0)});
    BOOST_TEST(c.effects() == "ack steps 1.2 through 1 on n1");
    c.report_steps("n1", ref(9), 7, {step(0)});
    BOOST_TEST(c.effects() == "ack steps 9.1 through 7 on n1");
    c.report_end("n1", ended(ref(1)));
    c.report_steps("n1", ref(1), 1, {step(0)});
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.effects() == "ack steps 1.1 through 1 on n1");
    BOOST_TEST(c.at(1).run->steps.through == 0u);
}

BOOST_AUTO_TEST_CASE(they_are_told_while_the_job_stands_still_or_is_being_stopped)
{
    auto c = requeueable_runs();
    c.suspend(alice, {1});
    c.report_steps("n1", ref(1), 1, {step(0)});
    c.cancel(alice, {1});
    c.report_steps("n1", ref(1), 2, {step(1, 143)});
    BOOST_TEST(c.at(1).run->steps.through == 2u);
}

BOOST_AUTO_TEST_CASE(the_next_incarnation_counts_anew_also_after_a_restart)
{
    auto c = requeueable_runs();
    c.report_steps("n1", ref(1), 1, {step(0)});
    c.requeue(alice, {1});
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.at(1).incarnation.value == 2u);
    BOOST_TEST(c.at(1).run->steps.through == 0u);
    const auto where = c.state().nodes.at(c.at(1).run->placement.nodes.front().node.value).name;
    c.report_steps(where, ref(1, 2), 1, {step(0), step(1)});
    c.restart();
    BOOST_TEST(c.at(1).run->steps.through == 2u);
    c.report_steps(where, ref(1, 2), 1, {step(0), step(1)});
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_SUITE_END()
