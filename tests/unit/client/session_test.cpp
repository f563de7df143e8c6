// Sessions and submits against a controller of a few lines, which loses connections as it is told.
#include "client/session.hpp"
#include "client/submit.hpp"

#include "wire/convert.hpp"
#include "wire/frame.hpp"
#include "wire/hello.hpp"
#include "wire/unix_socket.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <functional>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr WallTime now{};

// One connection of the fake controller.
class Peer {
    Fd socket_;
    wire::FrameReader reader_{1 << 20};

public:
    explicit Peer(Fd socket) : socket_(std::move(socket)) {}

    std::optional<std::string> frame()
    {
        char block[4096];
        while (true) {
            if (auto next = reader_.next(); next && *next)
                return **next;
            const auto n = ::recv(socket_.get(), block, sizeof block, 0);
            if (n <= 0)
                return {};
            reader_.feed({block, static_cast<std::size_t>(n)});
        }
    }
    void send(const google::protobuf::MessageLite& message)
    {
        std::string out;
        wire::append_frame(out, message);
        (void)!::send(socket_.get(), out.data(), out.size(), MSG_NOSIGNAL);
    }
    void hello()
    {
        (void)frame();
        send(wire::make_hello(wire::Hello::CONTROLLER, "jctld", now));
    }
    wire::Request request() { return wire::parse<wire::Request>(frame().value_or("")).value_or(wire::Request()); }
};

