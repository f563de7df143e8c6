// Jobs over several nodes: which nodes they get, what partitions allow, and what waiting ones are told.
#include "cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::NodeClass;
using jarvis::cluster::Settings;

namespace {

// n1 and n2 have r1, n2 has gpu as well, n3 and n4 have r2.
Settings with_features()
{
    auto settings = some_settings(nodes(4));
    settings.traits = {{"n1", {{"r1"}, false}}, {"n2", {{"r1", "gpu"}, false}}, {"n3", {{"r2"}, false}}, {"n4", {{"r2"}, true}}};
    return settings;
}

Settings limited(void (*change)(cluster::PartitionSettings&))
{
    auto settings = some_settings(nodes(4));
    change(settings.partitions[0]);
    return settings;
}

} // namespace

BOOST_AUTO_TEST_SUITE(node_requests)

BOOST_AUTO_TEST_CASE(a_job_gets_the_nodes_that_it_asks_for)
{
    Cluster c(nodes(4), cores(2));
    c.submit(job().nodes(3));
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on n1 cores 0 on n2 cores 0 on n3 cores 0");
    BOOST_TEST(c.at(1).request->resources.tasks == 3u); // one on each node
    c.submit(job().nodes(2, 2).tasks_per_node(2));
    BOOST_TEST(c.events() == "submitted 2"); // two whole nodes
    BOOST_TEST(c.at(2).request->resources.tasks == 4u);
    BOOST_TEST(c.reason(2) == "Resources: needs 2 nodes; 4 of the 4 nodes of partition batch have room for some of it now");
}

BOOST_AUTO_TEST_CASE(without_a_wish_it_is_spread_only_when_no_node_could_hold_it)
{
    Cluster c(nodes(2), cores(4));
    c.submit(job().tasks(2));
    c.submit(job().tasks(4));
    BOOST_TEST(c.events() == "submitted 2; started 2.1 on n2 cores 0-3");
    c.submit(job().tasks(3)); // waits for one node
    BOOST_TEST(c.events() == "submitted 3");
    c.cancel(alice, {3});
    c.report_end("n1", ended(ref(1)));
    c.report_end("n2", ended(ref(2)));
    c.submit(job().tasks(6)); // no node has six
    BOOST_TEST(c.events() == "submitted 4; started 4.1 on n1 cores 0-3 on n2 cores 0-1");
}

BOOST_AUTO_TEST_CASE(features_node_lists_and_exclusions_count)
{
    Cluster c(with_features());
    c.join_all(cores(2));
    c.submit(job().constraint("r2"));
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on n3 cores 0");
    c.submit(job().constraint("r1*1&r2*1").nodes(2));
    BOOST_TEST(c.events() == "submitted 2; started 2.1 on n1 cores 0 on n4 cores 0");
    c.submit(job().node_list({"n2", "n4"}));
    BOOST_TEST(c.events() == "submitted 3; started 3.1 on n2 cores 0 on n4 cores 1");
    c.submit(job().exclude({"n1", "n2"}));
    BOOST_TEST(c.events() == "submitted 4; started 4.1 on n3 cores 1");
    c.submit(job().constraint("r2"));
    BOOST_TEST(c.reason(5) == "Resources: needs 1 cores and 1G; n3 has 0 cores and 0 free (nodes: 2 without the features, 2 busy)");
    BOOST_TEST(c.node("n4").vouches);
    BOOST_TEST(!c.node("n3").vouches);
}

