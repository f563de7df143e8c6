// The owner's batches and slices, and apply's promises to those who share the state's jobs.
#include "cluster.hpp"

#include "cluster/apply.hpp"
#include "cluster/authorize.hpp"
#include "cluster/cause.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::cluster::test;
using jarvis::cluster::Batch;
using jarvis::cluster::Command;
using jarvis::cluster::Owner;

BOOST_AUTO_TEST_SUITE(owner)

BOOST_AUTO_TEST_CASE(a_batch_is_one_group_with_the_next_number)
{
    Cluster c(nodes(1), cores(4));
    Owner owner(c.state());
    const auto before = owner.state().sequence.value;
    const std::vector<Command> commands{c.command(job()), c.command(job()), c.command(job())};
    auto batch = owner.run(commands, Instant(7s));
    BOOST_TEST(batch.group.sequence.value == before + 1);
    BOOST_TEST((batch.group.at == Instant(7s)));
    BOOST_TEST(describe(owner.state(), batch.group.events) ==
               "submitted 1; submitted 2; submitted 3; started 1.1 on n1 cores 0; started 2.1 on n1 cores 1; started 3.1 on n1 cores 2");
    BOOST_TEST(describe(owner.state(), batch.effects) == "start 1.1 on n1; start 2.1 on n1; start 3.1 on n1");
    BOOST_TEST(owner.state().sequence.value == before + 1);
    BOOST_TEST((owner.state().now == Instant(7s)));
}

BOOST_AUTO_TEST_CASE(without_events_there_is_nothing_to_journal)
{
    Cluster c(nodes(1), cores(4));
    Owner owner(c.state());
    (void)owner.run({}, Instant{}); // the first pass
    const auto before = owner.state().sequence;
    const std::vector<Command> commands{cluster::CancelJobs{5, alice, {JobSelection{1, {}}}}};
    auto batch = owner.run(commands, Instant(1s));
    BOOST_TEST(batch.group.events.empty());
    BOOST_TEST(batch.group.sequence.value == 0u);
    BOOST_TEST(batch.effects.size() == 1u); // the answer
    BOOST_TEST((owner.state().sequence == before));
}

BOOST_AUTO_TEST_CASE(a_cause_names_the_command_and_who_gave_it)
{
    Cluster c(nodes(1), cores(4));
    const auto cause = [&](const Command& command) {
        const auto of = cluster::cause_of(c.state(), command);
        return fmt::format("{} by {} from {}", of.command, of.by, of.from);
    };
    auto from_head = alice;
    from_head.from = "head";
    BOOST_TEST(cause(cluster::SignalJobs{0, from_head, {JobSelection{1, {}}}, 10}) == "signal by alice from head");
    BOOST_TEST(cause(cluster::NodeReported{c.node("n1").id, {}}) == "node report by n1 from ");
    BOOST_TEST(cause(cluster::NodeDisconnected{"n1"}) == "disconnection by n1 from ");
    BOOST_TEST(cause(cluster::TimePassed{}) == "time by  from ");
}

BOOST_AUTO_TEST_CASE(the_events_are_the_operators_to_read)
{
    BOOST_TEST(cluster::may_read_events(otto).has_value());
    BOOST_TEST(cluster::may_read_events(alice).error().message ==
               "alice is no operator; reading the events takes the role operator or admin (see [security])");
    BOOST_TEST((cluster::may_read_events(alice).error().code == Errc::denied));
}

BOOST_AUTO_TEST_CASE(time_does_not_go_back)
{
    Cluster c(nodes(1), cores(4));
    Owner owner(c.state());
    const std::vector<Command> first{c.command(job())}, second{c.command(job())};
    (void)owner.run(first, Instant(10s));
    auto batch = owner.run(second, Instant(4s));
    BOOST_TEST((batch.group.at == Instant(10s)));
}

