#include "wire/blocking.hpp"
#include "wire/unix_socket.hpp"

#include "temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace jarvis;
using namespace std::chrono_literals;

namespace {

const WallTime today{std::chrono::seconds(1'800'000'000)};

struct Server {
    test::TemporaryFolder folder;
    std::string path = folder / "s";
    Fd listener = std::move(wire::listen_unix({.path = path})).value();

    // The next connection, blocking.
    Fd accept()
    {
        pollfd entry{listener.get(), POLLIN, 0};
        ::poll(&entry, 1, 5000);
        return Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
};

void write_all(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        auto n = ::write(fd, bytes.data(), bytes.size());
        if (n <= 0)
            return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::string framed(const google::protobuf::MessageLite& message)
{
    std::string out;
    wire::append_frame(out, message);
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(blocking)

BOOST_AUTO_TEST_CASE(hello_is_exchanged)
{
    Server server;
    std::thread peer([&] {
        Fd connection = server.accept();
        write_all(connection.get(), framed(wire::make_hello(wire::Hello::CONTROLLER, "jctld", today)));
        char byte;
        (void)!::read(connection.get(), &byte, 1); // until the client's Hello is here, so that closing is no reset
    });
    auto connection = wire::BlockingConnection::connect(server.path, 1s);
    BOOST_REQUIRE(connection.has_value());
    auto theirs = connection->exchange_hello(wire::make_hello(wire::Hello::CLIENT, "jq", today), {}, wire::deadline_in(5s));
    BOOST_REQUIRE(theirs.has_value());
    BOOST_TEST((theirs->role() == wire::Hello::CONTROLLER));
    peer.join();
}

BOOST_AUTO_TEST_CASE(refusal_is_told_although_the_server_hangs_up)
{
    Server server;
    std::thread peer([&] {
        Fd connection = server.accept();
        write_all(connection.get(), framed(wire::refusing_hello("jctld", today, {Errc::denied, "not you"})));
    });
    auto connection = wire::BlockingConnection::connect(server.path, 1s);
    BOOST_REQUIRE(connection.has_value());
    peer.join(); // it is closed before we have sent anything
    auto theirs = connection->receive<wire::Hello>(wire::deadline_in(1s));
    BOOST_REQUIRE(theirs.has_value());
    BOOST_TEST((wire::check_hello(*theirs, {}, "x").error() == Error{Errc::denied, "not you"}));
}

BOOST_AUTO_TEST_CASE(nobody_there)
{
    test::TemporaryFolder folder;
    auto missing = wire::BlockingConnection::connect(folder / "none", 1s);
    BOOST_REQUIRE(!missing.has_value());
    BOOST_TEST((missing.error().code == Errc::unavailable));
    BOOST_TEST(missing.error().message == "cannot connect to " + (folder / "none") + ": no such file or directory");
    auto long_path = wire::BlockingConnection::connect(folder / std::string(200, 'x'), 1s);
    BOOST_REQUIRE(!long_path.has_value());
    BOOST_TEST(long_path.error().message.find("bytes long; a UNIX socket's can have 107") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_wait_has_a_deadline)
{
    Server server; // listens, and never accepts
    auto connection = wire::BlockingConnection::connect(server.path, 1s);
    BOOST_REQUIRE(connection.has_value());
    auto start = std::chrono::steady_clock::now();
    auto frame = connection->receive_frame(wire::deadline_in(100ms));
    BOOST_REQUIRE(!frame.has_value());
    BOOST_TEST((frame.error().code == Errc::unavailable));
    wire::JobRequest big;
    big.set_comment(std::string(8 << 20, 'x')); // more than a socket takes
    auto sent = connection->send(big, wire::deadline_in(100ms));
    BOOST_REQUIRE(!sent.has_value());
    BOOST_TEST((sent.error().code == Errc::unavailable));
    auto elapsed = std::chrono::steady_clock::now() - start;
    BOOST_TEST((elapsed >= 190ms && elapsed < 5s));
}

BOOST_AUTO_TEST_CASE(full_backlog_ends_at_the_limit)
{
    test::TemporaryFolder folder;
    Fd listener = std::move(wire::listen_unix({.path = folder / "s", .backlog = 0})).value();
    std::vector<wire::BlockingConnection> connections;
    auto start = std::chrono::steady_clock::now();
    std::optional<Error> failure;
    for (int i = 0; i < 10 && !failure; ++i) {
        auto connection = wire::BlockingConnection::connect(folder / "s", 200ms);
        if (connection)
            connections.push_back(std::move(*connection));
        else
            failure = connection.error();
    }
    BOOST_REQUIRE(failure.has_value());
    BOOST_TEST(failure->message.find("within 200 ms") != std::string::npos, failure->message);
    BOOST_TEST((std::chrono::steady_clock::now() - start < 5s));
}

BOOST_AUTO_TEST_CASE(bad_streams)
{
    struct {
        std::string bytes;
        Errc code;
        std::string_view text;
    } const cases[] = {
        {std::string("\0\0\0\5ab", 6), Errc::unavailable, "in the middle of a message"},
        {"", Errc::unavailable, "closed the connection"},
        {"HTTP/1.1 400 Bad Request\r\n", Errc::corrupt, "at most 1000 are taken"},
        {std::string("\0\0\0\3\xff\xff\xff", 7), Errc::corrupt, "no jarvis.wire.Hello"},
    };
    for (const auto& one : cases) {
        Server server;
        auto connection = wire::BlockingConnection::connect(server.path, 1s, 1000);
        BOOST_REQUIRE(connection.has_value());
        {
            Fd peer = server.accept();
            write_all(peer.get(), one.bytes);
        }
        auto hello = connection->receive<wire::Hello>(wire::deadline_in(1s));
        BOOST_REQUIRE(!hello.has_value());
        BOOST_TEST((hello.error().code == one.code));
        BOOST_TEST(hello.error().message.find(one.text) != std::string::npos, hello.error().message);
    }
}

BOOST_AUTO_TEST_SUITE_END()