// Serves one connection after the other, each by the next of the given functions.
class FakeController {
    std::string path_ = "/tmp/jarvis-client-test-" + std::to_string(::getpid()) + ".sock";
    std::vector<std::function<void(Peer&)>> scenes_;
    std::thread thread_;

public:
    explicit FakeController(std::vector<std::function<void(Peer&)>> scenes) : scenes_(std::move(scenes))
    {
        ::unlink(path_.c_str());
        auto listener = wire::listen_unix({.path = path_});
        BOOST_REQUIRE(listener);
        ::setenv("JARVIS_SOCKET", path_.c_str(), 1);
        thread_ = std::thread([this, socket = std::move(*listener)] {
            for (const auto& scene : scenes_) {
                Fd accepted;
                while (!accepted) // the listener may be non-blocking
                    accepted = Fd(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
                Peer peer(std::move(accepted));
                scene(peer);
            }
        });
    }
    ~FakeController()
    {
        thread_.join();
        ::unlink(path_.c_str());
        ::unsetenv("JARVIS_SOCKET");
    }
};

wire::Reply reply_to(const wire::Request& request)
{
    wire::Reply reply;
    reply.set_tag(request.tag());
    return reply;
}

wire::Reply failure(const wire::Request& request, Errc code, std::string message)
{
    auto reply = reply_to(request);
    *reply.mutable_error() = wire::to_message(jarvis::Error{code, std::move(message)});
    return reply;
}

constexpr RetryLimits quick{std::chrono::seconds(2), std::chrono::milliseconds(300)};
const Talk silent = [](std::string_view) {};

wire::Submit submit_message()
{
    wire::Submit message;
    message.set_request_id(std::string(16, '\x5a'));
    return message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(session)

BOOST_AUTO_TEST_CASE(a_stream_of_replies_is_put_together)
{
    FakeController controller({[](Peer& peer) {
        peer.hello();
        const auto request = peer.request();
        for (int part = 1; part <= 3; ++part) {
            auto reply = reply_to(request);
            reply.set_more(part < 3);
            reply.set_sequence(9);
            reply.mutable_jobs()->add_summaries()->set_job_id(static_cast<std::uint64_t>(part));
            if (part == 3)
                reply.mutable_jobs()->add_unknown_ids(77);
            peer.send(reply);
        }
    }});
    wire::Request request;
    request.mutable_query_jobs();
    const auto jobs = ask_jobs("jqueue", request);
    BOOST_REQUIRE(jobs);
    BOOST_TEST(jobs->summaries.size() == 3u);
    BOOST_TEST(jobs->unknown_ids.size() == 1u);
    BOOST_TEST(jobs->sequence == 9u);
}

BOOST_AUTO_TEST_CASE(a_refused_connection_says_why)
{
    FakeController controller({[](Peer& peer) {
        (void)peer.frame();
        peer.send(wire::refusing_hello("jctld", now, {Errc::denied, "too many connections of one user"}));
    }});
    const auto session = Session::open("jqueue");
    BOOST_REQUIRE(!session);
    BOOST_TEST((session.error().code == Errc::denied));
    BOOST_TEST(session.error().message.find("too many connections") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_lost_answer_is_asked_for_again_with_the_same_request)
{
    std::vector<std::string> ids;
    auto lose = [&](Peer& peer) {
        peer.hello();
        ids.push_back(peer.request().submit().request_id());
    };
    FakeController controller({lose,
                               [&](Peer& peer) {
                                   peer.hello();
                                   const auto request = peer.request();
                                   ids.push_back(request.submit().request_id());
                                   peer.send(failure(request, Errc::unavailable, "the journal is being read again"));
                               },
                               [&](Peer& peer) {
                                   peer.hello();
                                   const auto request = peer.request();
                                   ids.push_back(request.submit().request_id());
                                   auto reply = reply_to(request);
                                   reply.mutable_submit()->set_job_id(7);
                                   peer.send(reply);
                               }});
    int told = 0;
    const auto reply = client::submit("jsub", submit_message(), RetryLimits{}, [&](std::string_view) { ++told; });
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->submit().job_id() == 7u);
    BOOST_TEST((ids == std::vector<std::string>(3, std::string(16, '\x5a'))));
    BOOST_TEST(told == 1);
}

BOOST_AUTO_TEST_CASE(an_unknown_outcome_tells_the_request_id)
{
    FakeController controller({[](Peer& peer) {
        peer.hello();
        (void)peer.request();
        std::this_thread::sleep_for(std::chrono::milliseconds(350)); // longer than the client tries
    }});
    const auto reply = client::submit("jsub", submit_message(), quick, silent);
    BOOST_REQUIRE(!reply);
    BOOST_TEST((reply.error().code == Errc::unavailable));
    BOOST_TEST(reply.error().message.find("jq --request 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_refusal_is_final)
{
    FakeController controller({[](Peer& peer) {
        peer.hello();
        peer.send(failure(peer.request(), Errc::invalid, "no node has 900 cores"));
    }});
    const auto reply = client::submit("jsub", submit_message(), quick, silent);
    BOOST_REQUIRE(!reply);
    BOOST_TEST(reply.error().message == "no node has 900 cores");
    BOOST_TEST((reply.error().code == Errc::invalid));
}

BOOST_AUTO_TEST_CASE(waiting_goes_on_over_a_lost_controller_and_ends_in_the_history)
{
    FakeController controller({[](Peer& peer) {
                                   peer.hello();
                                   (void)peer.request();
                               },
                               [](Peer& peer) {
                                   peer.hello();
                                   peer.send(failure(peer.request(), Errc::not_found, "no such job: 7"));
                               },
                               [](Peer& peer) {
                                   peer.hello();
                                   const auto request = peer.request();
                                   auto reply = reply_to(request);
                                   auto& job = *reply.mutable_jobs()->add_details()->mutable_summary();
                                   job.set_job_id(request.query_history().filter().ids(0));
                                   job.mutable_end()->set_state(static_cast<std::uint32_t>(JobState::failed));
                                   job.mutable_end()->set_exit_code(3);
                                   peer.send(reply);
                               }});
    const auto ended = wait_for_end("jsub", 7, silent);
    BOOST_REQUIRE(ended);
    BOOST_TEST(exit_status(ended->summary().end()) == 3);
}

BOOST_AUTO_TEST_SUITE_END()
