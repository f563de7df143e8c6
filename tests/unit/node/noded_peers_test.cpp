// Who may ask a node for its part of a job's steps, and what it answers; over real sockets.
#include "step_peers.hpp"
#include "wire/clocks.hpp"
#include "wire/hello.hpp"
#include "wire/unix_channel.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <optional>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::noded;

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

const node::JobKey here{JobId{7}, Incarnation{2}};      // its script runs on n1
const node::JobKey other_here{JobId{8}, Incarnation{1}}; // of somebody else, as far as the steps know

constexpr pid_t nobody = 1 << 30; // above the kernel's limit of processes

// A node daemon's part for steps of others, and this process as everybody who comes to it.
struct Peers {
    asio::io_context loop;
    Topology machine;
    pid_t shepherd = ::getpid(); // of both jobs: whoever is asked about descends from it
    StepPeers peers{surroundings()};

    Peers()
    {
        for (std::uint32_t core = 0; core < 4; ++core)
            machine.cores.push_back({.pus = {core}});
        machine.numa_nodes = {{.os_index = 0, .memory = {}, .cores = CoreSet::range(0, 2)},
                              {.os_index = 1, .memory = {}, .cores = CoreSet::range(2, 2)}};
    }

    PeerSurroundings surroundings()
    {
        return {.node_name = "n2",
                .is_member = [](const node::JobKey& key) { return key == here || key == other_here; },
                .topology = [this]() -> const Topology& { return machine; },
                .order = [](const node::JobKey& key) -> Result<std::optional<wire::LaunchOrder>> {
                    wire::LaunchOrder order;
                    for (const std::uint32_t core : {1, 2, 3})
                        order.add_cores(core);
                    order.mutable_account()->set_uid(::getuid());
                    order.set_node_list(key == here ? "n[1-3]" : "n[2,9]");
                    return order;
                },
                .shepherd = [this](const node::JobKey&) { return shepherd; }};
    }

    std::pair<wire::ChannelPtr, wire::ChannelPtr> sockets()
    {
        int ends[2];
        BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        return {wire::make_unix_channel(loop.get_executor(), Fd(ends[0]), "theirs").value(),
                wire::make_unix_channel(loop.get_executor(), Fd(ends[1]), "ours").value()};
    }
    void spawn(asio::awaitable<void> work) { asio::co_spawn(loop, std::move(work), asio::detached); }

    // The frame that comes next, or none when the connection ends.
    std::optional<std::string> next(const wire::ChannelPtr& channel)
    {
        std::optional<std::string> text;
        bool over = false;
        asio::co_spawn(
            loop,
            [&]() -> asio::awaitable<void> {
                auto frame = co_await channel->read_frame();
                if (frame && *frame)
                    text = std::move(**frame);
                over = true;
            },
            asio::detached);
        loop.restart();
        while (!over && loop.run_one_for(10s) > 0) {
        }
        BOOST_TEST(over);
        return text;
    }
    std::optional<std::string> ask(std::string text)
    {
        auto [theirs, ours] = sockets();
        spawn(peers.serve(ours, wire::parse<wire::PeerRequest>(text)));
        return next(theirs);
    }
    wire::PeerAnswer answer(const wire::PeerRequest& request)
    {
        const auto text = ask(request.SerializeAsString());
        BOOST_REQUIRE(text.has_value());
        return wire::parse<wire::PeerAnswer>(*text).value();
    }
};

wire::PeerRequest request_of(const std::string& node, const node::JobKey& key = here)
{
    wire::PeerRequest request;
    *request.mutable_hello() = wire::make_hello(wire::Hello::NODE, "jnoded", wall_now());
    request.mutable_hello()->set_node_name(node);
    wire::put_job_id(key.job, request);
    request.set_incarnation(key.incarnation.value);
    return request;
}

wire::PeerRequest offer_wanted(const std::string& node, const node::JobKey& key = here)
{
    auto request = request_of(node, key);
    request.mutable_offer();
    return request;
}

wire::PeerRequest tasks_on(std::uint32_t step, std::uint32_t core)
{
    auto request = request_of("n1");
    request.mutable_tasks()->set_step(step);
    request.mutable_tasks()->add_tasks()->add_cores(core);
    return request;
}

Errc code_of(const wire::PeerAnswer& answer) { return static_cast<Errc>(answer.refused().code()); }

} // namespace

BOOST_AUTO_TEST_SUITE(steps_of_other_nodes)

BOOST_AUTO_TEST_CASE(nodes_of_the_job_are_told_what_it_has_here)
{
    Peers node;
    const auto answer = node.answer(offer_wanted("n1"));
    BOOST_REQUIRE(answer.offer().numa_size() == 2);
    BOOST_TEST((core_set(answer.offer().numa(0).cores()) == CoreSet::range(1, 1)));
    BOOST_TEST((core_set(answer.offer().numa(1).cores()) == CoreSet::range(2, 2)));
}

