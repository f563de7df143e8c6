#include "daemon/task_group.hpp"

#include "daemon/deadline.hpp"
#include "daemon/off_loop.hpp"

#include "run_loop.hpp"

#include <thread>

using namespace jarvis;
using namespace std::chrono_literals;
using test::pause;
using test::run;
namespace asio = boost::asio;

BOOST_AUTO_TEST_SUITE(task_group)

BOOST_AUTO_TEST_CASE(waits_for_all_tasks)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        daemon::TaskGroup group(loop.get_executor(), "test");
        int ended = 0;
        auto task = [&](int ms) -> asio::awaitable<void> {
            co_await pause(std::chrono::milliseconds(ms));
            ++ended;
        };
        for (int ms : {500, 0, 10})
            BOOST_TEST(group.spawn(fmt::format("task {}", ms), task(ms)));
        BOOST_TEST(group.size() == 3u);
        BOOST_TEST(group.names() == "task 500, task 0, task 10");
        BOOST_TEST(!co_await group.wait_for(1ms));
        co_await group.wait();
        BOOST_TEST(ended == 3);
        BOOST_TEST(co_await group.wait_for(0ms));
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(cancel_unwinds_tasks)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        daemon::TaskGroup group(loop.get_executor(), "test");
        int unwound = 0;
        auto forever = [&]() -> asio::awaitable<void> {
            struct Count {
                int& n;
                ~Count() { ++n; }
            } count{unwound};
            while (true)
                co_await pause(1h);
        };
        auto with_values = [&]() -> asio::awaitable<void> { // errors as values: the next co_await ends it
            auto slept = co_await daemon::sleep_for(1h);
            BOOST_TEST(!slept);
            ++unwound;
        };
        for (int i = 0; i < 5; ++i)
            group.spawn("forever", forever());
        group.spawn("values", with_values());
        co_await pause(10ms);
        group.spawn("not begun yet", forever());
        group.cancel();
        BOOST_TEST(group.cancelled());
        BOOST_TEST(co_await group.wait_for(5s));
        BOOST_TEST(unwound >= 6); // one that had not begun may never have
        bool ran = false;
        auto late = [&]() -> asio::awaitable<void> {
            ran = true;
            co_return;
        };
        BOOST_TEST(!group.spawn("late", late()));
        co_await pause(5ms);
        BOOST_TEST(!ran);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(one_bad_end_is_not_the_groups)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        daemon::TaskGroup group(loop.get_executor(), "test");
        bool ended = false;
        auto bad = []() -> asio::awaitable<void> {
            co_await pause(1ms);
            throw std::runtime_error("expected in this test");
        };
        auto good = [&]() -> asio::awaitable<void> {
            co_await pause(20ms);
            ended = true;
        };
        group.spawn("bad", bad());
        group.spawn("good", good());
        co_await group.wait();
        BOOST_TEST(ended);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(a_task_may_cancel_its_own_group)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        daemon::TaskGroup group(loop.get_executor(), "test");
        auto canceller = [&]() -> asio::awaitable<void> {
            co_await pause(1ms);
            group.cancel();
        };
        group.spawn("a", canceller());
        group.spawn("b", pause(1h));
        BOOST_TEST(co_await group.wait_for(5s));
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(cancelled_task_waits_for_tasks_of_its_own)
{
    asio::io_context loop;
    asio::thread_pool pool(1);
    auto test = [&]() -> asio::awaitable<void> {
        daemon::TaskGroup outer(loop.get_executor(), "outer");
        bool inner_ended = false, session_alive = false;
        auto session = [&]() -> asio::awaitable<void> {
            struct Alive {
                bool& flag;
                explicit Alive(bool& f) : flag(f) { flag = true; }
                ~Alive() { flag = false; }
            } alive{session_alive};
            daemon::TaskGroup inner(loop.get_executor(), "inner");
            auto child = [&]() -> asio::awaitable<void> {
                co_await daemon::off_loop(pool, [] { std::this_thread::sleep_for(50ms); });
                BOOST_TEST(alive.flag);
                inner_ended = true;
            };
            auto body = [&]() -> asio::awaitable<void> {
                inner.spawn("child", child());
                inner.spawn("other", pause(1h));
                co_await pause(1h);
            };
            co_await inner.around(body());
        };
        outer.spawn("session", session());
        co_await pause(10ms);
        outer.cancel();
        BOOST_TEST(co_await outer.wait_for(5s));
        BOOST_TEST(inner_ended);
        BOOST_TEST(!session_alive);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(group_that_goes_cancels)
{
    asio::io_context loop;
    auto group = std::make_unique<daemon::TaskGroup>(loop.get_executor(), "test");
    group->spawn("forever", pause(1h));
    loop.run_for(10ms);
    group.reset();
    loop.run_for(5s); // ends at once: nothing is left
    BOOST_TEST(loop.stopped());
}

BOOST_AUTO_TEST_CASE(off_loop_runs_elsewhere_and_resumes_here)
{
    asio::io_context loop;
    asio::thread_pool pool(2);
    auto test = [&]() -> asio::awaitable<void> {
        auto here = std::this_thread::get_id();
        auto there = co_await daemon::off_loop(pool, [] { return std::this_thread::get_id(); });
        BOOST_TEST((there != here));
        BOOST_TEST((std::this_thread::get_id() == here));

        struct NoDefault {
            explicit NoDefault(int v) : value(v) {}
            int value;
            std::unique_ptr<int> move_only;
        };
        auto value = co_await daemon::off_loop(pool, [] { return NoDefault(7); });
        BOOST_TEST(value.value == 7);

        int written = 0;
        co_await daemon::off_loop(pool, [&] { written = 1; });
        BOOST_TEST(written == 1);

        bool caught = false;
        try {
            co_await daemon::off_loop(pool, []() -> int { throw std::runtime_error("x"); });
        } catch (const std::runtime_error&) {
            caught = true;
        }
        BOOST_TEST(caught);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(off_loop_is_waited_for_also_when_cancelled)
{
    asio::io_context loop;
    asio::thread_pool pool(1);
    auto test = [&]() -> asio::awaitable<void> {
        daemon::TaskGroup group(loop.get_executor(), "test");
        std::atomic<bool> worked = false;
        auto task = [&]() -> asio::awaitable<void> {
            co_await daemon::off_loop(pool, [&] {
                std::this_thread::sleep_for(100ms);
                worked = true;
            });
        };
        group.spawn("work", task());
        co_await pause(20ms);
        group.cancel();
        co_await group.wait();
        BOOST_TEST(worked.load());
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(within_a_limit)
{
    asio::io_context loop;
    auto test = [&]() -> asio::awaitable<void> {
        auto answer = [](std::chrono::milliseconds time) -> asio::awaitable<Result<int>> {
            if (!co_await daemon::sleep_for(time))
                co_return fail(Errc::unavailable, "cancelled");
            co_return 5;
        };
        BOOST_TEST((co_await daemon::within(5s, "quick", answer(1ms))).value() == 5);
        auto slow = co_await daemon::within(20ms, "node n1", answer(1h));
        BOOST_REQUIRE(!slow.has_value());
        BOOST_TEST(slow.error().message == "node n1: no answer within 20 ms");
    };
    run(loop, test());
}

BOOST_AUTO_TEST_SUITE_END()
