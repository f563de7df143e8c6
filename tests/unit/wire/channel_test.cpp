#include "wire/unix_channel.hpp"

#include "temporary_folder.hpp"

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace jarvis;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// Runs one coroutine to its end on a loop of its own.
void run(asio::io_context& loop, asio::awaitable<void> test)
{
    std::exception_ptr error;
    asio::co_spawn(loop, std::move(test), [&](std::exception_ptr e) { error = e; });
    loop.run_for(20s);
    BOOST_REQUIRE(loop.stopped());
    if (error)
        std::rethrow_exception(error);
}

asio::awaitable<void> pause(std::chrono::milliseconds time)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

// A channel and the bare other end of its socket.
struct Pair {
    Fd peer;
    wire::ChannelPtr channel;

    Pair(asio::io_context& loop, const wire::ChannelOptions& options = {})
    {
        int fds[2];
        BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        peer = Fd(fds[0]);
        channel = wire::make_unix_channel(loop.get_executor(), Fd(fds[1]), "test", options).value();
    }
    void write(std::string_view bytes) { BOOST_REQUIRE(::write(peer.get(), bytes.data(), bytes.size()) > 0); }
};

std::string framed(std::string_view payload)
{
    std::string out;
    wire::append_frame(out, payload);
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(channel)

BOOST_AUTO_TEST_CASE(frames_both_ways_through_a_listener)
{
    asio::io_context loop;
    test::TemporaryFolder folder;
    auto listener = wire::UnixListener::open(loop.get_executor(), {.path = folder / "s"}).value();
    struct stat info {};
    BOOST_REQUIRE(::stat((folder / "s").c_str(), &info) == 0);
    BOOST_TEST((info.st_mode & 0777) == 0666u);

    auto serve = [&]() -> asio::awaitable<void> {
        auto channel = (co_await listener->accept(loop.get_executor())).value();
        BOOST_TEST(channel->credentials()->uid == ::getuid());
        BOOST_TEST(channel->credentials()->pid == ::getpid());
        channel->set_max_frame(4 << 20);
        while (auto frame = (co_await channel->read_frame()).value())
            BOOST_TEST(channel->send(std::string_view(*frame)).has_value());
        BOOST_TEST((co_await channel->flush()).has_value());
        channel->close();
    };
    auto ask = [&]() -> asio::awaitable<void> {
        auto channel = (co_await wire::connect_unix(folder / "s", 1s, {.max_frame = 4 << 20})).value();
        for (std::size_t size : {0, 1, 70'000, 3'000'000}) {
            std::string payload(size, static_cast<char>('a' + size % 26));
            BOOST_TEST(channel->send(std::string_view(payload)).has_value());
            auto echo = (co_await channel->read_frame()).value();
            BOOST_REQUIRE(echo.has_value());
            BOOST_TEST((*echo == payload));
        }
        channel->close();
        BOOST_TEST(!channel->send(std::string_view("x")).has_value());
        BOOST_TEST(!(co_await channel->read_frame()).has_value());
    };
    using namespace asio::experimental::awaitable_operators;
    run(loop, serve() && ask());
    listener->close();
}

BOOST_AUTO_TEST_CASE(big_frame_that_comes_with_the_hello)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        Pair pair(loop, {.max_frame = 100});
        pair.write(framed("hello") + framed(std::string(30'000, 'x')));
        BOOST_TEST(*(co_await pair.channel->read_frame()).value() == "hello");
        pair.channel->set_max_frame(50'000);
        BOOST_TEST((co_await pair.channel->read_frame()).value()->size() == 30'000u);
        pair.write(framed(std::string(50'001, 'x')));
        BOOST_TEST(!(co_await pair.channel->read_frame()).has_value());
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(peer_that_closes_between_and_inside_frames)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        Pair between(loop);
        between.write(framed("one") + framed("two"));
        between.peer = Fd();
        BOOST_TEST(*(co_await between.channel->read_frame()).value() == "one");
        BOOST_TEST(*(co_await between.channel->read_frame()).value() == "two");
        BOOST_TEST(!(co_await between.channel->read_frame()).value().has_value());

        Pair inside(loop);
        inside.write(framed("one") + framed("two").substr(0, 5));
        inside.peer = Fd();
        BOOST_TEST(*(co_await inside.channel->read_frame()).value() == "one");
        auto cut = co_await inside.channel->read_frame();
        BOOST_REQUIRE(!cut.has_value());
        BOOST_TEST((cut.error() == Error{Errc::corrupt, "the connection ended in the middle of a message"}));
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(garbage_is_refused_before_it_is_stored)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        Pair pair(loop);
        pair.write("GET / HTTP/1.1\r\n\r\n");
        auto frame = co_await pair.channel->read_frame();
        BOOST_REQUIRE(!frame.has_value());
        BOOST_TEST((frame.error().code == Errc::corrupt));
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(cancelled_read_loses_nothing)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        Pair pair(loop);
        auto bytes = framed("a message in two parts");
        pair.write(bytes.substr(0, 10));
        auto first = co_await (pair.channel->read_frame() || pause(30ms));
        BOOST_TEST(first.index() == 1u);
        pair.write(bytes.substr(10));
        BOOST_TEST(*(co_await pair.channel->read_frame()).value() == "a message in two parts");
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(queue_of_a_slow_reader_is_bounded)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        Pair pair(loop, {.max_queued = 1 << 20, .stall_limit = 10s});
        std::string payload(100'000, 'x');
        int taken = 0;
        Result<void> sent;
        while ((sent = pair.channel->send(std::string_view(payload))) && taken < 100) {
            ++taken;
            co_await pause(1ms);
        }
        BOOST_REQUIRE(!sent.has_value());
        BOOST_TEST(sent.error().message.find("does not keep up") != std::string::npos);
        BOOST_TEST(pair.channel->is_open()); // what to do about it is the caller's choice
        BOOST_TEST(pair.channel->queued() <= std::size_t{1} << 20);
        pair.channel->close();
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(reader_that_stops_is_dropped)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        Pair pair(loop, {.room_below = 200'000, .stall_limit = 100ms});
        std::string payload(100'000, 'x');
        Result<void> sent;
        auto start = std::chrono::steady_clock::now();
        int taken = 0;
        while ((sent = co_await pair.channel->send_when_room(payload)))
            ++taken;
        BOOST_TEST(sent.error().message == "the peer has read nothing for 100 ms");
        BOOST_TEST(taken < 100);
        BOOST_TEST(!pair.channel->is_open());
        BOOST_TEST(!(co_await pair.channel->flush()).has_value());
        BOOST_TEST((std::chrono::steady_clock::now() - start < 5s));
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(slow_reader_that_reads_is_kept)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        Pair pair(loop, {.room_below = 100'000, .stall_limit = 200ms});
        std::size_t got = 0;
        auto read_slowly = [&]() -> asio::awaitable<void> {
            std::vector<char> buffer(100'000);
            ::fcntl(pair.peer.get(), F_SETFL, O_NONBLOCK);
            while (got < 20 * 100'004) {
                auto n = ::read(pair.peer.get(), buffer.data(), buffer.size());
                if (n > 0)
                    got += static_cast<std::size_t>(n);
                co_await pause(20ms);
            }
        };
        auto write_fast = [&]() -> asio::awaitable<void> {
            for (int i = 0; i < 20; ++i)
                BOOST_REQUIRE((co_await pair.channel->send_when_room(std::string(100'000, 'x'))).has_value());
            BOOST_TEST((co_await pair.channel->flush()).has_value());
        };
        using namespace asio::experimental::awaitable_operators;
        co_await (read_slowly() && write_fast());
        BOOST_TEST(got == 20 * 100'004u);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(closing_ends_a_waiting_read)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        Pair pair(loop);
        auto read = [&]() -> asio::awaitable<void> {
            auto frame = co_await pair.channel->read_frame();
            BOOST_REQUIRE(!frame.has_value());
            BOOST_TEST(frame.error().message == "the connection was closed here");
        };
        auto close = [&]() -> asio::awaitable<void> {
            co_await pause(20ms);
            pair.channel->close();
        };
        co_await (read() && close());
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(listener_and_what_is_there_already)
{
    asio::io_context loop;
    test::TemporaryFolder folder;
    auto path = folder / "s";
    auto open = [&] { return wire::UnixListener::open(loop.get_executor(), {.path = path, .mode = 0600}); };
    {
        auto first = open();
        BOOST_REQUIRE(first.has_value());
        auto second = open();
        BOOST_REQUIRE(!second.has_value());
        BOOST_TEST(second.error().message.find("another process answers there already") != std::string::npos);
        BOOST_TEST(::access(path.c_str(), F_OK) == 0);
    }
    { // as a daemon that was killed leaves it
        Fd stale = std::move(wire::listen_unix({.path = path})).value();
    }
    BOOST_TEST(::access(path.c_str(), F_OK) == 0);
    BOOST_TEST(open().has_value());

    ::unlink(path.c_str());
    Fd file(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
    auto over_file = open();
    BOOST_REQUIRE(!over_file.has_value());
    BOOST_TEST(over_file.error().message.find("not a socket") != std::string::npos);

    path = folder / std::string(120, 'p');
    BOOST_TEST(open().error().message.find("choose a shorter folder") != std::string::npos);
    path = folder / "missing/s";
    BOOST_TEST(open().error().message.find("no such file or directory") != std::string::npos);
}

// Commands take a path that is not there as a sign that the controller is on another machine.
BOOST_AUTO_TEST_CASE(a_listeners_path_is_there_at_every_moment)
{
    asio::io_context loop;
    test::TemporaryFolder folder;
    const auto path = folder / "s";
    auto open = [&] { return wire::UnixListener::open(loop.get_executor(), {.path = path}).value(); };
    auto inode = [&] {
        struct stat info {};
        return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
    };
    auto listener = open();
    std::atomic<bool> done = false;
    std::atomic<int> missing = 0;
    std::jthread watcher([&] {
        while (!done)
            missing += inode() == 0;
    });
    for (int i = 0; i < 300; ++i) {
        const auto before = inode();
        listener.reset();
        BOOST_TEST(inode() == before);
        listener = open();
    }
    done = true;
    watcher.join();
    BOOST_TEST(missing == 0);
    BOOST_TEST(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1); // nothing else was left
}

BOOST_AUTO_TEST_CASE(connecting_to_nobody)
{
    asio::io_context loop;
    test::TemporaryFolder folder;
    auto test = [&]() -> asio::awaitable<void> {
        auto channel = co_await wire::connect_unix(folder / "none", 1s);
        BOOST_REQUIRE(!channel.has_value());
        BOOST_TEST((channel.error().code == Errc::unavailable));
        auto long_path = co_await wire::connect_unix(folder / std::string(120, 'p'), 1s);
        BOOST_TEST((long_path.error().code == Errc::invalid));
    };
    run(loop, test());
}

BOOST_AUTO_TEST_SUITE_END()