BOOST_AUTO_TEST_CASE(a_long_pass_is_cut_into_counted_slices)
{
    Cluster c(some_settings(nodes(1)));
    std::vector<Command> submits;
    for (int i = 0; i < 300; ++i)
        submits.push_back(c.command(job()));
    c.run(submits);
    auto machine = some_machine(cores(400));
    Owner owner(c.state());
    const std::vector<Command> join{cluster::RegisterNode{1, "n1", machine, {}}};
    std::vector<std::size_t> starts;
    for (auto batch = owner.run(join, Instant{});; batch = owner.run({}, Instant{})) {
        const auto& events = batch.group.events;
        starts.push_back(static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [](const auto& e) {
            return std::holds_alternative<cluster::JobStarted>(e);
        })));
        if (!owner.unfinished())
            break;
    }
    BOOST_TEST(starts == (std::vector<std::size_t>{128, 128, 44}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(other_commands_are_decided_between_slices)
{
    Cluster c(some_settings(nodes(1)));
    std::vector<Command> submits;
    for (int i = 0; i < 200; ++i)
        submits.push_back(c.command(job()));
    c.run(submits);
    Owner owner(c.state());
    const std::vector<Command> join{cluster::RegisterNode{1, "n1", some_machine(cores(400)), {}}};
    const std::vector<Command> cancel{cluster::CancelJobs{0, alice, {JobSelection{200, {}}}}};
    (void)owner.run(join, Instant{});
    BOOST_TEST(owner.unfinished());
    (void)owner.run(cancel, Instant{});
    BOOST_TEST(!owner.unfinished());
    BOOST_TEST((owner.state().find(JobId{200})->state == JobState::cancelled));
    BOOST_TEST((owner.state().find(JobId{199})->state == JobState::running));
}

BOOST_AUTO_TEST_CASE(in_the_reserve_nothing_starts_and_ends_are_recorded)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    c.submit(job());
    c.may_start = false;
    c.report_end("n1", ended(ref(1)));
    BOOST_TEST(c.events() == "ended 1.1 COMPLETED none");
    BOOST_TEST(c.owner().unfinished());
    c.may_start = true;
    c.run(cluster::TimePassed{});
    BOOST_TEST(c.events() == "started 2.1 on n1 cores 0");
}

BOOST_AUTO_TEST_CASE(a_new_owner_examines_everything)
{
    Cluster c(nodes(1), cores(1));
    c.may_start = false;
    c.submit(job());
    Owner owner(c.state()); // as after the storage failed
    auto batch = owner.run({}, Instant{});
    BOOST_TEST(describe(owner.state(), batch.group.events) == "started 1.1 on n1 cores 0");
}

BOOST_AUTO_TEST_CASE(two_owners_decide_alike)
{
    Cluster c(nodes(3), cores(4));
    std::vector<Command> commands;
    for (std::uint32_t i = 0; i < 12; ++i)
        commands.push_back(c.command(job().tasks(1 + i % 3).nice(static_cast<int>(i % 2))));
    Owner one(c.state()), other(c.state());
    auto a = one.run(commands, Instant{});
    auto b = other.run(commands, Instant{});
    BOOST_TEST((one.state() == other.state()));
    BOOST_TEST(describe(one.state(), a.group.events) == describe(other.state(), b.group.events));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(apply)

BOOST_AUTO_TEST_CASE(whoever_holds_a_job_holds_it_as_it_was)
{
    Cluster c(nodes(1), cores(1));
    c.submit(job());
    const auto held = c.state().find(JobId{1});
    const auto copy = c.state(); // the replica hands such copies to the snapshot
    c.cancel(alice, {1});
    c.report_end("n1", ended(ref(1), JobState::cancelled, EndClass::user));
    BOOST_TEST((held->state == JobState::running));
    BOOST_TEST((copy.find(JobId{1})->state == JobState::running));
    BOOST_TEST((c.at(1).state == JobState::cancelled));
    BOOST_TEST((held->request == c.at(1).request)); // what never changes is shared
}

BOOST_AUTO_TEST_CASE(states_are_compared_by_what_they_hold)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    auto other = c.state();
    BOOST_TEST((other == c.state()));
    auto changed = std::make_shared<cluster::Job>(*other.jobs.at(JobId{1}));
    other.jobs.at(JobId{1}) = changed;
    BOOST_TEST((other == c.state())); // another pointer, the same job
    changed->priority = 1;
    BOOST_TEST(!(other == c.state()));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(rights)

BOOST_AUTO_TEST_CASE(who_may_what)
{
    Cluster c(nodes(1), cores(2));
    c.submit(job());
    const auto& alices = c.at(1);
    using namespace jarvis::cluster;
    for (const auto& caller : {alice, otto, root}) {
        BOOST_TEST(may_change(caller, alices).has_value());
        BOOST_TEST(may_see_contents(caller, alices));
    }
    BOOST_TEST((may_change(bob, alices).error().code == Errc::denied));
    BOOST_TEST(!may_see_contents(bob, alices));
    BOOST_TEST(!may_change_nodes(alice).has_value());
    BOOST_TEST(may_change_nodes(otto).has_value());
    BOOST_TEST(may_change_nodes(root).has_value());
    BOOST_TEST(!may_administrate(otto).has_value());
    BOOST_TEST(may_administrate(root).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
