#include "client/submit.hpp"

#include "client/exit_codes.hpp"
#include "model/job_state.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::client;

namespace {

wire::JobEnd end(JobState state, std::optional<int> code = {}, int signal = 0)
{
    wire::JobEnd message;
    message.set_state(static_cast<std::uint32_t>(state));
    if (code)
        message.set_exit_code(*code);
    message.set_signal(signal);
    return message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(submit)

BOOST_AUTO_TEST_CASE(the_end_of_a_job_as_an_exit_status)
{
    BOOST_TEST(exit_status(end(JobState::completed, 0)) == 0);
    BOOST_TEST(exit_status(end(JobState::failed, 7)) == 7);
    BOOST_TEST(exit_status(end(JobState::failed, {}, 9)) == 137);
    BOOST_TEST(exit_status(end(JobState::cancelled, {}, 15)) == 143);
    BOOST_TEST(exit_status(end(JobState::cancelled)) == 125);
    BOOST_TEST(exit_status(end(JobState::timeout, {}, 15)) == 125);
    BOOST_TEST(exit_status(end(JobState::timeout, 0)) == 125);
    BOOST_TEST(exit_status(end(JobState::out_of_memory, {}, 9)) == 125);
    BOOST_TEST(exit_status(end(JobState::node_fail)) == 125);
    BOOST_TEST(exit_status(end(JobState::failed)) == 125);
}

BOOST_AUTO_TEST_CASE(the_end_in_words)
{
    BOOST_TEST(end_text(7, end(JobState::failed, 3)) == "job 7: FAILED: exit code 3");
    BOOST_TEST(end_text(7, end(JobState::failed, {}, 9)) == "job 7: FAILED: ended by signal KILL");
    auto cancelled = end(JobState::cancelled);
    cancelled.set_cause("cancelled by al\x1b[31mice");
    BOOST_TEST(end_text(7, cancelled) == "job 7: CANCELLED: cancelled by al\\x1b[31mice");
}

BOOST_AUTO_TEST_CASE(request_ids_are_read_back)
{
    const auto id = make_request_id().value();
    BOOST_TEST(id.size() == 16u);
    BOOST_TEST(parse_request_id(request_id_text(id)).value() == id);
    BOOST_TEST(request_id_text(std::string("\x01\xff", 2)) == "01ff");
    BOOST_TEST(make_request_id().value() != id);
    for (const char* text : {"", "ff", "zz000000000000000000000000000000", "0000000000000000000000000000000"})
        BOOST_TEST(!parse_request_id(text), text);
}

BOOST_AUTO_TEST_CASE(nobody_listens)
{
    ::setenv("JARVIS_SOCKET", "/nowhere/jctld.sock", 1);
    wire::Submit message;
    int told = 0;
    const auto reply = client::submit("jsub", message, {std::chrono::milliseconds(120), std::chrono::milliseconds(120)},
                                      [&](std::string_view) { ++told; });
    BOOST_TEST((reply.error().code == Errc::unavailable));
    BOOST_TEST(reply.error().message == "no answer from the controller: cannot connect to /nowhere/jctld.sock: no such file or directory");
    BOOST_TEST(told == 1);
    ::unsetenv("JARVIS_SOCKET");
}

BOOST_AUTO_TEST_SUITE_END()
