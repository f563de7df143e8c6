#include "client/environment.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <unistd.h>

using namespace jarvis::client;
using Words = std::vector<std::string>;

namespace {

const Words here{"HOME=/home/a", "X=1", "Y=a=b", "JSUB_NTASKS=4", "JARVIS_JOB_ID=7", "X=second", "odd", "BASH_FUNC_f%%=() { :; }"};

Words exported(std::string_view policy) { return export_environment(parse_export(policy).value(), here).variables; }

} // namespace

BOOST_AUTO_TEST_SUITE(environment)

BOOST_AUTO_TEST_CASE(all_takes_everything_but_ours)
{
    BOOST_TEST((exported("ALL") == Words{"BASH_FUNC_f%%=() { :; }", "HOME=/home/a", "X=1", "Y=a=b"}));
}

BOOST_AUTO_TEST_CASE(names_and_settings)
{
    BOOST_TEST(exported("NONE").empty());
    BOOST_TEST((exported("X,Z=5") == Words{"X=1", "Z=5"}));
    BOOST_TEST((exported("ALL,X=9,E=") == Words{"BASH_FUNC_f%%=() { :; }", "E=", "HOME=/home/a", "X=9", "Y=a=b"}));
    BOOST_TEST((export_environment(parse_export("X,NOPE").value(), here).missing == Words{"NOPE"}));
}

BOOST_AUTO_TEST_CASE(wrong_lists_are_refused)
{
    for (const char* list : {"", "X,,Y", "1X", "X Y", "NONE,X", "JARVIS_JOB_ID=8", "JSUB_TIME", "=5"})
        BOOST_TEST(!parse_export(list), list);
}

BOOST_AUTO_TEST_CASE(our_folder_does_not_stand_first_on_path)
{
    BOOST_TEST(path_without_first("/ours:/usr/bin:/bin", "/ours") == "/usr/bin:/bin:/ours");
    BOOST_TEST(path_without_first("/ours:/ours:/bin", "/ours") == "/bin:/ours");
    BOOST_TEST(path_without_first("/usr/bin:/ours", "/ours") == "/usr/bin:/ours");
    BOOST_TEST(path_without_first("/ours", "/ours") == "/usr/local/bin:/usr/bin:/bin:/ours");
    BOOST_TEST(path_without_first(":/bin", "/ours") == ":/bin");
    BOOST_TEST(path_without_first("/usr/bin", "") == "/usr/bin");
    BOOST_TEST(path_without_first("", "/ours") == "");
    // The same folder under another name.
    const auto folder = std::filesystem::temp_directory_path() / ("jarvis-path-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder / "bin");
    std::filesystem::create_directory_symlink(folder / "bin", folder / "link");
    const auto link = (folder / "link").string(), bin = (folder / "bin").string();
    BOOST_TEST(path_without_first(link + ":/bin", bin) == "/bin:" + bin);
    std::filesystem::remove_all(folder);
}

BOOST_AUTO_TEST_CASE(limits_are_named_as_getrlimit_does)
{
    BOOST_TEST((parse_propagate("nofile,RLIMIT_CORE,NOFILE").value() == Words{"CORE", "NOFILE"}));
    BOOST_TEST(parse_propagate("NONE").value().empty());
    BOOST_TEST(parse_propagate("all").value().size() == 16u);
    BOOST_TEST(parse_propagate("NOFIL").error().message.starts_with("unknown limit \"NOFIL\"; did you mean \"NOFILE\"?"));
    const auto limits = current_limits(Words{"NOFILE"}).value();
    BOOST_REQUIRE(limits.size() == 1u);
    BOOST_TEST(limits[0].name == "NOFILE");
    BOOST_TEST(limits[0].soft > 0u);
}

BOOST_AUTO_TEST_SUITE_END()
