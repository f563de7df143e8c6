#include "base/index_set.hpp"

#include <random>
#include <set>
#include <vector>

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(index_sets)

namespace {

constexpr std::uint32_t most = 4'194'303;

IndexSet parsed(std::string_view text)
{
    auto set = parse_index_set(text, most);
    BOOST_REQUIRE_MESSAGE(set, text << ": " << (set ? "" : set.error().message));
    return *set;
}

std::string refused(std::string_view text)
{
    auto set = parse_index_set(text, most);
    BOOST_REQUIRE_MESSAGE(!set, text << " was taken");
    BOOST_TEST((set.error().code == Errc::invalid));
    return set.error().message;
}

std::string again(std::string_view text) { return format_index_set(parsed(text)); }

std::set<std::uint32_t> elements(const IndexSet& set)
{
    std::set<std::uint32_t> all;
    set.for_each([&](std::uint32_t i) { all.insert(i); });
    BOOST_TEST(all.size() == set.size());
    return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(ranges_join_and_split)
{
    IndexSet set;
    BOOST_TEST(set.empty());
    set.insert(5);
    set.insert(7);
    BOOST_TEST(set.ranges().size() == 2u);
    set.insert(6);
    BOOST_TEST(set.ranges().size() == 1u);
    BOOST_TEST(set.size() == 3u);
    set.insert_range(0, 4);
    BOOST_TEST((set == IndexSet::range(0, 7)));
    set.erase(3);
    BOOST_TEST(format_index_set(set) == "0-2,4-7");
    BOOST_TEST(set.size() == 7u);
    set.insert_range(1, 5); // inside, across the hole
    BOOST_TEST((set == IndexSet::range(0, 7)));
    set.erase_range(2, 5);
    BOOST_TEST((set == IndexSet{0, 1, 6, 7}));
    set.erase_range(8, 100);
    set.erase_range(2, 5);
    BOOST_TEST(set.size() == 4u);
    BOOST_TEST(set.first() == 0u);
    BOOST_TEST(set.last() == 7u);
    BOOST_TEST(set.pop_first() == 0u);
    BOOST_TEST(set.pop_first() == 1u);
    BOOST_TEST(set.pop_first() == 6u);
    BOOST_TEST(set.pop_first() == 7u);
    BOOST_TEST(set.empty());
    BOOST_TEST(set.size() == 0u);
}

BOOST_AUTO_TEST_CASE(the_largest_numbers)
{
    IndexSet set;
    set.insert_range(0, UINT32_MAX);
    BOOST_TEST(set.size() == std::uint64_t{1} << 32);
    BOOST_TEST(set.contains(UINT32_MAX));
    set.erase(UINT32_MAX);
    BOOST_TEST(!set.contains(UINT32_MAX));
    set.insert(UINT32_MAX);
    BOOST_TEST(set.ranges().size() == 1u);
    set.erase_range(1, UINT32_MAX);
    BOOST_TEST((set == IndexSet{0}));
    set.insert(UINT32_MAX);
    set.insert(UINT32_MAX - 1);
    BOOST_TEST(set.ranges().size() == 2u);
    std::uint64_t seen = 0;
    set.for_each([&](std::uint32_t) { ++seen; });
    BOOST_TEST(seen == 3u);
}

BOOST_AUTO_TEST_CASE(next_and_contains)
{
    const IndexSet set{3, 4, 9};
    BOOST_TEST(set.contains(3));
    BOOST_TEST(!set.contains(5));
    BOOST_TEST(*set.next(0) == 3u);
    BOOST_TEST(*set.next(4) == 4u);
    BOOST_TEST(*set.next(5) == 9u);
    BOOST_TEST(!set.next(10));
    BOOST_TEST(set.includes(IndexSet{3, 9}));
    BOOST_TEST(set.includes({}));
    BOOST_TEST(!set.includes(IndexSet::range(3, 5)));
}

// Against std::set, with everything that the class does.
BOOST_AUTO_TEST_CASE(does_what_a_set_of_numbers_does)
{
    std::mt19937 random(1);
    auto number = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    IndexSet a, b;
    std::set<std::uint32_t> plain_a, plain_b;
    for (int round = 0; round < 3000; ++round) {
        const auto first = number(60), last = first + number(8);
        switch (number(7)) {
        case 0:
        case 1:
            a.insert_range(first, last);
            for (auto i = first; i <= last; ++i)
                plain_a.insert(i);
            break;
        case 2:
            a.erase_range(first, last);
            for (auto i = first; i <= last; ++i)
                plain_a.erase(i);
            break;
        case 3:
            std::swap(a, b);
            std::swap(plain_a, plain_b);
            break;
        case 4: {
            a |= b;
            plain_a.insert(plain_b.begin(), plain_b.end());
            break;
        }
        case 5:
            a -= b;
            for (auto i : plain_b)
                plain_a.erase(i);
            break;
        case 6:
            a &= b;
            std::erase_if(plain_a, [&](auto i) { return !plain_b.contains(i); });
            break;
        }
        BOOST_REQUIRE((elements(a) == plain_a));
        const bool meet = std::ranges::any_of(plain_a, [&](auto i) { return plain_b.contains(i); });
        BOOST_REQUIRE(a.intersects(b) == meet);
        BOOST_REQUIRE(a.includes(b) == std::ranges::includes(plain_a, plain_b));
        for (auto at = a.ranges().begin(); at != a.ranges().end(); ++at)
            BOOST_REQUIRE((std::next(at) == a.ranges().end() || std::next(at)->first > at->second + 1));
        if (!a.empty())
            BOOST_REQUIRE((parsed(format_index_set(a)) == a));
    }
    a |= a;
    BOOST_TEST((elements(a) == plain_a));
    a -= a;
    BOOST_TEST(a.empty());
}

BOOST_AUTO_TEST_CASE(runs_are_written_as_ranges)
{
    BOOST_TEST(format_index_set({}) == "");
    BOOST_TEST(again("7") == "7");
    BOOST_TEST(again("0-99:2,200") == "0-98:2,200");
    BOOST_TEST(again("1,2") == "1,2");
    BOOST_TEST(again("3,2,1") == "1-3");
    BOOST_TEST(again("0,10,20") == "0-20:10");
    BOOST_TEST(again("0,1,10,20,30") == "0,1,10-30:10");
    BOOST_TEST(again("1,2,4,6,8") == "1,2-8:2");
    BOOST_TEST(again("0-99:2,200,5") == "0,2,4-6,8-98:2,200"); // neighbours stand together
    BOOST_TEST(again("0-5,3-9,7") == "0-9");
    BOOST_TEST(again("0-9:20") == "0");
    BOOST_TEST(again("4-6:1") == "4-6");
    BOOST_TEST(again("0,3,5,7,100-200") == "0,3-7:2,100-200");
}

BOOST_AUTO_TEST_CASE(a_million)
{
    const auto whole = parsed("0-999999");
    BOOST_TEST(whole.ranges().size() == 1u);
    BOOST_TEST(whole.size() == 1'000'000u);
    const auto even = parsed("0-999998:2");
    BOOST_TEST(even.size() == 500'000u);
    BOOST_TEST(format_index_set(even) == "0-999998:2");
    BOOST_TEST(parsed("0-4194303").size() == most + 1u);
}

BOOST_AUTO_TEST_CASE(what_is_refused)
{
    BOOST_TEST(refused("") == "the index list is empty; expected indexes, as in \"0-99:2,200\"");
    BOOST_TEST(refused("a") == "index list \"a\", column 1: expected an index, as in \"0-99:2,200\"");
    BOOST_TEST(refused("1,,2") == "index list \"1,,2\", column 3: expected an index, as in \"0-99:2,200\"");
    BOOST_TEST(refused("1,") == "index list \"1,\", column 3: expected an index, as in \"0-99:2,200\"");
    BOOST_TEST(refused("1-") == "index list \"1-\", column 3: expected an index, as in \"0-99:2,200\"");
    BOOST_TEST(refused("-1") == "index list \"-1\", column 1: expected an index, as in \"0-99:2,200\"");
    BOOST_TEST(refused("9-3") == "index list \"9-3\", column 1: the range 9-3 runs backwards; write 3-9");
    BOOST_TEST(refused("0-9:0") == "index list \"0-9:0\", column 5: a step of 0 would never end; it is at least 1");
    BOOST_TEST(refused("0-9:") == "index list \"0-9:\", column 5: expected a step, as in \"0-99:2,200\"");
    BOOST_TEST(refused("5000000") == "index list \"5000000\", column 1: an index is at most 4194303");
    BOOST_TEST(refused("0-99999999999999999999") ==
               "index list \"0-99999999999999999999\", column 3: an index is at most 4194303");
    BOOST_TEST(refused("1 2") == "index list \"1 2\", column 2: expected a digit, \"-\", \":\" or \",\"");
    BOOST_TEST(refused("1:2") == "index list \"1:2\", column 2: expected a digit, \"-\", \":\" or \",\"");
    BOOST_TEST(refused("1\n") == "index list \"1\\n\", column 2: expected a digit, \"-\", \":\" or \",\"");
    // What costs memory is bounded for the whole list, however often it names the same.
    BOOST_TEST(refused("0-4194303:2") ==
               "index list \"0-4194303:2\", column 1: ranges with steps name more than 1000000 indexes in all");
    BOOST_TEST(refused("0-999999:2,0-999999:2,0-999999:2") ==
               "index list \"0-999999:2,0-999999:2,0-999999:2\", column 23: ranges with steps name more than 1000000 indexes in all");
}

BOOST_AUTO_TEST_SUITE_END()
