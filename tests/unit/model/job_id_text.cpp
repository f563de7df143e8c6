#include "model/job_id_text.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(job_ids_as_text)

namespace {

std::string again(std::string_view text)
{
    auto selection = parse_job_selection(text);
    BOOST_REQUIRE_MESSAGE(selection, text << ": " << (selection ? "" : selection.error().message));
    auto second = parse_job_selection(format(*selection));
    BOOST_REQUIRE((second && *second == *selection));
    return format(*selection);
}

std::string refused(std::string_view text)
{
    auto selection = parse_job_selection(text);
    BOOST_REQUIRE_MESSAGE(!selection, text << " was taken");
    return selection.error().message;
}

} // namespace

BOOST_AUTO_TEST_CASE(selections)
{
    BOOST_TEST(again("7") == "7");
    BOOST_TEST(again("7_3") == "7_3");
    BOOST_TEST(again("7[3]") == "7_3");
    BOOST_TEST(again("7_[1-4,9]") == "7_[1-4,9]");
    BOOST_TEST(again("7[1-4]") == "7_[1-4]");
    BOOST_TEST(again("7_[0-98:2]") == "7_[0-98:2]");
    BOOST_TEST(!parse_job_selection("7")->tasks);
    BOOST_TEST(parse_job_selection("9007199254740992")->job == max_job_id.value);
}

BOOST_AUTO_TEST_CASE(what_is_refused)
{
    BOOST_TEST(refused("") == "\"\" is no job id: an id is a number, as in 7; tasks of an array are 7_3 or 7_[1-4,9]");
    BOOST_TEST(refused("x7") == "\"x7\" is no job id: an id is a number, as in 7; tasks of an array are 7_3 or 7_[1-4,9]");
    BOOST_TEST(refused("7x") == "\"7x\" is no job id: an id is a number, as in 7; tasks of an array are 7_3 or 7_[1-4,9]");
    BOOST_TEST(refused("0") == "\"0\" is no job id: ids go from 1 to 9007199254740992");
    BOOST_TEST(refused("9007199254740993") == "\"9007199254740993\" is no job id: ids go from 1 to 9007199254740992");
    BOOST_TEST(refused("7_[1-4") == "\"7_[1-4\" is no job id: it does not end with \"]\"");
    BOOST_TEST(refused("7_1-4") == "\"7_1-4\" is no job id: the number of a task goes behind \"_\", as in 7_3; several stand in "
                                   "brackets, as in 7_[1-4,9]");
    BOOST_TEST(refused("7_") == "\"7_\" is no job id: the number of a task goes behind \"_\", as in 7_3; several stand in "
                                "brackets, as in 7_[1-4,9]");
    BOOST_TEST(refused("7_[4-1]") ==
               "\"7_[4-1]\" is no job id: index list \"4-1\", column 1: the range 4-1 runs backwards; write 1-4");
}

BOOST_AUTO_TEST_CASE(one_job)
{
    BOOST_TEST((*parse_job_id("7") == JobId{7}));
    BOOST_TEST((*parse_job_id("7_3") == JobId{7, 3}));
    BOOST_TEST((*parse_job_id("7[3]") == JobId{7, 3}));
    BOOST_TEST((*parse_job_id("7_[0]") == JobId{7, 0}));
    BOOST_TEST((*parse_job_id("7_4194303") == JobId{7, max_array_task}));
    BOOST_TEST(!parse_job_id("7_4194304"));
    BOOST_TEST(parse_job_id("7_[1-2]").error().message ==
               "\"7_[1-2]\" is no job id: expected one job or one task, as in 7 or 7_3");
    BOOST_TEST(!parse_job_id("seven"));
}

BOOST_AUTO_TEST_SUITE_END()
