#include "client/step_frames.hpp"

#include "wire/unix_socket.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <filesystem>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::client;

namespace {

// A task whose descriptors are served over a link, of which the test has the other end.
struct Served {
    std::string folder = "/tmp/step_frames.XXXXXX";
    Fd listener, other;
    pid_t pid = -1;
    std::thread serving;
    wire::FrameReader reader{std::size_t{4} << 20};

    explicit Served(const char* command)
    {
        BOOST_REQUIRE(::mkdtemp(folder.data()) != nullptr);
        listener = wire::listen_unix({.path = folder + "/s", .mode = 0600}).value();
        auto link = FrameLink::connect(folder + "/s").value();
        other = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        auto pipes = make_task_pipes(true).value();
        pid = ::fork();
        if (pid == 0) {
            for (int stream = 0; stream < standard_streams; ++stream)
                ::dup2(pipes.theirs[static_cast<std::size_t>(stream)].get(), stream);
            ::execl("/bin/sh", "sh", "-c", command, nullptr);
            ::_exit(127);
        }
        serving = std::thread([this, link = std::move(link), ours = std::move(pipes.ours)]() mutable {
            StepFrames frames(std::move(link));
            frames.add(0, pid, std::move(ours));
            frames.serve(-1, [] {}, [](wire::ToAgent&&) { return true; });
        });
    }
    ~Served()
    {
        other = Fd();
        serving.join();
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        std::filesystem::remove_all(folder);
    }

    void send(const wire::ToAgent& message)
    {
        std::string out;
        wire::append_frame(out, message);
        BOOST_REQUIRE(::send(other.get(), out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size()));
    }
    // The next one; nothing when none comes for a while.
    std::optional<wire::FromAgent> next(int milliseconds)
    {
        while (true) {
            if (auto frame = reader.next().value())
                return wire::parse<wire::FromAgent>(*frame).value();
            pollfd ready{other.get(), POLLIN, 0};
            char part[65536];
            if (::poll(&ready, 1, milliseconds) <= 0)
                return std::nullopt;
            const auto size = ::read(other.get(), part, sizeof part);
            BOOST_REQUIRE(size > 0);
            reader.feed({part, static_cast<std::size_t>(size)});
        }
    }
};

std::size_t output_until_quiet(Served& served)
{
    std::size_t bytes = 0;
    while (const auto message = served.next(500))
        bytes += message->output().data().size();
    return bytes;
}

} // namespace

BOOST_AUTO_TEST_SUITE(step_frames)

BOOST_AUTO_TEST_CASE(no_more_output_is_sent_than_is_taken)
{
    constexpr std::size_t window = std::size_t{1} << 20, piece = std::size_t{32} << 10;
    Served served("exec yes");
    const auto first = output_until_quiet(served);
    BOOST_TEST(first >= window);
    BOOST_TEST(first < window + piece);
    wire::ToAgent more;
    more.set_taken(window / 2);
    served.send(more);
    const auto second = output_until_quiet(served);
    BOOST_TEST(second > window / 2 - piece);
    BOOST_TEST(second < window / 2 + piece);
    more.set_taken(0xffffffff); // more than there was: nothing is owed for it
    served.send(more);
    BOOST_TEST(output_until_quiet(served) < window + piece);
}

BOOST_AUTO_TEST_CASE(input_is_written_and_ends)
{
    Served served("cat; echo over");
    wire::ToAgent message;
    message.mutable_input()->set_data("hello\n");
    served.send(message);
    std::string text;
    std::uint32_t taken = 0;
    const auto hear = [&](std::string_view end) {
        while (!text.ends_with(end)) {
            const auto heard = served.next(60'000);
            BOOST_REQUIRE(heard.has_value());
            text += heard->output().data();
            taken += heard->taken().bytes();
        }
    };
    hear("hello\n");
    BOOST_TEST(taken == 6u);
    message.mutable_input()->clear_data();
    served.send(message);
    hear("over\n");
    BOOST_TEST(text == "hello\nover\n");
}

BOOST_AUTO_TEST_SUITE_END()
