#include "client/step_meeting.hpp"

#include "wire/same_secret.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::client;

BOOST_AUTO_TEST_SUITE(step_meeting)

BOOST_AUTO_TEST_CASE(a_place_is_a_token_and_a_path)
{
    const CallerPlace place{std::string("\0\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\xff", 16), "/tmp/jrun.a:b/caller"};
    const auto text = format_caller_place(place);
    BOOST_TEST(text == "000102030405060708090a0b0c0d0eff:/tmp/jrun.a:b/caller");
    const auto read = parse_caller_place(text).value();
    BOOST_TEST(read.token == place.token);
    BOOST_TEST(read.socket == place.socket);
    for (const char* wrong : {"", ":", "/tmp/jrun.x/caller", "000102030405060708090a0b0c0d0eff", "000102030405060708090a0b0c0d0eff:",
                              "000102030405060708090a0b0c0d0eff:caller", "000102030405060708090a0b0c0d0ef:/x", "0001:/x",
                              "g00102030405060708090a0b0c0d0eff:/x"})
        BOOST_TEST(parse_caller_place(wrong).error().message.starts_with("JRUN_CALLER: "), wrong);
}

BOOST_AUTO_TEST_CASE(its_folder_is_where_a_sockets_path_fits)
{
    BOOST_TEST(meetings_folder(nullptr) == "/tmp");
    BOOST_TEST(meetings_folder("") == "/tmp");
    BOOST_TEST(meetings_folder("tmp") == "/tmp");
    BOOST_TEST(meetings_folder("/scratch/me") == "/scratch/me");
    BOOST_TEST(meetings_folder(("/" + std::string(87, 'x')).c_str()).size() == 88u); // 107 with what follows
    BOOST_TEST(meetings_folder(("/" + std::string(88, 'x')).c_str()) == "/tmp");
}

BOOST_AUTO_TEST_CASE(secrets_are_the_same_or_not)
{
    BOOST_TEST(wire::same_secret("", ""));
    BOOST_TEST(wire::same_secret("abc", "abc"));
    BOOST_TEST(!wire::same_secret("abc", "abd"));
    BOOST_TEST(!wire::same_secret("abc", "ab"));
    BOOST_TEST(!wire::same_secret("\x80z", "\x81z"));
}

// In a child, since it takes the descriptors in the place of its own.
BOOST_AUTO_TEST_CASE(who_knows_the_token_gets_the_descriptors)
{
    Meeting meeting;
    BOOST_REQUIRE(meeting.open().has_value());
    const auto comes_with = [&](const CallerPlace& place) {
        const auto child = ::fork();
        if (child == 0)
            ::_exit(take_descriptors_of_caller(place) ? 0 : 1);
        pollfd ready{meeting.fd(), POLLIN, 0};
        BOOST_REQUIRE(::poll(&ready, 1, 60'000) == 1);
        const auto handed = meeting.hand_over();
        int status = 0;
        ::waitpid(child, &status, 0);
        return std::pair(static_cast<bool>(handed), status == 0);
    };
    BOOST_TEST((comes_with(meeting.place()) == std::pair(true, true)));
    auto other = meeting.place();
    other.token[15] = static_cast<char>(other.token[15] + 1);
    BOOST_TEST((comes_with(other) == std::pair(false, false)));
    const auto folder = std::filesystem::path(meeting.place().socket).parent_path();
    BOOST_TEST(std::filesystem::exists(folder));
    meeting.close();
    BOOST_TEST(!std::filesystem::exists(folder));
    BOOST_TEST(!take_descriptors_of_caller(meeting.place()).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
