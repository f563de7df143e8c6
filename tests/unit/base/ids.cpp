#include "base/ids.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(ids)

BOOST_AUTO_TEST_CASE(an_id_is_read_as_it_is_printed)
{
    for (auto id : {JobId{1}, JobId{81}, max_job_id, JobId{7, 0}, JobId{7, max_array_task}})
        BOOST_TEST((job_id_from_text(fmt::format("{}", id)) == id), fmt::format("{}", id));
    BOOST_TEST((job_id_from_text("7_3") == JobId{7, 3}));
}

BOOST_AUTO_TEST_CASE(nothing_else_is_an_id)
{
    for (auto text : {"", "0", "0_1", "_1", "7_", "7_x", "7_3x", "7x", " 7", "+7", "-7", "7_-1", "7_3_4", "07", "7_03", "7_00", "7.1",
                      "9007199254740993", "99999999999999999999", "7_4194304", "7_4294967295"})
        BOOST_TEST(!job_id_from_text(text), text);
}

BOOST_AUTO_TEST_CASE(an_array_stands_right_before_its_tasks)
{
    BOOST_TEST((JobId{7} < JobId{7, 0}));
    BOOST_TEST((JobId{7, 3} < JobId{7, 4}));
    BOOST_TEST((JobId{7, max_array_task} < JobId{8}));
    BOOST_TEST((JobId{7, 3}.array() == JobId{7}));
    BOOST_TEST((JobId{7} != JobId{7, 0}));
}

BOOST_AUTO_TEST_SUITE_END()