BOOST_AUTO_TEST_CASE(what_can_never_be_is_refused_naming_what_is_missing)
{
    Cluster c(with_features());
    c.join_all(cores(2));
    BOOST_TEST(c.submit(job().nodes(5)) == "invalid: partition batch can never run this: it needs 5 nodes; the partition has 4");
    BOOST_TEST(c.submit(job().nodes(2).constraint("gpu")) ==
               "invalid: partition batch can never run this: it needs 2 nodes with gpu; the partition has 1");
    BOOST_TEST(c.submit(job().constraint("ib")) == "invalid: no node of partition batch can ever run this: none of its 4 nodes has the features ib");
    BOOST_TEST(c.submit(job().constraint("r1*3")) ==
               "invalid: partition batch can never run this: it needs 3 nodes with r1; the partition has 2");
    BOOST_TEST(c.submit(job().tasks(9)) == "invalid: partition batch can never run this: it has 9 tasks, and 4 nodes together have room for 8");
    BOOST_TEST(c.submit(job().tasks(5).nodes(1, 2)) ==
               "invalid: partition batch can never run this: it has 5 tasks, and 2 nodes together have room for 4");
    BOOST_TEST(c.submit(job().tasks(3).constraint("r1|r2").contiguous().node_list({"n1", "n3"})) == "job 1");
    BOOST_TEST(c.running() == "1"); // n1 to n3
    BOOST_TEST(c.submit(job().contiguous().nodes(2, 2).node_list({"n1", "n3"})) ==
               "invalid: partition batch can never run this: no row of neighbours has room for all of it");
    BOOST_TEST(c.submit(job().node_list({"n9"})) == "invalid: there is no node \"n9\"");
    BOOST_TEST(c.submit(job().node_list({"n1"}).constraint("gpu")) ==
               "invalid: partition batch can never run this: node n1 does not have the features gpu");
    BOOST_TEST(c.submit(job().node_list({"n1"}).exclude({"n1"})) == "invalid: node n1 is asked for (--nodelist) and excluded (--exclude)");
    BOOST_TEST(c.submit(job().node_list({"n1", "n2"}).nodes(1, 1)) == "invalid: 2 nodes are more than the most that it asks for, 1");
}

BOOST_AUTO_TEST_CASE(what_only_a_choice_of_nodes_shows_is_refused_too)
{
    Cluster c(with_features());
    c.join_all(cores(2));
    // A node with each feature is there, and both together are more nodes than it asks for.
    BOOST_TEST(c.submit(job().tasks(2).nodes(1, 1).constraint("r2*1&gpu*1")) ==
               "invalid: partition batch can never run this: no choice of its nodes fulfils all that it asks for");
    BOOST_TEST(c.submit(job().constraint("r1*1&gpu*1")) == "job 1"); // n2 has both
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on n2 cores 0");
}

BOOST_AUTO_TEST_CASE(a_partitions_most_nodes_hold_for_what_names_no_number)
{
    Cluster c(limited([](auto& partition) { partition.max_nodes = 2; }));
    c.join_all(cores(2));
    BOOST_TEST(c.submit(job().tasks(5)) == "invalid: partition batch can never run this: it has 5 tasks, and 2 nodes together have room for 4");
    BOOST_TEST(c.submit(job().tasks(4).nodes(1, 2)) == "job 1");
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on n1 cores 0-1 on n2 cores 0-1");
}

BOOST_AUTO_TEST_CASE(a_node_of_the_list_that_is_away_is_named)
{
    Cluster c(nodes(3), cores(2));
    c.drain(otto, {"n2"}, "disk");
    c.submit(job().node_list({"n1", "n2"}));
    BOOST_TEST(c.reason(1) == "NodesUnavailable: node n2 of its node list is drained");
    c.resume(otto, {"n2"});
    BOOST_TEST(c.running() == "1");
}

