#include "base/hostlist.hpp"

#include <random>
#include <set>

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(host_lists)

namespace {

std::string expanded(std::string_view text)
{
    auto names = expand_hostlist(text);
    BOOST_REQUIRE_MESSAGE(names, text << ": " << (names ? "" : names.error().message));
    return fmt::format("{}", fmt::join(*names, " "));
}

std::string refused(std::string_view text, std::size_t limit = max_hostlist_names)
{
    auto names = expand_hostlist(text, limit);
    BOOST_REQUIRE_MESSAGE(!names, text << " was taken");
    return names.error().message;
}

std::string compressed(std::vector<std::string> names) { return compress_hostlist(names); }

} // namespace

BOOST_AUTO_TEST_CASE(ranges_and_names)
{
    BOOST_TEST(expanded("n1") == "n1");
    BOOST_TEST(expanded("n[1-3]") == "n1 n2 n3");
    BOOST_TEST(expanded("n[008-011,020],login1") == "n008 n009 n010 n011 n020 login1");
    BOOST_TEST(expanded("n[0-2]") == "n0 n1 n2");
    BOOST_TEST(expanded("n[7]") == "n7");
    BOOST_TEST(expanded("n[1-2]-ib.example.org") == "n1-ib.example.org n2-ib.example.org");
    BOOST_TEST(expanded("r[1-2]n[1-2]") == "r1n1 r1n2 r2n1 r2n2");
    BOOST_TEST(expanded("[1-2]") == "1 2");
    BOOST_TEST(expanded("n[98-102]") == "n98 n99 n100 n101 n102");
    BOOST_TEST(expanded("n[09-100]").ends_with("n98 n99 n100"));
}

BOOST_AUTO_TEST_CASE(names_come_in_the_order_written_and_once)
{
    BOOST_TEST(expanded("b,a,b") == "b a");
    BOOST_TEST(expanded("n[3,1-3]") == "n3 n1 n2");
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_refused_with_its_column)
{
    BOOST_TEST(refused("") == "the host list is empty");
    BOOST_TEST(refused("n[1-").find("column 5: expected a number") != std::string::npos);
    BOOST_TEST(refused("n[1-4").find("column 2: this \"[\" has no \"]\"") != std::string::npos);
    BOOST_TEST(refused("n[]").find("column 3: expected a number") != std::string::npos);
    BOOST_TEST(refused("n[4-1]").find("column 3: the range 4-1 runs backwards") != std::string::npos);
    BOOST_TEST(refused("n[1-2-3]").find("column 6: expected a digit") != std::string::npos);
    BOOST_TEST(refused("n[a]").find("column 3") != std::string::npos);
    BOOST_TEST(refused("n[[1]]").find("column 3") != std::string::npos);
    BOOST_TEST(refused("n1,,n2").find("column 4: expected a name") != std::string::npos);
    BOOST_TEST(refused("n1,").find("column 4: expected a name") != std::string::npos);
    BOOST_TEST(refused(",").find("column 1") != std::string::npos);
    BOOST_TEST(refused("n1 n2").find("column 3: a name has") != std::string::npos);
    BOOST_TEST(refused("n]").find("column 2") != std::string::npos);
    BOOST_TEST(refused("-n1").find("begins with a letter or digit") != std::string::npos);
    BOOST_TEST(refused("ü").find("column 1") != std::string::npos);
    BOOST_TEST(refused(std::string(300, 'n')).find("253") != std::string::npos);
    BOOST_TEST(refused("n[1234567890123456789]").find("18 digits") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_number_of_names_is_bounded)
{
    BOOST_TEST(expand_hostlist("n[1-65536]").value().size() == 65536u);
    BOOST_TEST(refused("n[1-65537]").find("more than 65536 names") != std::string::npos);
    BOOST_TEST(refused("n[0-999999999999999999]").find("more than") != std::string::npos);
    BOOST_TEST(refused("a[1-1000]b[1-1000]").find("more than") != std::string::npos);
    BOOST_TEST(refused("a[1-1000]b[1-1000]c[1-1000]d[1-1000]e[1-1000]").find("more than") != std::string::npos);
    BOOST_TEST(refused("n[1-2],m1", 2).find("column 8: more than 2 names") != std::string::npos);
    BOOST_TEST(expand_hostlist("n[1-2]", 2).value().size() == 2u);
}

BOOST_AUTO_TEST_CASE(compressing)
{
    BOOST_TEST(compressed({}) == "");
    BOOST_TEST(compressed({"n1"}) == "n1");
    BOOST_TEST(compressed({"n3", "n1", "n2", "n2"}) == "n[1-3]");
    BOOST_TEST(compressed({"n1", "n3", "login"}) == "login,n[1,3]");
    BOOST_TEST(compressed({"n9", "n10", "n11"}) == "n[9-11]");
    BOOST_TEST(compressed({"n001", "n002", "n100", "n128"}) == "n[001-002,100,128]");
    BOOST_TEST(compressed({"n1-ib", "n2-ib"}) == "n[1-2]-ib");
    BOOST_TEST(compressed({"r1n1", "r1n2", "r2n1"}) == "r1n[1-2],r2n1");
    BOOST_TEST(compressed({"n01", "n1"}) == "n1,n01");
    BOOST_TEST(compressed({"strange name", "x"}) == "strange name,x");
}

BOOST_AUTO_TEST_CASE(any_set_of_names_survives_the_round_trip)
{
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
        std::set<std::string> names;
        for (int i = 0; i < 40; ++i) {
            auto number = random() % 130;
            names.insert(fmt::format("{}{:0{}}{}", random() % 2 ? "n" : "rack2-", number, random() % 4 + 1, random() % 5 ? "" : "-ib"));
        }
        std::vector<std::string> list(names.begin(), names.end());
        auto text = compress_hostlist(list);
        auto back = expand_hostlist(text);
        BOOST_REQUIRE_MESSAGE(back, text);
        BOOST_REQUIRE_MESSAGE(std::set<std::string>(back->begin(), back->end()) == names, text);
        BOOST_REQUIRE_EQUAL(back->size(), names.size());
    }
}

BOOST_AUTO_TEST_CASE(order_is_kept_where_it_matters)
{
    using Names = std::vector<std::string>;
    BOOST_TEST(hostlist_in_order(Names{"n1", "n2", "n3"}) == "n[1-3]");
    BOOST_TEST(hostlist_in_order(Names{"n3", "n1", "n2"}) == "n3,n1,n2");
    BOOST_TEST(hostlist_in_order(Names{"b1", "a1"}) == "b1,a1");
    BOOST_TEST(hostlist_in_order(Names{}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
