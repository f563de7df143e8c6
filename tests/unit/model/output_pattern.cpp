#include "model/output_pattern.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(output_patterns)

namespace {

const OutputPatternValues job{.job = "7", .name = "fold", .user = "alice", .array_job = "", .array_index = "0", .node = "n12"};
const OutputPatternValues element{.job = "7_3", .name = "a/b", .user = "alice", .array_job = "7", .array_index = "3", .node = "n12"};

std::string refused(std::string_view pattern)
{
    auto checked = check_output_pattern(pattern);
    BOOST_REQUIRE_MESSAGE(!checked, pattern << " was taken");
    return checked.error().message;
}

} // namespace

BOOST_AUTO_TEST_CASE(places_are_filled)
{
    BOOST_TEST(expand_output_pattern(default_output_pattern, job) == "jarvis-7.out");
    BOOST_TEST(expand_output_pattern("out/%u/%x-%j@%N.log", job) == "out/alice/fold-7@n12.log");
    BOOST_TEST(expand_output_pattern("%A_%a", job) == "7_0");
    BOOST_TEST(expand_output_pattern("%j %A %a", element) == "7_3 7 3");
    BOOST_TEST(expand_output_pattern("100%%", job) == "100%");
    BOOST_TEST(expand_output_pattern("%%j", job) == "%j");
    BOOST_TEST(expand_output_pattern("%%%j", job) == "%7");
    BOOST_TEST(expand_output_pattern("", job) == "");
}

BOOST_AUTO_TEST_CASE(a_name_with_a_slash_chooses_no_folder)
{
    BOOST_TEST(expand_output_pattern("%x.out", element) == "a_b.out");
    auto values = job;
    values.name = "../../etc/cron.d/x";
    BOOST_TEST(expand_output_pattern("%x", values) == ".._.._etc_cron.d_x");
}

BOOST_AUTO_TEST_CASE(values_are_not_patterns)
{
    auto values = job;
    values.name = "%j%%";
    BOOST_TEST(expand_output_pattern("%x", values) == "%j%%");
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_text_stay)
{
    BOOST_TEST(check_output_pattern("caf\xe9-%j").has_value());
    BOOST_TEST(expand_output_pattern("caf\xe9-%j", job) == "caf\xe9-7");
}

BOOST_AUTO_TEST_CASE(known_places_pass)
{
    for (auto pattern : {"", "jarvis-%j.out", "%j%x%u%A%a%N%%", "/tmp/a b"})
        BOOST_TEST(check_output_pattern(pattern).has_value(), pattern);
}

BOOST_AUTO_TEST_CASE(what_is_unknown_stays_as_it_is)
{
    BOOST_TEST(expand_output_pattern("%q-%j-%", job) == "%q-7-%");
}

BOOST_AUTO_TEST_CASE(unknown_ones_are_refused_with_their_column)
{
    BOOST_TEST(refused("out-%q") == "path \"out-%q\", column 5: unknown %q; known are %j %x %u %A %a %N and %%");
    BOOST_TEST(refused("%j-%J").find("column 4: unknown %J") != std::string::npos);
    BOOST_TEST(refused("%3j").find("column 1: unknown %3") != std::string::npos);
    BOOST_TEST(refused("%j%") == "path \"%j%\", column 3: a % at the end; write %% for a percent sign");
    BOOST_TEST(refused("%%%").find("column 3") != std::string::npos);
    BOOST_TEST(refused("%\n").find("unknown %\\n") != std::string::npos);
    BOOST_TEST(refused("%\xff").find("unknown %\\xff") != std::string::npos);
    BOOST_TEST(refused(std::string_view("a\0b", 3)).find("column 2: a path has no NUL byte") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