BOOST_AUTO_TEST_CASE(others_are_refused)
{
    Peers node;
    const auto stranger = node.answer(offer_wanted("n9")); // a node of the cluster, and none of this job
    BOOST_TEST((code_of(stranger) == Errc::denied));
    BOOST_TEST(stranger.refused().message() == "node n9 is none of job 7");
    const auto gone = node.answer(offer_wanted("n1", {JobId{7}, Incarnation{1}}));
    BOOST_TEST((code_of(gone) == Errc::not_found));
    auto foreign = offer_wanted("n1");
    foreign.mutable_hello()->set_protocol_major(wire::protocol_major + 1);
    BOOST_TEST(node.answer(foreign).has_refused());
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_answered_or_ends_the_connection)
{
    Peers node;
    BOOST_TEST((code_of(node.answer(request_of("n1"))) == Errc::invalid));
    BOOST_TEST(!node.ask("\xff\xff\xff").has_value());
    BOOST_TEST(!node.ask(wire::PeerRequest().SerializeAsString()).has_value()); // of no job
}

BOOST_AUTO_TEST_CASE(a_step_that_is_over_does_not_start_again)
{
    Peers node;
    auto end = request_of("n1");
    end.mutable_end()->set_step(3);
    BOOST_TEST(node.answer(end).has_ended()); // it was never here
    BOOST_TEST(node.answer(end).has_ended());
    const auto late = node.ask(tasks_on(3, 2).SerializeAsString());
    BOOST_REQUIRE(late.has_value());
    BOOST_TEST((static_cast<Errc>(wire::parse<wire::FromAgent>(*late)->refused().code()) == Errc::invalid));
    for (std::uint32_t step = 10; step < 1500; ++step) { // what is remembered is bounded, and what is older is over, too
        end.mutable_end()->set_step(step);
        BOOST_REQUIRE(node.answer(end).has_ended());
    }
    const auto later = node.ask(tasks_on(4, 2).SerializeAsString());
    BOOST_REQUIRE(later.has_value());
    BOOST_TEST(wire::parse<wire::FromAgent>(*later)->has_refused());
}

BOOST_AUTO_TEST_CASE(tasks_have_cores_of_their_job_alone)
{
    Peers node;
    const auto text = node.ask(tasks_on(1, 0).SerializeAsString()); // core 0 is not the job's
    BOOST_REQUIRE(text.has_value());
    const auto answer = wire::parse<wire::FromAgent>(*text);
    BOOST_TEST(answer->refused().message() == "it is over already, or has cores that the job does not have there");
}

struct Agents : Peers {
    using Find = std::function<std::optional<node::JobKey>(JobId)>;
    Find find = [](JobId id) { return std::optional(id == here.job ? here : other_here); };

    wire::ChannelPtr agent(const node::JobKey& key, std::uint64_t token)
    {
        auto [theirs, ours] = sockets();
        wire::StepAgent agent;
        wire::put_job_id(key.job, agent);
        agent.set_token(token);
        spawn(peers.serve_agent(ours, agent, find));
        return theirs;
    }
};

BOOST_AUTO_TEST_CASE(agents_come_from_inside_their_job)
{
    Agents node;
    node.shepherd = nobody;
    BOOST_TEST(!node.next(node.agent(here, 0)).has_value());
    BOOST_TEST(!node.next(node.agent(here, 17)).has_value());
}

// Tokens come one after the other, so they can be guessed: an agent is taken only for the job that it is inside of.
BOOST_AUTO_TEST_CASE(an_agent_that_was_called_by_nobody_or_by_another_job_is_refused)
{
    Agents node;
    BOOST_TEST(!node.next(node.agent(here, 17)).has_value());

    const auto waiting = node.agent(here, 0);
    auto [first, ours] = node.sockets();
    node.spawn(node.peers.serve(ours, tasks_on(1, 2)));
    const auto call = node.next(waiting);
    BOOST_REQUIRE(call.has_value());
    const auto token = wire::parse<wire::ToRun>(*call)->fork().token();
    BOOST_TEST(token != 0u);
    BOOST_TEST(!node.next(node.agent(other_here, token)).has_value());

    const auto called = node.agent(here, token);
    const auto place = node.next(called); // now it is told what to start
    BOOST_REQUIRE(place.has_value());
    BOOST_TEST(wire::parse<wire::ToAgent>(*place)->place().tasks(0).task().cores(0) == 2u);
    BOOST_TEST(!node.next(node.agent(here, token)).has_value()); // twice
    node.shepherd = nobody; // else this process is killed as what the agent left
    called->close();
    BOOST_TEST(!node.next(first).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
