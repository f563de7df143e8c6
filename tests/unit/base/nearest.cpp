#include "base/nearest.hpp"

#include <array>
#include <string>

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(nearest_word)

namespace {
constexpr std::array<std::string_view, 4> keys{"priority", "max_time", "nodes", "name"};
std::string found(std::string_view word) { return std::string(nearest(word, keys).value_or("-")); }
} // namespace

BOOST_AUTO_TEST_CASE(one_slip_of_the_fingers)
{
    BOOST_TEST(found("prioirty") == "priority"); // swapped
    BOOST_TEST(found("priorty") == "priority");  // left out
    BOOST_TEST(found("max-time") == "max_time"); // replaced
    BOOST_TEST(found("nodess") == "nodes");      // too much
    BOOST_TEST(found("MAX_TIME") == "max_time");
}

BOOST_AUTO_TEST_CASE(what_is_far_from_everything_names_nothing)
{
    BOOST_TEST(found("colour") == "-");
    BOOST_TEST(found("") == "-");
    BOOST_TEST(found("zzzz") == "-");
    BOOST_TEST(found(std::string(100000, 'n')) == "-");
    BOOST_TEST(!nearest("x", {}).has_value());
    constexpr std::array<std::string_view, 1> letter{"n"};
    BOOST_TEST(!nearest("x", letter).has_value()); // nothing of it was typed
}

BOOST_AUTO_TEST_CASE(of_equally_near_words_the_first_is_named)
{
    constexpr std::array<std::string_view, 2> words{"node1", "node2"};
    BOOST_TEST(nearest("node3", words).value() == "node1");
}

BOOST_AUTO_TEST_CASE(a_known_word_that_nobody_types_is_not_meant)
{
    const std::string long_word(200, 'n');
    const std::array<std::string_view, 2> words{long_word, "nn"};
    BOOST_TEST(nearest(std::string(120, 'n'), words).value_or("-") == "-");
    BOOST_TEST(nearest("nnn", words).value() == "nn");
}

BOOST_AUTO_TEST_CASE(a_message_asks)
{
    BOOST_TEST(did_you_mean("prioirty", keys) == "; did you mean \"priority\"?");
    BOOST_TEST(did_you_mean("colour", keys) == "");
}

BOOST_AUTO_TEST_SUITE_END()
