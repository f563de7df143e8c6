// Arrays, selections, dependencies and retries as messages: what goes out comes back, and what nobody could mean is refused.
#include "wire/convert.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;

namespace {

template <class Message>
std::string refusal(const Message& message)
{
    auto value = wire::from_message(message);
    return value ? "accepted" : value.error().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(convert_relations)

BOOST_AUTO_TEST_CASE(selections_come_back)
{
    for (const char* text : {"7", "7_3", "7_0", "7_[1-4,9]", "7_[0-98:2,200]"}) {
        const auto selection = parse_job_selection(text);
        BOOST_REQUIRE(selection);
        auto back = wire::from_message(wire::to_message(*selection));
        BOOST_REQUIRE(back);
        BOOST_TEST(format(*back) == text);
    }
}

BOOST_AUTO_TEST_CASE(a_selection_of_nothing_is_refused)
{
    wire::JobSelection message;
    BOOST_TEST(refusal(message) != "accepted");
    message.set_job_id(7);
    (void)message.mutable_tasks();
    BOOST_TEST(refusal(message) == "job 7: no tasks are named");
}

BOOST_AUTO_TEST_CASE(index_sets_that_no_one_sends)
{
    wire::IndexSet message;
    message.add_first(4);
    BOOST_TEST(refusal(message) == "task list: 1 ranges begin and 0 end");
    message.add_last(3);
    BOOST_TEST(refusal(message) == "task list: 4-3 is no range of tasks; they go up to 4194303");
    message.set_last(0, 6);
    message.add_first(6);
    message.add_last(8);
    BOOST_TEST(refusal(message) == "task list: 6 stands behind 6");
    message.set_first(1, 7);
    message.set_last(1, 4'194'304);
    BOOST_TEST(refusal(message) == "task list: 7-4194304 is no range of tasks; they go up to 4194303");
    message.set_last(1, 8);
    auto set = wire::from_message(message);
    BOOST_REQUIRE(set);
    BOOST_TEST(format_index_set(*set) == "4-8");
    message.add_step(1);
    BOOST_TEST(refusal(message) == "task list: 2 ranges and 1 steps");
    message.add_step(0);
    BOOST_TEST(refusal(message) == "task list: 7-8:0 is no range of tasks; they go up to 4194303");
    message.set_step(1, 3);
    BOOST_TEST(format_index_set(wire::from_message(message).value()) == "4-7");
    message.set_step(1, 2);
    message.set_last(1, 4'000'000);
    BOOST_TEST(refusal(message) == "task list: ranges with steps name more than 1000000 tasks");
}

BOOST_AUTO_TEST_CASE(large_sets_are_small_messages)
{
    for (auto text : {"0-999999", "0-999998:2", "0-9,20-40:5,99,100-200"}) {
        const auto set = parse_index_set(text, max_array_task).value();
        const auto message = wire::to_message(set);
        BOOST_TEST(message.ByteSizeLong() < 40u, text);
        BOOST_TEST((wire::from_message(message) == set), text);
    }
}

BOOST_AUTO_TEST_CASE(an_array_has_at_most_a_million_tasks)
{
    BOOST_TEST(refusal(wire::to_message(ArraySpec{IndexSet::range(0, 999'999), 0})) == "accepted");
    BOOST_TEST(refusal(wire::to_message(ArraySpec{IndexSet::range(0, 1'000'000), 0})) == "array: 1000001 tasks; at most 1000000 are possible");
    BOOST_TEST(refusal(wire::to_message(ArraySpec{{}, 3})) == "array: it has no tasks");
}

BOOST_AUTO_TEST_CASE(dependencies_that_no_one_sends)
{
    auto message = wire::to_message(Dependencies{false, {{DependencyKind::afterok, JobId{5}, {}}}});
    BOOST_TEST(refusal(message) == "accepted");
    message.mutable_list(0)->set_delay_us(1);
    BOOST_TEST(refusal(message) == "dependency: afterok has no delay");
    message.mutable_list(0)->set_delay_us(0);
    message.mutable_list(0)->set_job_id(0);
    BOOST_TEST(refusal(message) != "accepted");
    message.mutable_list(0)->set_kind(7);
    BOOST_TEST(refusal(message).find("kind 7") != std::string::npos);
    message.mutable_list(0)->set_kind(0);
    BOOST_TEST(refusal(message).find("kind 0") != std::string::npos);
    Dependencies many;
    for (std::uint64_t i = 1; i <= max_dependencies + 1; ++i)
        many.list.push_back({DependencyKind::afterok, JobId{i}, {}});
    BOOST_TEST(refusal(wire::to_message(many)) == "10001 dependencies; at most 10000 are possible");
}

BOOST_AUTO_TEST_CASE(retries_that_no_one_sends)
{
    RetryRule rule;
    rule.times = 2;
    rule.exits = {{3, 5}};
    const auto good = wire::to_message(rule);
    BOOST_TEST(refusal(good) == "accepted");
    auto message = good;
    message.set_times(max_retries + 1);
    BOOST_TEST(refusal(message) == "retry: 1001 times; at most 1000 are possible");
    message = good;
    message.set_backoff_most_us(1);
    BOOST_TEST(refusal(message) == "retry: the first wait is longer than the longest");
    message = good;
    message.set_on(32);
    BOOST_TEST(refusal(message).find("one of the causes") != std::string::npos);
    message = good;
    message.mutable_exits(0)->set_last(256);
    BOOST_TEST(refusal(message) == "retry: 3-256 is no range of exit codes");
}

BOOST_AUTO_TEST_SUITE_END()
