#include "base/fd.hpp"
#include "base/result.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(resources_and_results)

namespace {
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
Fd open_null() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
} // namespace

BOOST_AUTO_TEST_CASE(a_descriptor_is_closed_once_by_its_last_owner)
{
    int number = -1;
    {
        Fd a = open_null();
        number = a.get();
        Fd b = std::move(a);
        BOOST_TEST(!a);
        BOOST_TEST(is_open(number));
        a = std::move(b);
        BOOST_TEST(a.get() == number);
        BOOST_TEST(is_open(number));
    }
    BOOST_TEST(!is_open(number));
}

BOOST_AUTO_TEST_CASE(a_released_descriptor_stays_open)
{
    Fd fd = open_null();
    int number = fd.release();
    BOOST_TEST(!fd);
    BOOST_TEST(is_open(number));
    ::close(number);
}

BOOST_AUTO_TEST_CASE(a_failure_that_is_passed_on_gets_its_context_in_front)
{
    Error cause = system_error(ENOSPC, "cannot write");
    BOOST_TEST(cause.message == "cannot write: no space left on device");
    BOOST_TEST((cause.code == Errc::unavailable));
    auto passed_on = fail(cause, "node {}", "n12");
    BOOST_TEST(passed_on.error().message == "node n12: cannot write: no space left on device");
    BOOST_TEST(system_error(99999, "x").message == "x: unknown error");
}

BOOST_AUTO_TEST_SUITE_END()
