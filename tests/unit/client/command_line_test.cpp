#include "client/command_line.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis::client;

namespace {

constexpr Option options[] = {{'n', "ntasks", "N", ""}, {'H', "hold", "", ""}, {'l', "long", "", ""}, {0, "comment", "TEXT", ""}};

auto parse(std::vector<std::string> words, bool stop = false) { return parse_words(options, words, stop); }

} // namespace

BOOST_AUTO_TEST_SUITE(command_line)

BOOST_AUTO_TEST_CASE(all_spellings_of_an_option_are_one)
{
    for (const auto& words : std::vector<std::vector<std::string>>{{"-n4"}, {"-n", "4"}, {"--ntasks=4"}, {"--ntasks", "4"}, {"-Hn4"}}) {
        const auto line = parse(words);
        BOOST_REQUIRE(line);
        BOOST_TEST(line->last("ntasks").value() == "4");
        BOOST_TEST(line->words.empty());
    }
}

BOOST_AUTO_TEST_CASE(a_value_is_taken_as_it_stands)
{
    BOOST_TEST(parse({"--comment="})->last("comment").value() == "");
    BOOST_TEST(parse({"--comment", ""})->last("comment").value() == "");
    BOOST_TEST(parse({"--comment", "--hold"})->last("comment").value() == "--hold");
    BOOST_TEST(parse({"--comment=[a,b]"})->last("comment").value() == "[a,b]");
    BOOST_TEST(parse({"--comment=a=b"})->last("comment").value() == "a=b");
    BOOST_TEST(parse({"-n", "-5"})->last("ntasks").value() == "-5");
}

BOOST_AUTO_TEST_CASE(the_last_of_several_values_counts)
{
    const auto line = parse({"-n1", "-n", "2", "--ntasks=3"});
    BOOST_TEST(line->last("ntasks").value() == "3");
    BOOST_TEST(line->all("ntasks").size() == 3u);
}

BOOST_AUTO_TEST_CASE(words_and_options_mix_unless_the_first_word_ends_the_options)
{
    const std::vector<std::string> words{"-H", "run.sh", "-l", "--", "-x"};
    const auto mixed = parse(words);
    BOOST_TEST((mixed->words == std::vector<std::string>{"run.sh", "-x"}));
    BOOST_TEST(mixed->has("long"));
    const auto ended = parse(words, true);
    BOOST_TEST((ended->words == std::vector<std::string>{"run.sh", "-l", "--", "-x"}));
    BOOST_TEST(!ended->has("long"));
    BOOST_TEST(parse({"-"})->words.size() == 1u);
    BOOST_TEST((parse({"--", "--odd name"}, true)->words == std::vector<std::string>{"--odd name"}));
}

BOOST_AUTO_TEST_CASE(wrong_usage_says_what_and_names_the_nearest)
{
    const auto unknown = parse({"--ntask=4"});
    BOOST_TEST((unknown.error().kind == WrongUsage::Kind::unknown_option));
    BOOST_TEST(unknown.error().message == "unknown option --ntask; did you mean \"--ntasks\"?");
    BOOST_TEST(parse({"-Hx"}).error().message == "unknown option -x");
    BOOST_TEST(parse({"-n"}).error().message == "option -n needs a value: N");
    BOOST_TEST(parse({"--hold=yes"}).error().message == "option --hold takes no value");
}

BOOST_AUTO_TEST_CASE(codes_of_a_list)
{
    BOOST_TEST((worse(Exit::done, Exit::not_found) == Exit::not_found));
    BOOST_TEST((worse(Exit::not_found, Exit::failed) == Exit::failed));
    BOOST_TEST((worse(Exit::failed, Exit::no_answer) == Exit::no_answer));
    BOOST_TEST((worse(Exit::done, Exit::done) == Exit::done));
}

BOOST_AUTO_TEST_SUITE_END()
