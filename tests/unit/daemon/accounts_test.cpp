#include "daemon/accounts.hpp"

#include "run_loop.hpp"

#include <atomic>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <mutex>
#include <thread>
#include <unistd.h>

using namespace jarvis;
using namespace std::chrono_literals;
using test::pause;
using test::run;
namespace asio = boost::asio;

namespace {

// A name service with users u<uid>: uids from 100 take `slow`, uid 50 does not exist, uid 60 fails.
struct Service {
    std::atomic<int> asked = 0;
    std::atomic<int> answered = 0; // of the slow ones
    std::chrono::milliseconds slow = 300ms;

    daemon::NameService functions()
    {
        return {[this](std::uint32_t uid) -> Result<Account> {
                    ++asked;
                    if (uid >= 100) {
                        std::this_thread::sleep_for(slow);
                        ++answered;
                    }
                    if (uid == 50)
                        return fail(Errc::not_found, "there is no user with uid 50");
                    if (uid == 60)
                        return fail(Errc::unavailable, "the name service failed");
                    Account account;
                    account.uid = uid;
                    account.user = fmt::format("u{}", uid);
                    return account;
                },
                [this](const std::string& user) -> Result<std::uint32_t> {
                    ++asked;
                    if (user == "slow")
                        std::this_thread::sleep_for(slow);
                    return 7;
                }};
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(accounts)

BOOST_AUTO_TEST_CASE(answers_are_kept_and_forgotten)
{
    asio::io_context loop;
    Service service;
    daemon::AccountDirectory directory(service.functions(), {.keep = 60ms, .keep_absent = 30ms});
    auto test = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i)
            BOOST_TEST((co_await directory.account(1)).value().user == "u1");
        BOOST_TEST(service.asked == 1);
        for (int i = 0; i < 3; ++i)
            BOOST_TEST(((co_await directory.account(50)).error().code == Errc::not_found));
        BOOST_TEST(service.asked == 2);
        for (int i = 0; i < 2; ++i)
            BOOST_TEST(((co_await directory.account(60)).error().code == Errc::unavailable));
        BOOST_TEST(service.asked == 4); // a failure is no answer to remember
        co_await pause(80ms);
        BOOST_TEST((co_await directory.account(1)).has_value());
        BOOST_TEST(service.asked == 5);
        directory.forget();
        BOOST_TEST((co_await directory.account(1)).has_value());
        BOOST_TEST(service.asked == 6);
        BOOST_TEST((co_await directory.uid_of("x")).value() == 7u);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(slow_user_delays_nobody_else)
{
    asio::io_context loop;
    Service service;
    service.slow = 2s; // long enough that the others are done first on any machine
    daemon::AccountDirectory directory(service.functions());
    auto test = [&]() -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        bool slow_answered = false;
        int quick = 0;
        auto slow_ones = [&]() -> asio::awaitable<void> {
            co_await (directory.account(100) && directory.account(101) && directory.account(102) &&
                      directory.uid_of("slow"));
            slow_answered = true;
        };
        auto quick_ones = [&]() -> asio::awaitable<void> {
            co_await pause(20ms); // the slow ones are with their threads
            for (std::uint32_t uid = 1; uid <= 40; ++uid)
                quick += (co_await directory.account(uid)).has_value();
            BOOST_TEST(!slow_answered);
        };
        co_await (slow_ones() && quick_ones());
        BOOST_TEST(quick == 40);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(same_question_is_asked_once)
{
    asio::io_context loop;
    Service service;
    daemon::AccountDirectory directory(service.functions());
    auto test = [&]() -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        auto [a, b, c] = co_await (directory.account(100) && directory.account(100) && directory.account(100));
        BOOST_TEST((a.value() == b.value() && b.value() == c.value()));
        BOOST_TEST(service.asked == 1);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(deadline_and_the_late_answer)
{
    asio::io_context loop;
    Service service;
    daemon::AccountDirectory directory(service.functions(), {.deadline = 50ms});
    auto test = [&]() -> asio::awaitable<void> {
        auto slow = co_await directory.account(100);
        BOOST_REQUIRE(!slow.has_value());
        BOOST_TEST((slow.error().code == Errc::unavailable));
        BOOST_TEST(slow.error().message == "uid 100: the name service did not answer within 50 ms");
        BOOST_TEST(service.answered == 0);
        while (service.answered == 0)
            co_await pause(5ms);
        co_await pause(20ms);
        BOOST_TEST((co_await directory.account(100)).has_value()); // it came meanwhile
        BOOST_TEST(service.asked == 1);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(waiting_lookups_are_bounded)
{
    asio::io_context loop;
    Service service;
    daemon::AccountDirectory directory(service.functions(), {.uid_threads = 1, .max_waiting = 2});
    auto test = [&]() -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        int answered = 0, refused = 0;
        auto ask = [&](std::uint32_t uid) -> asio::awaitable<void> {
            auto account = co_await directory.account(uid);
            if (account)
                ++answered;
            else if (account.error().message.find("too many lookups") != std::string::npos)
                ++refused;
        };
        auto rest = [&]() -> asio::awaitable<void> {
            co_await pause(50ms); // 100 is with the only thread
            co_await (ask(101) && ask(1) && ask(2) && ask(3));
        };
        co_await (ask(100) && rest());
        BOOST_TEST(answered == 3);
        BOOST_TEST(refused == 2);
    };
    run(loop, test());
}

BOOST_AUTO_TEST_CASE(hanging_name_service_does_not_hold_the_end)
{
    std::atomic<bool> release = false, left = false;
    {
        asio::io_context loop;
        daemon::NameService service{[&](std::uint32_t) -> Result<Account> {
                                        while (!release)
                                            std::this_thread::sleep_for(1ms);
                                        left = true;
                                        return Account{};
                                    },
                                    {}};
        auto start = std::chrono::steady_clock::now();
        {
            daemon::AccountDirectory directory(service, {.deadline = 20ms});
            auto test = [&]() -> asio::awaitable<void> {
                BOOST_TEST(!(co_await directory.account(1)).has_value());
            };
            run(loop, test());
        }
        BOOST_TEST((std::chrono::steady_clock::now() - start < 5s));
    }
    release = true;
    while (!left)
        std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(20ms); // the thread ends by itself, touching nothing of what is gone
}

BOOST_AUTO_TEST_CASE(real_accounts)
{
    auto root = daemon::look_up_account(0);
    BOOST_REQUIRE(root.has_value());
    BOOST_TEST(root->user == "root");
    BOOST_TEST(root->group == "root");
    BOOST_TEST(root->home == "/root");
    BOOST_TEST(std::is_sorted(root->groups.begin(), root->groups.end()));
    BOOST_TEST(std::count(root->groups.begin(), root->groups.end(), root->gid) == 0);
    BOOST_TEST(daemon::look_up_uid("root").value() == 0u);
    BOOST_TEST((daemon::look_up_account(0x7ffffff0).error().code == Errc::not_found));
    BOOST_TEST((daemon::look_up_uid("no such user").error().code == Errc::not_found));
}

BOOST_AUTO_TEST_SUITE_END()
