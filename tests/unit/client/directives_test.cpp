#include "client/directives.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis::client;
using Words = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(directives)

BOOST_AUTO_TEST_CASE(lines_up_to_the_first_command)
{
    const auto found = parse_directives("#!/bin/bash\n"
                                        "# a comment\n"
                                        "#JSUB -n 4 --time=1h\n"
                                        "\n"
                                        "   # another\n"
                                        "#JSUB\t-J x\n"
                                        "  echo hello\n"
                                        "#JSUB -p late\n",
                                        "run.sh");
    BOOST_REQUIRE(found);
    BOOST_REQUIRE(found->size() == 2u);
    BOOST_TEST(found->at(0).line == 3u);
    BOOST_TEST((found->at(0).words == Words{"-n", "4", "--time=1h"}));
    BOOST_TEST(found->at(1).line == 6u);
    BOOST_TEST((found->at(1).words == Words{"-J", "x"}));
}

BOOST_AUTO_TEST_CASE(only_the_exact_mark_counts)
{
    for (const char* line : {"##JSUB -n 4", "# JSUB -n 4", "#JSUBX -n 4", " #JSUB -n 4", "#jsub -n 4"})
        BOOST_TEST(parse_directives(std::string("#!/bin/sh\n") + line + "\n", "x")->empty());
    BOOST_TEST(parse_directives("#JSUB", "x")->at(0).words.empty());
    BOOST_TEST(parse_directives("", "x")->empty());
}

BOOST_AUTO_TEST_CASE(words_are_quoted_as_in_a_shell_and_nothing_is_expanded)
{
    BOOST_TEST((split_words(R"(a 'b  c' "d e"f g\ h '' "")").value() == Words{"a", "b  c", "d ef", "g h", "", ""}));
    BOOST_TEST((split_words(R"($HOME ~ *.c `id` '$x' "\$y \n \"")").value() == Words{"$HOME", "~", "*.c", "`id`", "$x", "$y \\n \""}));
    BOOST_TEST((split_words("--a=1 # the rest is a comment").value() == Words{"--a=1"}));
    BOOST_TEST((split_words("a#b '#c'").value() == Words{"a#b", "#c"}));
    BOOST_TEST(split_words(" \t ").value().empty());
}

BOOST_AUTO_TEST_CASE(open_quotes_are_named_with_their_line)
{
    BOOST_TEST(parse_directives("#!/bin/sh\n#JSUB -J 'x\n", "run.sh").error().message == "run.sh:2: a ' is not closed on this line");
    BOOST_TEST(split_words("\"x").error().message == "a \" is not closed on this line");
    BOOST_TEST(split_words("x\\").error().message == "a \\ at the end: a directive ends with its line");
}

BOOST_AUTO_TEST_SUITE_END()
