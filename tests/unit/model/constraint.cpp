#include "model/constraint.hpp"

#include <random>

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(constraints)

namespace {

Constraint parsed(std::string_view text)
{
    auto constraint = parse_constraint(text);
    BOOST_REQUIRE_MESSAGE(constraint, text << ": " << (constraint ? "" : constraint.error().message));
    auto again = parse_constraint(format_constraint(*constraint));
    BOOST_REQUIRE_MESSAGE((again && *again == *constraint), text << " reads back differently: " << format_constraint(*constraint));
    return *constraint;
}

std::string again(std::string_view text) { return format_constraint(parsed(text)); }

bool met(std::string_view text, const std::vector<std::string>& features) { return matches(parsed(text), features); }

std::string refused(std::string_view text)
{
    auto constraint = parse_constraint(text);
    BOOST_REQUIRE_MESSAGE(!constraint, text << " was taken");
    return constraint.error().message;
}

} // namespace

BOOST_AUTO_TEST_CASE(features_of_one_node)
{
    BOOST_TEST(met("ib", {"ib"}));
    BOOST_TEST(!met("ib", {}));
    BOOST_TEST(!met("ib", {"ib2"}));
    BOOST_TEST(met("ib&fast", {"fast", "ib"}));
    BOOST_TEST(!met("ib&fast", {"ib"}));
    BOOST_TEST(met("ib|fast", {"ib"}));
    BOOST_TEST(!met("ib|fast", {"slow"}));
    BOOST_TEST(matches({}, {}));
}

BOOST_AUTO_TEST_CASE(and_binds_tighter)
{
    BOOST_TEST(met("a|b&c", {"a"}));
    BOOST_TEST(!met("(a|b)&c", {"a"}));
    BOOST_TEST(met("(a|b)&c", {"b", "c"}));
    BOOST_TEST(met("a&b|c&d", {"c", "d"}));
    BOOST_TEST(!met("a&b|c&d", {"a", "d"}));
}

BOOST_AUTO_TEST_CASE(counts)
{
    const auto racks = parsed("rack1*2&rack2*4");
    BOOST_TEST(racks.every.empty());
    BOOST_TEST(matches(racks, {}));
    BOOST_REQUIRE(racks.counts().size() == 2u);
    BOOST_TEST(racks.counts()[0].nodes == 2u);
    BOOST_TEST(racks.counts()[1].nodes == 4u);
    BOOST_TEST(holds(racks.counts()[0].features, {"rack1"}));
    BOOST_TEST(!holds(racks.counts()[0].features, {"rack2"}));

    const auto mixed = parsed("(big|fat)*2&ib");
    BOOST_TEST(!matches(mixed, {"big"}));
    BOOST_TEST(matches(mixed, {"ib"}));
    BOOST_TEST(holds(mixed.counts()[0].features, {"fat"}));
    BOOST_TEST(format_constraint(mixed) == "ib&(big|fat)*2");
}

BOOST_AUTO_TEST_CASE(as_text)
{
    BOOST_TEST(again("a") == "a");
    BOOST_TEST(again("((a))") == "a");
    BOOST_TEST(again("(a&b)|c") == "a&b|c");
    BOOST_TEST(again("(a|b)&c") == "(a|b)&c");
    BOOST_TEST(again("a&(b&c)") == "a&(b&c)");
    BOOST_TEST(again("a|b&c|d") == "a|b&c|d");
    BOOST_TEST(again("(a*2)&(b&c*3)") == "b&a*2&c*3");
    BOOST_TEST(again("x_1.b-c&9") == "x_1.b-c&9");
    BOOST_TEST(again("(a|b)&c*2") == "(a|b)&c*2");
    BOOST_TEST(again("a&b&c*2") == "a&b&c*2");
}