BOOST_AUTO_TEST_CASE(exclusive_nodes_are_taken_whole)
{
    Cluster c(nodes(3), cores(2));
    c.submit(job());
    c.submit(job().nodes(2).exclusive());
    BOOST_TEST(c.events() == "submitted 2; started 2.1 on n2 cores 0-1 on n3 cores 0-1");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(partition_limits)

BOOST_AUTO_TEST_CASE(sizes)
{
    Cluster c(limited([](auto& partition) {
        partition.min_nodes = 2;
        partition.max_nodes = 3;
        partition.max_cores = 8;
    }));
    c.join_all(cores(4));
    BOOST_TEST(c.submit(job()) == "invalid: partition batch takes jobs of 2 nodes and more; this asks for 1 (--nodes)");
    BOOST_TEST(c.submit(job().nodes(4)) == "invalid: partition batch takes jobs of at most 3 nodes; this asks for 4");
    BOOST_TEST(c.submit(job().nodes(3).tasks(3).cpus(3)) == "invalid: partition batch takes jobs of at most 8 cores; this asks for 9");
    BOOST_TEST(c.submit(job().nodes(2).tasks(8)) == "job 1");
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on n1 cores 0-3 on n2 cores 0-3");
}

BOOST_AUTO_TEST_CASE(the_most_nodes_hold_also_for_who_names_none)
{
    Cluster c(limited([](auto& partition) { partition.max_nodes = 1; }));
    c.join_all(cores(2));
    BOOST_TEST(c.submit(job().tasks(3)) == "invalid: no node of partition batch can ever run this: it asks for 3 cores, but n1 has 2");
}

BOOST_AUTO_TEST_CASE(users_and_groups)
{
    Cluster c(limited([](auto& partition) {
        partition.allow_users = {"otto"};
        partition.allow_groups = {"staff"};
        partition.allow_gids = {777};
        partition.deny_users = {"bob"};
    }));
    c.join_all(cores(4));
    BOOST_TEST(c.submit(job()) == "denied: partition batch is not open to alice (allow_users and allow_groups of its [[partition]])");
    BOOST_TEST(c.submit(job().groups({777})) == "job 1");
    BOOST_TEST(c.submit(job().by(otto)) == "job 2");
    BOOST_TEST(c.submit(job().by(bob).groups({777})) == "denied: partition batch is closed to bob (deny_users of its [[partition]])");
    BOOST_TEST(c.submit(job().by(root)).starts_with("denied"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(node_classes)

BOOST_AUTO_TEST_CASE(a_node_joins_by_its_certificate_the_first_class_that_takes_its_name)
{
    auto settings = some_settings(nodes(1));
    settings.node_classes = {{.name = "fat", .names = {"f1", "f2"}, .traits = {{"fat"}, false}},
                             {.name = "cloud", .accept_all = true, .traits = {{"spot"}, true}, .max_nodes = 2}};
    settings.partitions[0].node_classes = {"cloud"};
    settings.partitions.push_back(some_partition("fat", {}));
    settings.partitions[1].node_classes = {"fat"};
    Cluster c(settings);
    c.machines["c1"] = c.machines["f2"] = c.machines["c2"] = c.machines["c3"] = some_machine(cores(2));
    c.join("c1"); // no certificate
    BOOST_TEST(c.effects() == "refuse: node \"c1\" is not in the controller's configuration; add it to [[node]]");
    BOOST_TEST(c.join_certified("c1"));
    BOOST_TEST(c.events() == "joined c1 of class cloud; registered c1");
    BOOST_TEST(c.join_certified("f2"));
    BOOST_TEST(c.events() == "joined f2 of class fat; registered f2");
    BOOST_TEST(c.node("f2").features == std::vector<std::string>{"fat"}, boost::test_tools::per_element());
    BOOST_TEST(c.node("c1").vouches);
    BOOST_TEST(c.join_certified("c2"));
    BOOST_TEST(!c.join_certified("c3"));
    BOOST_TEST(c.effects() == "refuse: node \"c3\": node class cloud has its 2 nodes already (max_nodes of its [[node_class]])");
    c.submit(job().partition("fat"));
    BOOST_TEST(c.events() == "submitted 1; started 1.1 on f2 cores 0");
    c.submit(job().nodes(2).constraint("spot"));
    BOOST_TEST(c.events() == "submitted 2; started 2.1 on c1 cores 0 on c2 cores 0");
    // It keeps its number, and comes again without joining.
    c.lose("c1");
    BOOST_TEST(c.join_certified("c1"));
    BOOST_TEST(c.events() == "registered c1");
}

BOOST_AUTO_TEST_CASE(a_class_that_goes_takes_its_nodes_along)
{
    auto settings = some_settings(nodes(1));
    settings.node_classes = {{.name = "cloud", .accept_all = true}};
    settings.partitions[0].node_classes = {"cloud"};
    Cluster c(settings);
    c.machines["c1"] = some_machine(cores(2));
    c.join_certified("c1");
    c.submit(job());
    BOOST_TEST(c.running() == "1");
    auto without = settings;
    without.node_classes.clear();
    c.configure(without);
    BOOST_TEST(!c.node("c1").declared);
    c.submit(job());
    BOOST_TEST(c.running() == "1");
    c.report_end("c1", ended(ref(1)));
    c.lose("c1");
    BOOST_TEST(!c.join_certified("c1"));
    c.configure(settings);
    BOOST_TEST(c.join_certified("c1"));
    BOOST_TEST(c.running() == "2");
}

BOOST_AUTO_TEST_CASE(a_name_that_no_class_takes_is_refused)
{
    auto settings = some_settings(nodes(1));
    settings.node_classes = {{.name = "fat", .names = {"f1", "f2"}}};
    Cluster c(settings);
    c.machines["x1"] = some_machine(cores(2));
    BOOST_TEST(!c.join_certified("x1"));
    BOOST_TEST(c.effects() == "refuse: node \"x1\" is not in the controller's configuration; add it to [[node]]");
    BOOST_TEST(c.events() == "");
}

BOOST_AUTO_TEST_SUITE_END()
