#include "daemon/signals.hpp"

#include "run_loop.hpp"

#include <csignal>

using namespace jarvis;
using namespace std::chrono_literals;
namespace asio = boost::asio;

BOOST_AUTO_TEST_SUITE(signals)

BOOST_AUTO_TEST_CASE(signals_are_calls)
{
    asio::io_context loop;
    std::vector<int> stops;
    int reloads = 0;
    daemon::Signals signals(loop.get_executor(), [&](int signal) { stops.push_back(signal); }, [&] { ++reloads; });
    auto test = [&]() -> asio::awaitable<void> {
        for (int signal : {SIGHUP, SIGTERM, SIGINT, SIGHUP, SIGTERM}) {
            ::raise(signal);
            co_await test::pause(5ms);
        }
        signals.close(); // lets the loop end
    };
    test::run(loop, test());
    BOOST_TEST(reloads == 2);
    BOOST_TEST((stops == std::vector{SIGTERM, SIGINT, SIGTERM}));
}

BOOST_AUTO_TEST_CASE(no_call_after_close)
{
    asio::io_context loop;
    int calls = 0;
    {
        daemon::Signals signals(loop.get_executor(), [&](int) { ++calls; }, [&] { ++calls; });
        ::raise(SIGHUP);
    }
    loop.run_for(1s);
    BOOST_TEST(calls == 0);
}

BOOST_AUTO_TEST_SUITE_END()
