#include "daemon/notify.hpp"

#include "base/fd.hpp"
#include "temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace jarvis;

namespace {

// The service manager's side; a name beginning with '@' is abstract.
Fd listen_as_manager(const std::string& name)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '@' ? 0 : 1));
    BOOST_REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    return fd;
}

std::string received(const Fd& manager)
{
    char buffer[1000];
    auto n = ::recv(manager.get(), buffer, sizeof buffer, 0);
    return n < 0 ? "" : std::string(buffer, static_cast<std::size_t>(n));
}

} // namespace

BOOST_AUTO_TEST_SUITE(notify)

BOOST_AUTO_TEST_CASE(manager_is_told)
{
    test::TemporaryFolder folder;
    for (const std::string& name : {folder / "notify", fmt::format("@jarvis-test-{}", ::getpid())}) {
        auto manager = listen_as_manager(name);
        BOOST_TEST(daemon::notify_ready("serving\n5 nodes").value());
        BOOST_TEST(received(manager) == "READY=1\nSTATUS=serving 5 nodes");
        BOOST_TEST(daemon::notify_stopping("waiting").value());
        BOOST_TEST(received(manager) == "STOPPING=1\nSTATUS=waiting");
        BOOST_TEST(daemon::notify_reloading().value());
        BOOST_TEST(received(manager).starts_with("RELOADING=1\nMONOTONIC_USEC="));
        BOOST_TEST(daemon::notify_main_pid(12).value());
        BOOST_TEST(received(manager) == "MAINPID=12");
    }
    ::unsetenv("NOTIFY_SOCKET");
}

BOOST_AUTO_TEST_CASE(no_manager_and_a_bad_one)
{
    ::unsetenv("NOTIFY_SOCKET");
    BOOST_TEST(daemon::notify_status("x").value() == false);
    for (const char* name : {"relative", "/nonexistent/socket"}) {
        ::setenv("NOTIFY_SOCKET", name, 1);
        BOOST_TEST(!daemon::notify_status("x").has_value());
    }
    ::setenv("NOTIFY_SOCKET", std::string(300, '/').c_str(), 1);
    BOOST_TEST(!daemon::notify_status("x").has_value());
    ::unsetenv("NOTIFY_SOCKET");
}

BOOST_AUTO_TEST_SUITE_END()
