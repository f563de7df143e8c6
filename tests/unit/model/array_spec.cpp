#include "model/array_spec.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(array_specs)

namespace {

ArraySpec parsed(std::string_view text)
{
    auto spec = parse_array_spec(text);
    BOOST_REQUIRE_MESSAGE(spec, text << ": " << (spec ? "" : spec.error().message));
    auto again = parse_array_spec(format_array_spec(*spec));
    BOOST_REQUIRE_MESSAGE((again && *again == *spec), text << " reads back differently");
    return *spec;
}

std::string again(std::string_view text) { return format_array_spec(parsed(text)); }

std::string refused(std::string_view text)
{
    auto spec = parse_array_spec(text);
    BOOST_REQUIRE_MESSAGE(!spec, text << " was taken");
    return spec.error().message;
}

std::uint32_t step(std::string_view text) { return array_step(parsed(text).tasks); }

} // namespace

BOOST_AUTO_TEST_CASE(tasks_and_throttle)
{
    const auto spec = parsed("0-99:2%10,200");
    BOOST_TEST(spec.throttle == 10u);
    BOOST_TEST(spec.tasks.size() == 51u);
    BOOST_TEST(format_array_spec(spec) == "0-98:2,200%10");
    BOOST_TEST((parsed("0-99:2,200%10") == spec));
    BOOST_TEST(again("5") == "5");
    BOOST_TEST(again("0-999999") == "0-999999");
    BOOST_TEST(again("4194303") == "4194303");
    BOOST_TEST(parsed("0-9").throttle == 0u);
    BOOST_TEST((parsed("1-3,2-4") == parsed("1-4")));
}

BOOST_AUTO_TEST_CASE(what_is_refused)
{
    BOOST_TEST(refused("") == "the array is empty; expected its tasks, as in \"0-99\" or \"0-99:2%10\"");
    BOOST_TEST(refused("0-9%2,11%3") == "array \"0-9%2,11%3\", column 9: a second \"%\"; one number holds for the whole array");
    BOOST_TEST(refused("0-9%") == "array \"0-9%\", column 4: expected \"%\" and how many tasks may run at once, from 1 to 1000000");
    BOOST_TEST(refused("0-9%0") == "array \"0-9%0\", column 4: expected \"%\" and how many tasks may run at once, from 1 to 1000000");
    BOOST_TEST(refused("%5") == "index list \"%5\", column 1: expected an index, as in \"0-99:2,200\"");
    BOOST_TEST(refused("0-9;") == "array \"0-9;\", column 4: expected a digit, \"-\", \":\", \"%\" or \",\"");
    BOOST_TEST(refused("0-1000000") == "array \"0-1000000\", column 1: more than 1000000 tasks");
    BOOST_TEST(refused("0-499999,600000-1200000") == "array \"0-499999,600000-1200000\", column 10: more than 1000000 tasks");
    BOOST_TEST(refused("4194304") == "index list \"4194304\", column 1: an index is at most 4194303");
}

BOOST_AUTO_TEST_CASE(steps)
{
    BOOST_TEST(step("0-99") == 1u);
    BOOST_TEST(step("0-98:2") == 2u);
    BOOST_TEST(step("5") == 1u);
    BOOST_TEST(step("1,11,21") == 10u);
    BOOST_TEST(step("3,7") == 4u);
    BOOST_TEST(step("0-98:2,200") == 1u);
    BOOST_TEST(step("1-2,4") == 1u);
    BOOST_TEST(array_step({}) == 1u);
}

BOOST_AUTO_TEST_CASE(what_a_task_is_told_of_its_array)
{
    const auto shape = shape_of(parsed("4-20:4,8").tasks);
    BOOST_TEST(shape.min == 4u);
    BOOST_TEST(shape.max == 20u);
    BOOST_TEST(shape.step == 4u);
    BOOST_TEST(shape.count == 5u);
}

BOOST_AUTO_TEST_SUITE_END()
