#include "daemon/process.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

#include <sys/resource.h>

using namespace jarvis::daemon;

BOOST_AUTO_TEST_SUITE(process)

BOOST_AUTO_TEST_CASE(a_thread_has_its_name_cut_to_what_the_kernel_keeps)
{
    std::string seen;
    std::jthread([&] {
        name_thread("a name of more than fifteen bytes");
        std::getline(std::ifstream("/proc/thread-self/comm"), seen);
    }).join();
    BOOST_TEST(seen == "a name of more ");
}

BOOST_AUTO_TEST_CASE(the_limit_of_open_files_is_raised_to_the_hard_one)
{
    rlimit before{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit low = before;
    low.rlim_cur = std::min<rlim_t>(64, before.rlim_max - 1);
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    allow_many_files();
    rlimit after{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
    BOOST_TEST(after.rlim_cur == before.rlim_max);
    BOOST_TEST(after.rlim_max == before.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &before);
}

BOOST_AUTO_TEST_SUITE_END()
