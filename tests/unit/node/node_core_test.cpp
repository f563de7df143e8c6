#include "node/node_core.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>

using namespace jarvis;
using namespace jarvis::node;
using namespace std::chrono_literals;

namespace {

const std::string our_cluster(16, 'c');
constexpr Epoch epoch{3};

JobKey key(std::uint64_t job, std::uint32_t incarnation = 1) { return {JobId{job}, Incarnation{incarnation}}; }

StartOrder start(JobKey key, std::optional<Duration> limit = {}, std::uint32_t uid = 1000)
{
    StartOrder order{.key = key};
    order.request.account = Account{.uid = uid, .gid = 0, .groups = {}, .user = {}, .group = {}, .home = {}, .shell = {}};
    order.request.time_limit = limit;
    return order;
}

SignalOrder user_signal(JobKey key) { return {key, SIGUSR1}; }

ExitFacts exited(int code)
{
    ExitFacts facts;
    facts.wait_status = code << 8;
    return facts;
}
ExitFacts killed_by(int signal)
{
    ExitFacts facts;
    facts.wait_status = signal;
    return facts;
}

// A node core with a clock and a controller's side of the connection.
struct Node {
    State state;
    Instant now{};
    std::uint64_t session = 1;
    std::uint64_t serial = 0;
    std::vector<Effect> effects; // of the last input

    void feed(Input input) { effects = step(state, std::move(input), now).effects; }
    void connect()
    {
        feed(Greeted{our_cluster, epoch});
        welcome(session);
    }
    void welcome(std::uint64_t number) { feed(Welcomed{our_cluster, epoch, session = number, 10s, 30s}); }
    void order(Order order) { feed(FromController{epoch, session, ++serial, std::move(order)}); }
    // To that instant, with every wake on the way; all effects of it.
    std::vector<Effect> pass_until(Instant instant)
    {
        std::vector<Effect> all;
        while (true) {
            const auto wake = next_wake(state);
            now = wake && *wake < instant ? std::max(*wake, now) : instant;
            feed(TimePassed{});
            all.insert(all.end(), effects.begin(), effects.end());
            if (now == instant)
                return effects = all;
        }
    }

    template <class E>
    std::vector<E> all() const
    {
        std::vector<E> found;
        for (const auto& effect : effects)
            if (const auto* one = std::get_if<E>(&effect))
                found.push_back(*one);
        return found;
    }
    template <class M>
    std::vector<M> sent() const
    {
        std::vector<M> found;
        for (const auto& send : all<Send>())
            if (const auto* one = std::get_if<M>(&send.message))
                found.push_back(*one);
        return found;
    }
    std::vector<int> signals() const
    {
        std::vector<int> found;
        for (const auto& signal : all<SignalJob>())
            found.push_back(signal.signal);
        return found;
    }
};

Node connected()
{
    Node node;
    node.connect();
    return node;
}

Node running(JobKey job, std::optional<Duration> limit = {})
{
    auto node = connected();
    node.order(start(job, limit));
    BOOST_REQUIRE_EQUAL(node.all<Launch>().size(), 1u);
    return node;
}

} // namespace

BOOST_AUTO_TEST_SUITE(connection)

BOOST_AUTO_TEST_CASE(registers_when_greeted_and_reports_when_welcomed)
{
    Node node;
    node.feed(Greeted{our_cluster, epoch});
    BOOST_TEST(node.sent<Register>().size() == 1u);
    BOOST_TEST(node.all<Send>().front().session == 0u);
    node.welcome(7);
    BOOST_TEST(node.sent<Report>().size() == 1u);
    BOOST_TEST(node.all<Send>().front().session == 7u);
}

BOOST_AUTO_TEST_CASE(registers_again_until_it_is_welcomed)
{
    Node node;
    node.feed(Greeted{our_cluster, epoch});
    node.pass_until(Instant(35s));
    BOOST_TEST(node.sent<Register>().size() == 3u);
    BOOST_TEST(node.sent<Report>().empty());
}

BOOST_AUTO_TEST_CASE(reports_at_every_heartbeat_with_growing_serials)
{
    auto node = connected();
    node.pass_until(Instant(31s));
    BOOST_TEST(node.sent<Report>().size() == 3u);
    std::uint64_t last = 0;
    for (const auto& send : node.all<Send>()) {
        BOOST_TEST(send.serial > last);
        last = send.serial;
    }
}

BOOST_AUTO_TEST_CASE(an_older_session_is_not_taken_back)
{
    auto node = connected();
    node.welcome(5);
    node.feed(Welcomed{our_cluster, epoch, 4, 10s, 30s});
    BOOST_TEST(node.effects.empty());
    BOOST_TEST(node.state.session == 5u);
}

BOOST_AUTO_TEST_CASE(sessions_begin_anew_in_a_new_epoch)
{
    auto node = connected();
    node.welcome(50);
    node.feed(Disconnected{});
    node.feed(Greeted{our_cluster, Epoch{4}});
    node.feed(Welcomed{our_cluster, Epoch{4}, 1, 10s, 30s});
    BOOST_TEST((node.state.link == Link::welcomed));
    BOOST_TEST(node.state.session == 1u);
}

