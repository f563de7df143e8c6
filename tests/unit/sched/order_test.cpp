// The order of a partition's jobs.
#include "sched/order.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using jarvis::sched::JobQueue;
using jarvis::sched::QueueKey;

BOOST_AUTO_TEST_SUITE(order)

BOOST_AUTO_TEST_CASE(higher_priority_first_then_the_older_job)
{
    BOOST_TEST((QueueKey{5, JobNumber{9}} < QueueKey{4, JobNumber{1}}));
    BOOST_TEST((QueueKey{4, JobNumber{1}} < QueueKey{4, JobNumber{2}}));
    BOOST_TEST((QueueKey{0, JobNumber{2}} < QueueKey{-1, JobNumber{1}}));
    BOOST_TEST((QueueKey{3, JobNumber{3}} == QueueKey{3, JobNumber{3}}));
    BOOST_TEST((QueueKey{std::numeric_limits<std::int64_t>::max(), JobNumber{1}} < QueueKey{std::numeric_limits<std::int64_t>::min(), JobNumber{1}}));
}

BOOST_AUTO_TEST_CASE(the_next_job_is_the_head_however_they_came)
{
    JobQueue queue;
    BOOST_TEST(!queue.next());
    for (auto key : {QueueKey{0, JobNumber{7}}, {0, JobNumber{3}}, {-2, JobNumber{1}}, {9, JobNumber{8}}})
        queue.insert(key);
    std::vector<std::uint64_t> order;
    while (auto next = queue.next()) {
        order.push_back(next->value);
        queue.erase(*queue.keys().begin());
    }
    BOOST_TEST(order == (std::vector<std::uint64_t>{8, 3, 7, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(entering_and_leaving_twice_is_once)
{
    JobQueue queue;
    queue.insert({1, JobNumber{1}});
    queue.insert({1, JobNumber{1}});
    BOOST_TEST(queue.size() == 1u);
    queue.erase({1, JobNumber{1}});
    queue.erase({1, JobNumber{1}});
    BOOST_TEST(queue.size() == 0u);
    BOOST_TEST((queue == JobQueue{}));
}

BOOST_AUTO_TEST_SUITE_END()
