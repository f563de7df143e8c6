#include "model/core_set.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(core_sets)

BOOST_AUTO_TEST_CASE(equal_sets_are_equal_however_they_came_about)
{
    CoreSet a = CoreSet::range(0, 4);
    CoreSet b = CoreSet::range(0, 200);
    b -= CoreSet::range(4, 196);
    BOOST_TEST((a == b));
    BOOST_TEST((a == CoreSet::from_words({15, 0, 0})));
    BOOST_TEST(CoreSet::from_words({0, 0}).empty());
    BOOST_TEST((CoreSet::from_words(a.words()) == a));
}

BOOST_AUTO_TEST_CASE(members_across_words)
{
    CoreSet set;
    for (std::uint32_t core : {0u, 63u, 64u, 500u})
        set.insert(core);
    BOOST_TEST(set.count() == 4u);
    BOOST_TEST(set.contains(64));
    BOOST_TEST(!set.contains(65));
    BOOST_TEST(!set.contains(100000));
    std::vector<std::uint32_t> seen;
    set.for_each([&](std::uint32_t core) { seen.push_back(core); });
    BOOST_TEST((seen == std::vector<std::uint32_t>{0, 63, 64, 500}));
}

BOOST_AUTO_TEST_CASE(union_difference_and_overlap)
{
    auto low = CoreSet::range(0, 70), high = CoreSet::range(60, 70);
    BOOST_TEST((low | high) .count() == 130u);
    BOOST_TEST((low - high).count() == 60u);
    BOOST_TEST(low.intersects(high));
    BOOST_TEST(!(low - high).intersects(high));
    BOOST_TEST(!CoreSet().intersects(low));
    BOOST_TEST((low - low).empty());
}

BOOST_AUTO_TEST_CASE(list_format)
{
    BOOST_TEST(format_list(CoreSet()) == "");
    BOOST_TEST(format_list(CoreSet::range(3, 1)) == "3");
    BOOST_TEST(format_list(CoreSet::range(0, 4) | CoreSet::range(8, 1) | CoreSet::range(62, 4)) == "0-3,8,62-65");
}

BOOST_AUTO_TEST_SUITE_END()
