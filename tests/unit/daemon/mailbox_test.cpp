#include "daemon/mailbox.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <thread>

using namespace jarvis;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(mailbox)

BOOST_AUTO_TEST_CASE(full_mailbox_leaves_the_item_with_the_caller)
{
    daemon::Mailbox<std::unique_ptr<int>> box(2);
    BOOST_TEST(box.push(std::make_unique<int>(1)));
    BOOST_TEST(box.push(std::make_unique<int>(2)));
    auto third = std::make_unique<int>(3);
    BOOST_TEST(!box.push(std::move(third)));
    BOOST_TEST(*third == 3);
    BOOST_TEST(*box.take(1).at(0) == 1);
    BOOST_TEST(box.push(std::move(third)));
    auto rest = box.take(10);
    BOOST_REQUIRE(rest.size() == 2u);
    BOOST_TEST((*rest[0] == 2 && *rest[1] == 3));
    BOOST_TEST(box.take(10).empty());
}

BOOST_AUTO_TEST_CASE(many_producers_lose_nothing_and_keep_their_order)
{
    daemon::Mailbox<std::pair<int, int>> box(64);
    std::vector<std::thread> producers;
    for (int p = 0; p < 4; ++p)
        producers.emplace_back([&box, p] {
            for (int i = 0; i < 5000; ++i)
                while (!box.push({p, i}))
                    std::this_thread::yield();
        });
    std::thread closer([&] {
        for (auto& producer : producers)
            producer.join();
        box.close();
    });
    int next[4] = {};
    bool in_order = true;
    std::size_t batches_over = 0;
    for (auto batch = box.wait(16); !batch.empty(); batch = box.wait(16)) {
        batches_over += batch.size() > 16;
        for (auto [p, i] : batch)
            in_order = in_order && next[p]++ == i;
    }
    closer.join();
    BOOST_TEST(in_order);
    BOOST_TEST(batches_over == 0u);
    BOOST_TEST((next[0] == 5000 && next[1] == 5000 && next[2] == 5000 && next[3] == 5000));
    BOOST_TEST(!box.push({0, 0}));
}

BOOST_AUTO_TEST_CASE(wakes_when_it_stops_being_empty_and_when_it_closes)
{
    int woken = 0;
    daemon::Mailbox<int> box(8, [&] { ++woken; });
    BOOST_TEST((box.push(1) && box.push(2)));
    BOOST_TEST(woken == 1);
    box.take(8);
    BOOST_TEST(box.push(3));
    BOOST_TEST(woken == 2);
    box.close();
    BOOST_TEST(woken == 3);
    BOOST_TEST(box.wait(8).size() == 1u); // what was there can still be taken
    BOOST_TEST(box.wait(8).empty());
}

BOOST_AUTO_TEST_CASE(waiting_ends_in_time)
{
    daemon::Mailbox<int> box(8);
    auto start = std::chrono::steady_clock::now();
    BOOST_TEST(box.wait_for(8, 30ms).empty());
    BOOST_TEST((std::chrono::steady_clock::now() - start >= 29ms));
}

BOOST_AUTO_TEST_SUITE_END()
