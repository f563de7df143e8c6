#include "client/id_list.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::client;

namespace {

std::vector<std::uint64_t> ids(std::string_view text) { return parse_id_list(text).value().jobs; }

std::string tasks(std::string_view text)
{
    std::string found;
    const auto list = parse_id_list(text).value();
    for (const auto& selection : list.tasks)
        found += (found.empty() ? "" : " ") + format(selection);
    return found;
}

} // namespace

BOOST_AUTO_TEST_SUITE(id_list)

BOOST_AUTO_TEST_CASE(lists_and_ranges)
{
    BOOST_TEST((ids("7") == std::vector<std::uint64_t>{7}));
    BOOST_TEST((ids("9-12,7,10") == std::vector<std::uint64_t>{7, 9, 10, 11, 12}));
    BOOST_TEST(ids("1-100000").size() == 100000u);
    BOOST_TEST((ids("9007199254740992") == std::vector<std::uint64_t>{std::uint64_t{1} << 53}));
}

BOOST_AUTO_TEST_CASE(tasks_of_arrays)
{
    BOOST_TEST(tasks("7_3") == "7_3");
    BOOST_TEST(tasks("9_[1-4,9],7[3],9_5") == "7_3 9_[1-5,9]");
    BOOST_TEST(tasks("7_3,7,8") == ""); // the whole array is more
    BOOST_TEST((ids("7_3,9-10") == std::vector<std::uint64_t>{9, 10}));
    const std::vector<std::string> words{"7_[1-2]", "7_[2-3],8_0"};
    BOOST_TEST(format(parse_id_lists(words)->tasks.at(0)) == "7_[1-3]");
    for (const char* text : {"7_", "7_x", "7_[1", "7_1-4", "7_[1],,8", "7_[]", "7_[4-1]", "_3", "7_3-9", "7_[1-4]_2"})
        BOOST_TEST(!parse_id_list(text), text);
}

BOOST_AUTO_TEST_CASE(what_is_no_list_is_refused)
{
    for (const char* text : {"", ",", "7,", "7,,8", "0", "-7", "7-", "x", ".a", "7 8", "12-9", "1-100001", "9007199254740993", "0x7", "+7",
                             "1-60000,100000-160000", "18446744073709551616"})
        BOOST_TEST(!parse_id_list(text), text);
}

BOOST_AUTO_TEST_CASE(lists_are_written_as_they_are_read)
{
    BOOST_TEST(format_id_list({9, 7, 10, 12, 11, 9}) == "7,9-12");
    BOOST_TEST(format_id_list({7}) == "7");
    BOOST_TEST(format_id_list({}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