BOOST_AUTO_TEST_CASE(a_controller_of_an_earlier_epoch_is_refused)
{
    auto node = connected();
    node.feed(Disconnected{});
    node.feed(Greeted{our_cluster, Epoch{2}});
    BOOST_TEST(node.all<CloseConnection>().size() == 1u);
    BOOST_TEST(node.sent<Register>().empty());
    BOOST_TEST((node.state.link == Link::down));
}

BOOST_AUTO_TEST_CASE(another_cluster_is_refused_while_jobs_are_here)
{
    auto node = running(key(1));
    node.feed(Disconnected{});
    node.feed(Greeted{std::string(16, 'd'), epoch});
    BOOST_TEST(node.all<CloseConnection>().size() == 1u);
}

BOOST_AUTO_TEST_CASE(another_cluster_is_followed_when_no_job_is_here)
{
    auto node = connected();
    node.feed(Disconnected{});
    node.feed(Greeted{std::string(16, 'd'), Epoch{1}});
    BOOST_TEST(node.sent<Register>().size() == 1u);
    BOOST_TEST(node.state.epoch.value == 1u);
}

BOOST_AUTO_TEST_CASE(nothing_is_sent_while_disconnected)
{
    auto node = running(key(1));
    node.feed(Disconnected{});
    node.feed(JobEnded{key(1), exited(0)});
    BOOST_TEST(node.all<Send>().empty());
    node.pass_until(Instant(1h));
    BOOST_TEST(node.all<Send>().empty());
    node.feed(Greeted{our_cluster, epoch});
    BOOST_REQUIRE_EQUAL(node.sent<Register>().size(), 1u);
    BOOST_TEST(node.sent<Register>().front().report.ended.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(orders)

BOOST_AUTO_TEST_CASE(news_of_jobs_that_are_not_here_is_dropped)
{
    auto node = running(key(1));
    node.feed(JobEnded{key(1), exited(0)});
    const Input late[] = {JobEnded{key(1), exited(1)},  ShepherdDied{key(1)},  MemberPrepared{key(1)}, // is over
                          JobEnded{key(7), exited(1)},  ShepherdDied{key(7)},  MemberPrepared{key(7)}, // never was here
                          JobEnded{key(1, 2), exited(1)}};
    for (const auto& input : late) {
        node.feed(input);
        BOOST_TEST(node.effects.empty());
    }
    for (const Order& order : {Order{user_signal(key(7))}, Order{user_signal(key(1))}, Order{AckEnded{key(7)}}}) {
        node.order(order);
        BOOST_TEST(node.effects.empty());
    }
    BOOST_TEST((node.state.jobs.at(key(1)).end.state == JobState::completed));
    BOOST_TEST(node.state.jobs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_end_is_acknowledged_once_it_is_there)
{
    auto node = running(key(1));
    node.order(AckEnded{key(1)});
    BOOST_TEST(node.effects.empty());
    node.feed(MemberPrepared{key(1)}); // a script is no member
    BOOST_TEST(node.effects.empty());
}

BOOST_AUTO_TEST_CASE(a_start_that_waits_hears_nothing_of_its_own_end)
{
    auto node = running(key(1));
    node.order(start(key(1, 2)));
    BOOST_TEST(node.all<Launch>().empty()); // the older one is being killed
    for (const Input& input : {Input{JobEnded{key(1, 2), exited(0)}}, Input{ShepherdDied{key(1, 2)}}}) {
        node.feed(input);
        BOOST_TEST(node.effects.empty());
    }
    node.order(user_signal(key(1, 2)));
    BOOST_TEST(node.effects.empty());
    node.feed(ShepherdDied{key(1)});
    BOOST_TEST(node.all<Launch>().size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_the_controller_says_before_it_welcomes_is_dropped)
{
    Node node;
    node.feed(Greeted{our_cluster, epoch});
    node.order(start(key(1)));
    BOOST_TEST(node.effects.empty());
    node.feed(Disconnected{});
    node.feed(Welcomed{our_cluster, epoch, 1, 10s, 30s});
    BOOST_TEST(node.effects.empty());
    BOOST_TEST((node.state.link == Link::down));
}

BOOST_AUTO_TEST_CASE(a_controller_that_names_no_heartbeat_leaves_it_as_it_was)
{
    auto node = connected();
    const auto before = node.state.heartbeat;
    node.feed(Welcomed{our_cluster, epoch, node.session = 2, Duration{}, -1s});
    BOOST_TEST((node.state.heartbeat == before));
    BOOST_TEST((node.state.kill_grace == Duration{}));
}

BOOST_AUTO_TEST_CASE(a_doubled_message_does_nothing)
{
    auto node = connected();
    const FromController message{epoch, node.session, 1, start(key(1))};
    node.feed(message);
    BOOST_TEST(node.all<Launch>().size() == 1u);
    node.feed(message);
    BOOST_TEST(node.effects.empty());
}

BOOST_AUTO_TEST_CASE(a_delayed_message_of_an_old_session_does_nothing)
{
    auto node = connected();
    node.welcome(2);
    node.feed(FromController{epoch, 1, 99, start(key(1))});
    BOOST_TEST(node.effects.empty());
    BOOST_TEST(node.state.jobs.empty());
}

BOOST_AUTO_TEST_CASE(a_message_of_another_epoch_does_nothing)
{
    auto node = connected();
    node.feed(FromController{Epoch{2}, node.session, 99, start(key(1))});
    node.feed(FromController{Epoch{4}, node.session, 100, start(key(1))});
    BOOST_TEST(node.state.jobs.empty());
}

BOOST_AUTO_TEST_CASE(an_overtaken_message_is_dropped)
{
    auto node = connected();
    node.feed(FromController{epoch, node.session, 5, StopOrder{key(1), StopWhy::cancelled, "cancelled by alice"}});
    node.feed(FromController{epoch, node.session, 4, start(key(1))});
    BOOST_TEST(node.all<Launch>().empty());
}

BOOST_AUTO_TEST_CASE(a_start_is_launched_with_its_instant_and_origin)
{
    auto node = connected();
    node.now = Instant(17s);
    node.order(start(key(1)));
    const auto launches = node.all<Launch>();
    BOOST_REQUIRE_EQUAL(launches.size(), 1u);
    BOOST_TEST((launches.front().order.key == key(1)));
    BOOST_TEST((launches.front().started == Instant(17s)));
    BOOST_TEST(launches.front().cluster == our_cluster);
    BOOST_TEST((launches.front().epoch == epoch));
}

BOOST_AUTO_TEST_CASE(a_second_start_of_a_running_incarnation_is_ignored)
{
    auto node = running(key(1));
    node.order(start(key(1)));
    BOOST_TEST(node.effects.empty());
}

BOOST_AUTO_TEST_CASE(a_second_start_of_an_ended_incarnation_sends_its_end_again)
{
    auto node = running(key(1));
    node.feed(JobEnded{key(1), exited(3)});
    BOOST_TEST(node.sent<ReportEnded>().size() == 1u);
    node.order(start(key(1)));
    BOOST_TEST(node.all<Launch>().empty());
    BOOST_TEST(node.sent<ReportEnded>().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_lower_incarnation_is_refused)
{
    auto node = running(key(1, 2));
    node.order(start(key(1, 1)));
    BOOST_TEST(node.effects.empty());
    BOOST_TEST(node.state.jobs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_higher_incarnation_waits_until_the_older_one_is_killed)
{
    auto node = running(key(1, 1));
    node.order(start(key(1, 2)));
    BOOST_TEST(node.all<Launch>().empty());
    BOOST_TEST(node.signals() == std::vector{SIGKILL}, boost::test_tools::per_element());
    node.feed(JobEnded{key(1, 1), killed_by(SIGKILL)});
    BOOST_TEST(node.sent<ReportEnded>().empty());
    BOOST_TEST(node.all<RemoveRecord>().size() == 1u);
    BOOST_REQUIRE_EQUAL(node.all<Launch>().size(), 1u);
    BOOST_TEST((node.all<Launch>().front().order.key == key(1, 2)));
}

BOOST_AUTO_TEST_CASE(a_waiting_start_is_reported_as_running)
{
    auto node = running(key(1, 1));
    node.order(start(key(1, 2)));
    node.welcome(2);
    BOOST_REQUIRE_EQUAL(node.sent<Report>().size(), 1u);
    BOOST_TEST(node.sent<Report>().front().running.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_waiting_start_gives_way_to_a_still_higher_one)
{
    auto node = running(key(1, 1));
    node.order(start(key(1, 2)));
    node.order(start(key(1, 3)));
    node.feed(JobEnded{key(1, 1), killed_by(SIGKILL)});
    BOOST_REQUIRE_EQUAL(node.all<Launch>().size(), 1u);
    BOOST_TEST((node.all<Launch>().front().order.key == key(1, 3)));
    BOOST_TEST(node.state.jobs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_higher_incarnation_replaces_an_unacknowledged_end)
{
    auto node = running(key(1, 1));
    node.feed(JobEnded{key(1, 1), exited(0)});
    node.order(start(key(1, 2)));
    BOOST_TEST(node.all<RemoveRecord>().size() == 1u);
    BOOST_TEST(node.all<Launch>().size() == 1u);
}

BOOST_AUTO_TEST_CASE(jobs_of_root_are_refused_unless_allowed)
{
    auto node = connected();
    node.order(start(key(1), {}, 0));
    BOOST_REQUIRE_EQUAL(node.sent<ReportEnded>().size(), 1u);
    BOOST_TEST((node.sent<ReportEnded>().front().end.end_class == EndClass::system));
    BOOST_TEST(node.all<Launch>().empty());
    node.state.rules.allow_root_jobs = true;
    node.order(start(key(2), {}, 0));
    BOOST_TEST(node.all<Launch>().size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_order_that_makes_no_sense_ends_the_job_with_the_reason)
{
    auto node = connected();
    auto order = start(key(1));
    order.defect = "request.umask: 5000 is above 511";
    node.order(order);
    BOOST_TEST(node.all<Launch>().empty());
    BOOST_REQUIRE_EQUAL(node.sent<ReportEnded>().size(), 1u);
    BOOST_TEST(node.sent<ReportEnded>().front().end.cause == order.defect);
    BOOST_TEST((node.sent<ReportEnded>().front().end.end_class == EndClass::system));
}

BOOST_AUTO_TEST_CASE(a_personal_node_takes_its_owners_jobs_only)
{
    auto node = connected();
    node.state.rules.only_uid = 1000;
    node.order(start(key(1), {}, 1001));
    BOOST_REQUIRE_EQUAL(node.sent<ReportEnded>().size(), 1u);
    BOOST_TEST((node.sent<ReportEnded>().front().end.state == JobState::failed));
    node.order(start(key(2), {}, 1000));
    BOOST_TEST(node.all<Launch>().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_signal_goes_to_the_script_or_to_everything)
{
    auto node = running(key(1));
    node.order(SignalOrder{key(1), SIGUSR1, true});
    BOOST_REQUIRE_EQUAL(node.all<SignalJob>().size(), 1u);
    BOOST_TEST((node.all<SignalJob>().front().target == SignalTarget::batch));
    node.order(SignalOrder{key(1), SIGUSR1, false});
    BOOST_TEST((node.all<SignalJob>().front().target == SignalTarget::everything));
    node.order(SignalOrder{key(2), SIGUSR1, false});
    BOOST_TEST(node.effects.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(suspensions)

BOOST_AUTO_TEST_CASE(a_job_stands_still_and_goes_on)
{
    auto node = running(key(1));
    node.now = Instant(10s);
    node.order(SuspendOrder{key(1), true});
    BOOST_REQUIRE_EQUAL(node.all<RecordSuspensions>().size(), 1u);
    BOOST_TEST((node.all<RecordSuspensions>().front().suspensions == Suspensions{Instant(10s), {}}));
    BOOST_TEST(node.all<Freeze>().front().frozen);
    node.pass_until(Instant(25s));
    BOOST_REQUIRE(!node.sent<Report>().empty());
    BOOST_TEST(node.sent<Report>().back().running.front().suspended);
    node.order(SuspendOrder{key(1), false});
    BOOST_TEST((node.all<RecordSuspensions>().front().suspensions == Suspensions{{}, 15s}));
    BOOST_TEST(!node.all<Freeze>().front().frozen);
}

BOOST_AUTO_TEST_CASE(an_order_that_comes_twice_records_nothing_new)
{
    auto node = running(key(1));
    node.order(SuspendOrder{key(1), true});
    node.now += 5s;
    node.order(SuspendOrder{key(1), true});
    BOOST_TEST(node.all<RecordSuspensions>().empty());
    BOOST_TEST(node.all<Freeze>().size() == 1u);
    node.order(SuspendOrder{key(2), true}); // not here
    BOOST_TEST(node.all<Freeze>().empty());
}

BOOST_AUTO_TEST_CASE(the_time_limit_does_not_come_nearer)
{
    auto node = running(key(1), 60s);
    node.pass_until(Instant(50s));
    node.order(SuspendOrder{key(1), true});
    node.pass_until(Instant(1000s));
    BOOST_TEST(node.all<RecordStop>().empty());
    node.order(SuspendOrder{key(1), false});
    node.pass_until(Instant(1009s));
    BOOST_TEST(node.all<RecordStop>().empty());
    node.pass_until(Instant(1010s));
    BOOST_TEST(node.all<RecordStop>().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_stop_lets_it_go_on_before_its_sigterm)
{
    auto node = running(key(1));
    node.order(SuspendOrder{key(1), true});
    node.order(StopOrder{key(1), StopWhy::cancelled, "cancelled by alice"});
    std::vector<std::string> order;
    for (const auto& effect : node.effects)
        if (std::holds_alternative<RecordStop>(effect))
            order.emplace_back("stop");
        else if (const auto* freeze = std::get_if<Freeze>(&effect))
            order.emplace_back(freeze->frozen ? "freeze" : "thaw");
        else if (const auto* signal = std::get_if<SignalJob>(&effect); signal && signal->signal == SIGTERM)
            order.emplace_back("term");
    BOOST_TEST(order == (std::vector<std::string>{"stop", "thaw", "term"}), boost::test_tools::per_element());
    node.order(SuspendOrder{key(1), true}); // an older order, late
    BOOST_TEST(node.all<Freeze>().empty());
}

BOOST_AUTO_TEST_CASE(a_restart_knows_how_long_it_stood_still)
{
    Node node;
    node.now = Instant(100s);
    RecoveredJob job{.key = key(1), .started = Instant(0s)};
    job.time_limit = 60s;
    job.suspensions = {.since = Instant(20s), .before = 5s};
    node.feed(Recovered{our_cluster, epoch, {job}});
    BOOST_REQUIRE_EQUAL(node.all<Freeze>().size(), 1u);
    BOOST_TEST(node.all<Freeze>().front().frozen);
    node.connect();
    node.order(SuspendOrder{key(1), false}); // after 85 s in all
    node.pass_until(Instant(144s));
    BOOST_TEST(node.all<RecordStop>().empty());
    node.pass_until(Instant(145s));
    BOOST_TEST(node.all<RecordStop>().size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_was_told_to_end_before_the_restart_is_let_go)
{
    Node node;
    node.now = Instant(100s);
    RecoveredJob job{.key = key(1), .started = Instant(0s)};
    job.stop = Stop{JobState::cancelled, "cancelled by alice", Instant(120s)};
    job.suspensions = {.since = Instant(20s), .before = {}};
    node.feed(Recovered{our_cluster, epoch, {job}});
    BOOST_REQUIRE_EQUAL(node.all<Freeze>().size(), 1u);
    BOOST_TEST(!node.all<Freeze>().front().frozen);
    BOOST_TEST(node.signals().front() == SIGTERM);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(ends)

BOOST_AUTO_TEST_CASE(an_end_is_repeated_until_it_is_acknowledged)
{
    auto node = running(key(1));
    node.feed(JobEnded{key(1), exited(0)});
    BOOST_TEST(node.sent<ReportEnded>().size() == 1u);
    node.pass_until(Instant(10s));
    BOOST_REQUIRE_EQUAL(node.sent<Report>().size(), 1u);
    BOOST_TEST(node.sent<Report>().front().ended.size() == 1u);
    node.order(AckEnded{key(1)});
    BOOST_TEST(node.all<RemoveRecord>().size() == 1u);
    BOOST_TEST(node.state.jobs.empty());
    node.order(AckEnded{key(1)});
    BOOST_TEST(node.effects.empty());
}

BOOST_AUTO_TEST_CASE(a_running_job_cannot_be_acknowledged)
{
    auto node = running(key(1));
    node.order(AckEnded{key(1)});
    BOOST_TEST(node.effects.empty());
    BOOST_TEST(node.state.jobs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_first_end_counts)
{
    auto node = running(key(1));
    node.feed(JobEnded{key(1), exited(0)});
    node.feed(ShepherdDied{key(1)});
    BOOST_TEST(node.effects.empty());
    BOOST_TEST((node.state.jobs.at(key(1)).end.state == JobState::completed));
}

BOOST_AUTO_TEST_CASE(a_lost_shepherd_fails_the_job_and_kills_what_is_left)
{
    auto node = running(key(1));
    node.feed(ShepherdDied{key(1)});
    BOOST_TEST(node.signals() == std::vector{SIGKILL}, boost::test_tools::per_element());
    const auto& end = node.state.jobs.at(key(1)).end;
    BOOST_TEST((end.state == JobState::failed));
    BOOST_TEST((end.end_class == EndClass::system));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(stops)

BOOST_AUTO_TEST_CASE(a_stop_is_recorded_then_terminates_and_kills_after_the_grace)
{
    auto node = running(key(1));
    node.order(StopOrder{key(1), StopWhy::cancelled, "cancelled by alice"});
    BOOST_REQUIRE(!node.effects.empty());
    BOOST_TEST(std::holds_alternative<RecordStop>(node.effects.front()));
    BOOST_TEST(node.signals() == (std::vector{SIGTERM, SIGCONT}), boost::test_tools::per_element());
    node.pass_until(Instant(30s) - 1us);
    BOOST_TEST(node.signals().empty());
    node.pass_until(Instant(30s));
    BOOST_TEST(node.signals() == std::vector{SIGKILL}, boost::test_tools::per_element());
    node.pass_until(Instant(34s));
    BOOST_TEST(node.signals() == (std::vector{SIGKILL, SIGKILL}), boost::test_tools::per_element());
    node.feed(JobEnded{key(1), killed_by(SIGKILL)});
    BOOST_REQUIRE_EQUAL(node.sent<ReportEnded>().size(), 1u);
    const auto end = node.sent<ReportEnded>().front().end;
    BOOST_TEST((end.state == JobState::cancelled));
    BOOST_TEST((end.end_class == EndClass::user));
    BOOST_TEST(end.signal == SIGKILL);
    BOOST_TEST(end.cause == "cancelled by alice");
}

BOOST_AUTO_TEST_CASE(a_second_stop_changes_neither_grace_nor_cause)
{
    auto node = running(key(1));
    node.order(StopOrder{key(1), StopWhy::cancelled, "cancelled by alice"});
    node.now = Instant(20s);
    node.order(StopOrder{key(1), StopWhy::cancelled, "cancelled by bob"});
    BOOST_TEST(node.signals().empty());
    node.pass_until(Instant(30s));
    BOOST_TEST(node.signals() == std::vector{SIGKILL}, boost::test_tools::per_element());
    BOOST_TEST(node.state.jobs.at(key(1)).stop->cause == "cancelled by alice");
}

BOOST_AUTO_TEST_CASE(a_script_that_ended_by_itself_before_the_signal_is_judged_by_its_exit)
{
    auto node = running(key(1));
    node.order(StopOrder{key(1), StopWhy::cancelled, "cancelled by alice"});
    auto facts = exited(0);
    facts.stop_reached = false;
    node.feed(JobEnded{key(1), facts});
    BOOST_TEST((node.state.jobs.at(key(1)).end.state == JobState::completed));
}

BOOST_AUTO_TEST_CASE(a_stop_of_an_unknown_job_ends_it_at_once)
{
    auto node = connected();
    node.order(StopOrder{key(9), StopWhy::cancelled, "cancelled by alice"});
    BOOST_REQUIRE_EQUAL(node.sent<ReportEnded>().size(), 1u);
    BOOST_TEST((node.sent<ReportEnded>().front().end.state == JobState::cancelled));
    node.order(start(key(9)));
    BOOST_TEST(node.all<Launch>().empty());
    node.order(AckEnded{key(9)});
    BOOST_TEST(node.state.jobs.empty());
}

BOOST_AUTO_TEST_CASE(a_stop_of_a_waiting_start_ends_it_unlaunched)
{
    auto node = running(key(1, 1));
    node.order(start(key(1, 2)));
    node.order(StopOrder{key(1, 2), StopWhy::cancelled, "cancelled by alice"});
    BOOST_TEST(node.sent<ReportEnded>().size() == 1u);
    node.feed(JobEnded{key(1, 1), killed_by(SIGKILL)});
    BOOST_TEST(node.all<Launch>().empty());
}

BOOST_AUTO_TEST_CASE(a_job_that_the_controller_does_not_know_is_killed_and_forgotten)
{
    auto node = running(key(1));
    node.order(StopOrder{key(1), StopWhy::unknown, ""});
    BOOST_TEST(node.signals() == std::vector{SIGKILL}, boost::test_tools::per_element());
    node.feed(JobEnded{key(1), killed_by(SIGKILL)});
    BOOST_TEST(node.sent<ReportEnded>().empty());
    BOOST_TEST(node.all<RemoveRecord>().size() == 1u);
    BOOST_TEST(node.state.jobs.empty());
}

BOOST_AUTO_TEST_CASE(a_job_in_its_grace_that_the_controller_gives_up_is_killed_at_once)
{
    auto node = running(key(1));
    node.order(StopOrder{key(1), StopWhy::cancelled, "cancelled by alice"});
    BOOST_TEST(node.signals() == (std::vector{SIGTERM, SIGCONT}), boost::test_tools::per_element());
    node.order(StopOrder{key(1), StopWhy::unknown, ""});
    BOOST_TEST(node.signals() == std::vector{SIGKILL}, boost::test_tools::per_element());
    node.feed(JobEnded{key(1), killed_by(SIGKILL)});
    BOOST_TEST(node.sent<ReportEnded>().empty());
}

BOOST_AUTO_TEST_CASE(an_end_that_nobody_waits_for_is_dropped)
{
    auto node = running(key(1));
    node.feed(JobEnded{key(1), exited(0)});
    node.order(StopOrder{key(1), StopWhy::unknown, ""});
    BOOST_TEST(node.all<RemoveRecord>().size() == 1u);
    BOOST_TEST(node.state.jobs.empty());
    node.order(StopOrder{key(1), StopWhy::unknown, ""});
    BOOST_TEST(node.effects.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(time_limits)

BOOST_AUTO_TEST_CASE(the_limit_stops_the_job_also_while_disconnected)
{
    auto node = running(key(1), 1h);
    node.feed(Disconnected{});
    node.pass_until(Instant(1h));
    BOOST_TEST(node.signals() == (std::vector{SIGTERM, SIGCONT}), boost::test_tools::per_element());
    node.feed(JobEnded{key(1), killed_by(SIGTERM)});
    const auto& end = node.state.jobs.at(key(1)).end;
    BOOST_TEST((end.state == JobState::timeout));
    BOOST_TEST((end.end_class == EndClass::resources));
    BOOST_TEST(end.cause == "time limit of 1h reached");
}

BOOST_AUTO_TEST_CASE(the_warning_comes_once_before_the_limit)
{
    auto node = connected();
    auto order = start(key(1), 10min);
    order.request.warning = WarningSignal{SIGUSR1, 60s, true};
    node.order(order);
    node.pass_until(Instant(9min));
    BOOST_TEST(node.signals() == std::vector{SIGUSR1}, boost::test_tools::per_element());
    BOOST_TEST((node.all<SignalJob>().front().target == SignalTarget::batch));
    node.pass_until(Instant(10min));
    BOOST_TEST(node.signals() == (std::vector{SIGTERM, SIGCONT}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_warning_longer_than_the_limit_comes_at_once)
{
    auto node = connected();
    auto order = start(key(1), 30s);
    order.request.warning = WarningSignal{SIGUSR1, 60s, false};
    node.order(order);
    BOOST_TEST(node.signals() == std::vector{SIGUSR1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_cancelled_job_stays_cancelled_past_its_limit)
{
    auto node = running(key(1), 10s);
    node.now = Instant(9s);
    node.order(StopOrder{key(1), StopWhy::cancelled, "cancelled by alice"});
    node.pass_until(Instant(12s));
    node.feed(JobEnded{key(1), killed_by(SIGTERM)});
    BOOST_TEST((node.state.jobs.at(key(1)).end.state == JobState::cancelled));
}

BOOST_AUTO_TEST_CASE(a_job_without_limit_wakes_nobody)
{
    auto node = running(key(1));
    node.feed(Disconnected{});
    BOOST_TEST(!next_wake(node.state).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(recovery)

BOOST_AUTO_TEST_CASE(running_jobs_are_adopted_with_their_clock)
{
    Node node;
    node.now = Instant(50min);
    node.feed(Recovered{our_cluster, epoch, {{.key = key(1), .started = Instant(1s), .time_limit = 1h}}});
    BOOST_TEST(node.effects.empty());
    BOOST_TEST((next_wake(node.state) == Instant(1h + 1s)));
    node.connect();
    node.order(start(key(1)));
    BOOST_TEST(node.effects.empty());
}

BOOST_AUTO_TEST_CASE(a_limit_that_passed_meanwhile_is_enforced_at_once)
{
    Node node;
    node.now = Instant(2h);
    node.feed(Recovered{our_cluster, epoch, {{.key = key(1), .started = Instant(1s), .time_limit = 1h}}});
    BOOST_TEST(node.signals() == (std::vector{SIGTERM, SIGCONT}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_stop_goes_on_with_its_grace_and_cause)
{
    Node node;
    node.now = Instant(20s);
    node.feed(Recovered{
        our_cluster, epoch, {{.key = key(1), .stop = Stop{JobState::cancelled, "cancelled by alice", Instant(30s)}}}});
    BOOST_TEST(node.signals() == (std::vector{SIGTERM, SIGCONT}), boost::test_tools::per_element());
    node.pass_until(Instant(30s));
    BOOST_TEST(node.signals() == std::vector{SIGKILL}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(ends_are_reported_at_registration)
{
    using As = RecoveredJob::As;
    Node node;
    const Stop stop{JobState::cancelled, "cancelled by alice", Instant(30s)};
    node.feed(Recovered{our_cluster,
                        epoch,
                        {{.key = key(1), .as = As::ended, .facts = exited(3)},
                         {.key = key(2), .as = As::ended, .stop = stop, .facts = killed_by(SIGTERM)},
                         {.key = key(3), .as = As::shepherd_died},
                         {.key = key(4), .as = As::rebooted},
                         {.key = key(5)}}});
    node.feed(Greeted{our_cluster, epoch});
    BOOST_REQUIRE_EQUAL(node.sent<Register>().size(), 1u);
    const auto report = node.sent<Register>().front().report;
    BOOST_REQUIRE_EQUAL(report.ended.size(), 4u);
    BOOST_TEST((report.ended[0].end.state == JobState::failed));
    BOOST_TEST((report.ended[1].end.state == JobState::cancelled));
    BOOST_TEST((report.ended[2].end.end_class == EndClass::system));
    BOOST_TEST((report.ended[3].end.state == JobState::node_fail));
    BOOST_TEST(report.running.size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_older_epoch_stays_refused_after_a_restart)
{
    Node node;
    node.feed(Recovered{our_cluster, Epoch{9}, {{.key = key(1)}}});
    node.feed(Greeted{our_cluster, Epoch{8}});
    BOOST_TEST(node.all<CloseConnection>().size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(members)

namespace {

StartOrder member(JobKey key)
{
    auto order = start(key, 1h);
    order.role = Role::member;
    order.request.warning = WarningSignal{};
    return order;
}

Node prepared(JobKey job)
{
    auto node = connected();
    node.order(member(job));
    BOOST_REQUIRE_EQUAL(node.all<Launch>().size(), 1u);
    node.feed(MemberPrepared{job});
    return node;
}

const ExitFacts no_script{};

} // namespace

BOOST_AUTO_TEST_CASE(says_once_that_it_is_prepared)
{
    auto node = connected();
    node.order(member(key(1)));
    BOOST_TEST((node.all<Launch>().front().order.role == Role::member));
    BOOST_TEST(node.sent<ReportPrepared>().empty());
    node.feed(MemberPrepared{key(1)});
    BOOST_REQUIRE_EQUAL(node.sent<ReportPrepared>().size(), 1u);
    BOOST_TEST((node.sent<ReportPrepared>().front().key == key(1)));
    node.feed(MemberPrepared{key(1)});
    BOOST_TEST(node.sent<ReportPrepared>().empty());
}

BOOST_AUTO_TEST_CASE(says_it_again_to_a_start_that_is_sent_again_and_in_each_report)
{
    auto node = prepared(key(1));
    node.order(member(key(1)));
    BOOST_TEST(node.all<Launch>().empty());
    BOOST_TEST(node.sent<ReportPrepared>().size() == 1u);
    node.pass_until(Instant(11s));
    BOOST_REQUIRE_EQUAL(node.sent<Report>().size(), 1u);
    BOOST_TEST(node.sent<Report>().front().running.at(0).prepared);
    node.feed(Disconnected{});
    node.feed(Greeted{our_cluster, epoch});
    BOOST_TEST(node.sent<Register>().front().report.running.at(0).prepared);
}

BOOST_AUTO_TEST_CASE(what_is_prepared_while_nobody_listens_is_in_the_next_report)
{
    auto node = connected();
    node.order(member(key(1)));
    node.feed(Disconnected{});
    node.feed(MemberPrepared{key(1)});
    BOOST_TEST(node.effects.empty());
    node.session = 2;
    node.connect();
    BOOST_REQUIRE(!node.sent<Report>().empty());
    BOOST_TEST(node.sent<Report>().front().running.at(0).prepared);
}

BOOST_AUTO_TEST_CASE(has_no_time_limit_and_no_warning_of_its_own)
{
    auto node = prepared(key(1));
    node.pass_until(Instant(3h));
    BOOST_TEST(node.all<jarvis::node::SignalJob>().empty());
    BOOST_TEST((node.state.jobs.at(key(1)).phase == Phase::running));
}

BOOST_AUTO_TEST_CASE(is_killed_and_cleaned_when_the_script_has_ended)
{
    auto node = prepared(key(1));
    node.order(StopOrder{key(1), StopWhy::finished, ""});
    BOOST_TEST(node.signals() == std::vector<int>{SIGKILL});
    BOOST_TEST(node.all<RecordStop>().size() == 1u);
    BOOST_TEST(node.all<FinishMember>().size() == 1u);
    node.pass_until(Instant(3s)); // not heard: said again
    BOOST_TEST(node.all<FinishMember>().size() >= 1u);
    auto facts = no_script;
    facts.usage.memory_peak = MemorySize{77};
    node.feed(JobEnded{key(1), facts});
    BOOST_REQUIRE_EQUAL(node.sent<ReportEnded>().size(), 1u);
    const auto ended = node.sent<ReportEnded>().front();
    BOOST_TEST((ended.end == JobEnd{.state = JobState::completed, .end_class = EndClass::none}));
    BOOST_TEST((ended.usage.memory_peak == MemorySize{77}));
    node.order(StopOrder{key(1), StopWhy::finished, ""});
    BOOST_TEST(node.sent<ReportEnded>().size() == 1u);
    node.order(AckEnded{key(1)});
    BOOST_TEST(node.all<RemoveRecord>().size() == 1u);
    BOOST_TEST(node.state.jobs.empty());
}

BOOST_AUTO_TEST_CASE(a_cancelled_one_gets_no_grace)
{
    auto node = prepared(key(1));
    node.order(StopOrder{key(1), StopWhy::cancelled, "cancelled by alice"});
    BOOST_TEST(node.signals() == std::vector<int>{SIGKILL});
    node.feed(JobEnded{key(1), no_script});
    BOOST_TEST((node.sent<ReportEnded>().at(0).end ==
                JobEnd{.state = JobState::cancelled, .end_class = EndClass::user, .cause = "cancelled by alice"}));
}

BOOST_AUTO_TEST_CASE(one_that_is_not_here_has_finished)
{
    auto node = connected();
    node.order(StopOrder{key(1), StopWhy::finished, ""});
    BOOST_REQUIRE_EQUAL(node.sent<ReportEnded>().size(), 1u);
    BOOST_TEST((node.sent<ReportEnded>().front().end.state == JobState::completed));
    node.order(member(key(1))); // late
    BOOST_TEST(node.all<Launch>().empty());
}

BOOST_AUTO_TEST_CASE(a_script_is_not_finished_by_order)
{
    auto node = running(key(1));
    node.order(StopOrder{key(1), StopWhy::finished, ""});
    BOOST_TEST(node.effects.empty());
    BOOST_TEST((node.state.jobs.at(key(1)).phase == Phase::running));
}

BOOST_AUTO_TEST_CASE(one_that_cannot_be_prepared_has_failed)
{
    auto node = connected();
    node.order(member(key(1)));
    auto facts = no_script;
    facts.launch_error = "no space left on device";
    facts.launch_fault = LaunchFault::system;
    node.feed(JobEnded{key(1), facts});
    const auto end = node.sent<ReportEnded>().at(0).end;
    BOOST_TEST((end.state == JobState::failed));
    BOOST_TEST((end.end_class == EndClass::system));
    BOOST_TEST(end.cause == "no space left on device");
}

BOOST_AUTO_TEST_CASE(a_promise_that_was_broken_while_it_ran_is_told_with_its_end)
{
    auto node = running(key(1));
    auto facts = exited(0);
    facts.unfit = "device program 17 is gone";
    node.feed(JobEnded{key(1), facts});
    const auto report = node.sent<ReportEnded>().at(0);
    BOOST_TEST((report.end.state == JobState::completed));
    BOOST_TEST(report.unfit == "device program 17 is gone");
}

BOOST_AUTO_TEST_CASE(is_taken_up_after_a_restart)
{
    for (const bool was_prepared : {false, true}) {
        Node node;
        node.feed(Recovered{our_cluster, epoch, {{.key = key(1), .role = Role::member, .prepared = was_prepared}}});
        BOOST_TEST(node.effects.empty());
        node.connect();
        BOOST_TEST(node.sent<Report>().front().running.at(0).prepared == was_prepared);
        node.feed(MemberPrepared{key(1)});
        BOOST_TEST(node.sent<ReportPrepared>().size() == (was_prepared ? 0u : 1u));
    }
}

BOOST_AUTO_TEST_CASE(one_that_was_being_finished_is_finished_after_a_restart)
{
    Node node;
    node.feed(Recovered{our_cluster, epoch,
                        {{.key = key(1), .role = Role::member, .prepared = true, .stop = Stop{JobState::completed, "", Instant{}}}}});
    BOOST_TEST(node.all<FinishMember>().size() >= 1u);
    node.feed(JobEnded{key(1), no_script});
    BOOST_TEST((node.state.jobs.at(key(1)).end.state == JobState::completed));
}

BOOST_AUTO_TEST_CASE(a_higher_incarnation_takes_its_place)
{
    auto node = prepared(key(1));
    node.order(member(key(1, 2)));
    BOOST_TEST(node.all<Launch>().empty());
    BOOST_TEST(node.all<FinishMember>().size() == 1u);
    node.feed(JobEnded{key(1), no_script});
    BOOST_TEST(node.sent<ReportEnded>().empty());
    BOOST_TEST(node.all<Launch>().size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
