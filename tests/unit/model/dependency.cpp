#include "model/dependency.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(dependencies)

namespace {

Dependencies parsed(std::string_view text)
{
    auto result = parse_dependencies(text);
    BOOST_REQUIRE_MESSAGE(result, text << ": " << (result ? "" : result.error().message));
    auto again = parse_dependencies(format_dependencies(*result));
    BOOST_REQUIRE_MESSAGE((again && *again == *result), text << " reads back differently: " << format_dependencies(*result));
    return *result;
}

std::string again(std::string_view text) { return format_dependencies(parsed(text)); }

std::string refused(std::string_view text)
{
    auto result = parse_dependencies(text);
    BOOST_REQUIRE_MESSAGE(!result, text << " was taken");
    return result.error().message;
}

} // namespace

BOOST_AUTO_TEST_CASE(all_of_them)
{
    const auto result = parsed("afterok:5:6,after:7+10m,singleton");
    const std::vector<Dependency> expected{{DependencyKind::afterok, JobId{5}},
                                           {DependencyKind::afterok, JobId{6}},
                                           {DependencyKind::after, JobId{7}, 10min},
                                           {DependencyKind::singleton}};
    BOOST_TEST((result.list == expected));
    BOOST_TEST(!result.any);
    BOOST_TEST(format_dependencies(result) == "afterok:5:6,after:7+10m,singleton");
    BOOST_TEST(again("afterok:5,afterok:6") == "afterok:5:6");
    BOOST_TEST(again("after:7+10") == "after:7+10m"); // minutes, as everywhere
    BOOST_TEST(again("after:7+0") == "after:7");
    BOOST_TEST(again("afterok:5,afterok:5:5") == "afterok:5");
    BOOST_TEST(again("afterok:7_3:8[4]") == "afterok:7_3:8_4");
    BOOST_TEST((parsed("afterany:7_0").list.at(0).job == JobId{7, 0}));
    BOOST_TEST(again("afternotok:1,aftercorr:2,afterany:3") == "afternotok:1,aftercorr:2,afterany:3");
}

BOOST_AUTO_TEST_CASE(one_of_them)
{
    const auto result = parsed("afterany:8?afterok:9");
    BOOST_TEST(result.any);
    BOOST_TEST(result.list.size() == 2u);
    BOOST_TEST(format_dependencies(result) == "afterany:8?afterok:9");
    BOOST_TEST(again("afterok:5:6?afterok:7") == "afterok:5?afterok:6?afterok:7");
    BOOST_TEST(!parsed("afterok:5?afterok:5").any); // the same twice is one
}

BOOST_AUTO_TEST_CASE(what_is_refused)
{
    BOOST_TEST(refused("") == "the dependency is empty; expected for instance \"afterok:7\"");
    BOOST_TEST(refused("afterok:5,afterok:6?afterok:7") ==
               "dependency \"afterok:5,afterok:6?afterok:7\", column 20: \",\" (all must hold) and \"?\" (one is enough) do not "
               "mix; use one of them");
    BOOST_TEST(refused("aftrok:5") == "dependency \"aftrok:5\", column 1: unknown kind \"aftrok\"; it is one of after, afterok, "
                                      "afterany, afternotok, aftercorr, singleton; did you mean \"afterok\"?");
    BOOST_TEST(refused("5") == "dependency \"5\", column 1: a kind goes before the id, as in afterok:5");
    BOOST_TEST(refused("afterok") == "dependency \"afterok\", column 8: afterok needs a job id, as in afterok:7");
    BOOST_TEST(refused("afterok:5,") == "dependency \"afterok:5,\", column 11: expected one of after, afterok, afterany, "
                                        "afternotok, aftercorr, singleton");
    BOOST_TEST(refused("afterok:") == "dependency \"afterok:\", column 9: \"\" is no job id: an id is a number, as in 7; tasks of "
                                      "an array are 7_3 or 7_[1-4,9]");
    BOOST_TEST(refused("afterok:5:x") == "dependency \"afterok:5:x\", column 11: \"x\" is no job id: an id is a number, as in 7; "
                                         "tasks of an array are 7_3 or 7_[1-4,9]");
    BOOST_TEST(refused("afterok:0") == "dependency \"afterok:0\", column 9: \"0\" is no job id: ids go from 1 to 9007199254740992");
    BOOST_TEST(refused("afterok:5+10m") ==
               "dependency \"afterok:5+10m\", column 10: only after takes a delay, as in after:5+10m");
    BOOST_TEST(refused("after:5+soon").starts_with("dependency \"after:5+soon\", column 9: \"soon\" is not a duration"));
    BOOST_TEST(refused("aftercorr:7_3") == "dependency \"aftercorr:7_3\", column 11: aftercorr takes the id of a whole array: 7");
    BOOST_TEST(refused("afterok:7_[1-2]") == "dependency \"afterok:7_[1-2]\", column 9: \"7_[1-2]\" is no job id: expected one job or "
                                             "one task, as in 7 or 7_3");
    BOOST_TEST(refused("singleton:7") == "dependency \"singleton:7\", column 10: singleton takes no job id");
}

BOOST_AUTO_TEST_CASE(how_many)
{
    std::string text = "afterok";
    for (std::size_t i = 1; i <= max_dependencies; ++i)
        text += fmt::format(":{}", i);
    BOOST_TEST(parsed(text).list.size() == max_dependencies);
    text += ":20000";
    BOOST_TEST(refused(text).ends_with("more than 10000 dependencies"));
}

BOOST_AUTO_TEST_SUITE_END()
