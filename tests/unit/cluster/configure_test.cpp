// A configuration that changes under jobs and nodes.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::state_name;

namespace {

cluster::Settings two_partitions()
{
    auto settings = some_settings(nodes(2));
    settings.partitions.push_back(some_partition("gone", {"n2"}));
    settings.partitions[0].nodes = {"n1"};
    return settings;
}

Cluster cluster_of(const cluster::Settings& settings)
{
    Cluster c(settings);
    for (const auto& name : settings.nodes) {
        c.machines[name] = some_machine(cores(2));
        c.join(name);
    }
    return c;
}

} // namespace

BOOST_AUTO_TEST_SUITE(configure)

BOOST_AUTO_TEST_CASE(the_same_configuration_is_no_event)
{
    Cluster c(some_settings(nodes(1)));
    BOOST_TEST(c.configure(some_settings(nodes(1))) == "ok");
    BOOST_TEST(c.events() == "");
    BOOST_TEST(c.configure(some_settings(nodes(2))) == "ok");
    BOOST_TEST(c.events() == "configured");
}

BOOST_AUTO_TEST_CASE(jobs_of_a_dropped_partition_wait_until_it_is_back)
{
    auto c = cluster_of(two_partitions());
    c.submit(job().tasks(2).partition("gone"));
    c.submit(job().tasks(2).partition("gone"));
    auto without = two_partitions();
    without.partitions.pop_back();
    c.configure(without);
    BOOST_TEST(c.running() == "1");
    BOOST_TEST(c.reason(2) == "PartitionGone: partition gone is no longer configured");
    c.report_end("n2", ended(ref(1)));
    BOOST_TEST(c.running() == "");
    BOOST_TEST(c.hold(alice, {2}) == "2 ok");
    BOOST_TEST(c.release(alice, {2}) == "2 ok");
    BOOST_TEST(c.reason(2) == "PartitionGone: partition gone is no longer configured");
    c.configure(two_partitions());
    BOOST_TEST(c.events() == "configured; started 2.1 on n2 cores 0-1");
}

BOOST_AUTO_TEST_CASE(a_job_of_a_dropped_partition_can_be_cancelled)
{
    auto c = cluster_of(two_partitions());
    c.submit(job().tasks(2).partition("gone"));
    c.submit(job().tasks(2).partition("gone"));
    auto without = two_partitions();
    without.partitions.pop_back();
    c.configure(without);
    BOOST_TEST(c.cancel(alice, {2, 1}) == "2 ok; 1 ok");
    BOOST_TEST(c.effects() == "stop 1.1 on n2: cancelled by alice");
}

BOOST_AUTO_TEST_CASE(partitions_that_change_places_keep_their_queues)
{
    auto c = cluster_of(two_partitions());
    for (auto* partition : {"batch", "gone", "batch", "gone"})
        c.submit(job().tasks(2).partition(partition));
    BOOST_TEST(c.running() == "1 2");
    auto swapped = two_partitions();
    std::swap(swapped.partitions[0], swapped.partitions[1]);
    c.configure(swapped);
    c.report_end("n2", ended(ref(2)));
    BOOST_TEST(c.running() == "1 4");
    BOOST_TEST(c.reason(3).starts_with("Resources: "));
}

BOOST_AUTO_TEST_CASE(a_pass_that_was_under_way_forgets_dropped_partitions)
{
    auto c = cluster_of(two_partitions());
    // In the storage's reserve nothing starts, so that the partition is still to be examined when it goes.
    c.may_start = false;
    c.submit(job().partition("gone"));
    BOOST_TEST(c.owner().unfinished());
    auto without = two_partitions();
    without.partitions.pop_back();
    c.configure(without);
    c.may_start = true;
    c.run(cluster::TimePassed{}); // fails if the pass does not end
    BOOST_TEST(c.running() == "");
}

BOOST_AUTO_TEST_CASE(a_dropped_node_gets_nothing_new_and_may_finish)
{
    auto c = cluster_of(some_settings(nodes(2)));
    c.submit(job().tasks(2));
    c.submit(job().tasks(2));
    BOOST_TEST(c.running() == "1 2");
    c.configure(some_settings(nodes(1)));
    c.submit(job().tasks(2));
    BOOST_TEST(c.running() == "1 2");
    BOOST_TEST(state_name(c.node("n2")) == "down");
    BOOST_TEST(c.reason(3) == "Resources: needs 2 cores and 2G; n1 has 0 cores and 0 free");
    c.lose("n2");
    c.join("n2", {.running = {ref(2)}, .ended = {}}); // comes back with its job: the end is still awaited
    BOOST_TEST(c.effects() == "welcome n2");
    c.report_end("n2", ended(ref(2)));
    BOOST_TEST(c.events() == "ended 2.1 COMPLETED none");
    BOOST_TEST(c.running() == "1");
    c.lose("n2");
    c.join("n2");
    BOOST_TEST(c.effects() == "refuse: node \"n2\" is not in the controller's configuration; add it to [[node]]");
}

BOOST_AUTO_TEST_CASE(a_node_that_is_configured_again_has_its_old_number)
{
    auto c = cluster_of(some_settings(nodes(3)));
    const auto id = c.node("n2").id;
    auto settings = some_settings(nodes(3));
    settings.nodes = {"n3", "n1"};
    settings.partitions[0].nodes = {"n3", "n1"};
    c.configure(settings);
    c.submit(job());
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on n3 cores 0");
    c.configure(some_settings(nodes(4)));
    BOOST_TEST((c.node("n2").id == id));
    BOOST_TEST(c.node("n4").id.value == 3u);
    BOOST_TEST(c.node("n2").takes_jobs());
}

BOOST_AUTO_TEST_CASE(new_limits_count_for_new_submits_only)
{
    auto c = cluster_of(some_settings(nodes(1)));
    c.submit(job().tasks(2));
    c.submit(job().limit(10h));
    auto settings = some_settings(nodes(1));
    settings.partitions[0].max_time = 1h;
    c.configure(settings);
    BOOST_TEST(c.submit(job().limit(10h)).starts_with("invalid: the time limit"));
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.running() == "2");
}

BOOST_AUTO_TEST_CASE(a_partition_that_comes_up_starts_its_jobs)
{
    auto down = some_settings(nodes(1));
    down.partitions[0].up = false;
    auto c = cluster_of(down);
    c.submit(job());
    BOOST_TEST(c.running() == "");
    c.configure(some_settings(nodes(1)));
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_SUITE_END()