BOOST_AUTO_TEST_CASE(what_is_refused)
{
    BOOST_TEST(refused("") == "the constraint is empty; expected features, as in \"ib&(rack1|rack2)\"");
    BOOST_TEST(refused("a&") == "constraint \"a&\", column 3: expected a feature: letters, digits, \"_\", \".\" and \"-\"");
    BOOST_TEST(refused("&a") == "constraint \"&a\", column 1: expected a feature: letters, digits, \"_\", \".\" and \"-\"");
    BOOST_TEST(refused("(a") == "constraint \"(a\", column 1: this \"(\" has no \")\"");
    BOOST_TEST(refused("a)") == "constraint \"a)\", column 2: this \")\" has no \"(\"");
    BOOST_TEST(refused("()") == "constraint \"()\", column 2: expected a feature: letters, digits, \"_\", \".\" and \"-\"");
    BOOST_TEST(refused("(a b)") == "constraint \"(a b)\", column 3: expected \"&\", \"|\" or \")\"");
    BOOST_TEST(refused("a,b") == "constraint \"a,b\", column 2: features are joined by \"&\" (all) or \"|\" (one of them), not by \",\"");
    BOOST_TEST(refused("a b") == "constraint \"a b\", column 2: expected \"&\", \"|\" or \"*\" behind a feature");
    BOOST_TEST(refused("a*") == "constraint \"a*\", column 3: expected behind \"*\" a number of nodes, from 1 to 65536");
    BOOST_TEST(refused("a*0") == "constraint \"a*0\", column 3: expected behind \"*\" a number of nodes, from 1 to 65536");
    BOOST_TEST(refused("a*70000") == "constraint \"a*70000\", column 3: expected behind \"*\" a number of nodes, from 1 to 65536");
    BOOST_TEST(refused("a*2|b") ==
               "constraint \"a*2|b\", column 1: a count is joined to the rest by \"&\"; it is no alternative of \"|\"");
    BOOST_TEST(refused("b|a*2") ==
               "constraint \"b|a*2\", column 3: a count is joined to the rest by \"&\"; it is no alternative of \"|\"");
    BOOST_TEST(refused("(a*2&b)*3") ==
               "constraint \"(a*2&b)*3\", column 1: a count inside a counted group; count its features one by one");
    BOOST_TEST(refused("[a|b]") ==
               "constraint \"[a|b]\", column 1: \"[\" is not known here; there are \"&\", \"|\", \"( )\" and \"*N\"");
    BOOST_TEST(refused("!a") == "constraint \"!a\", column 1: \"!\" is not known here; there are \"&\", \"|\", \"( )\" and \"*N\"");
    BOOST_TEST(refused("-a") == "constraint \"-a\", column 1: a feature begins with a letter or digit");
    BOOST_TEST(refused(std::string(65, 'a')).ends_with("column 1: a feature has at most 64 bytes"));
}

BOOST_AUTO_TEST_CASE(the_largest)
{
    std::string wide = "f0", deep = "f0", right = "f0";
    for (std::size_t i = 1; i < max_constraint_terms; ++i) {
        wide += fmt::format("|f{}", i);
        deep = fmt::format("(f{}&{})", i, deep);
        right = fmt::format("f{}|({})", i, right);
    }
    std::vector<std::string> all;
    for (std::size_t i = 0; i < max_constraint_terms; ++i)
        all.push_back(fmt::format("f{}", i));
    for (const auto& feature : all) {
        BOOST_TEST(met(wide, {feature}));
        BOOST_TEST(met(right, {feature}));
        auto without = all;
        std::erase(without, feature);
        BOOST_TEST(!met(deep, without));
    }
    BOOST_TEST(met(deep, all));
    BOOST_TEST(!met(right, {"other"}));
    BOOST_TEST(refused(wide + "|x").ends_with("more than 64 features"));
    BOOST_TEST(refused(std::string(1000, '(') + "a").ends_with("column 65: more than 64 parentheses inside each other"));
}

// What was written down holds of the same nodes as what was read.
BOOST_AUTO_TEST_CASE(random_expressions_read_back)
{
    std::mt19937 random(1);
    auto number = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    auto expression = [&](auto& self, int depth) -> std::string {
        if (depth == 0 || number(3) == 0)
            return std::string(1, static_cast<char>('a' + number(5)));
        auto text = self(self, depth - 1) + (number(2) ? '&' : '|') + self(self, depth - 1);
        return number(2) ? '(' + text + ')' : text;
    };
    for (int i = 0; i < 500; ++i)
        parsed(expression(expression, 5));
}

BOOST_AUTO_TEST_SUITE_END()
