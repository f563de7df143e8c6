#include "client/handover.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace jarvis::client;
namespace fs = std::filesystem;

namespace {

constexpr Option queue_options[] = {{'j', "jobs", "IDS", ""},   {'u', "user", "USERS", ""}, {'p', "partition", "NAMES", ""},
                                    {'t', "states", "S", ""},   {'w', "watch", "", ""},     {'l', "long", "", ""},
                                    {0, "format", "C", ""},     {0, "request", "ID", ""},   {0, "json", "", ""},
                                    {'h', "help", "", ""},      {'V', "version", "", ""}};

bool handed_over(std::vector<std::string> words) { return meant_for_json_processor(queue_options, words); }

struct Folder {
    fs::path path = fs::temp_directory_path() / ("jarvis-jq-" + std::to_string(::getpid()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    std::string program(const std::string& folder, const std::string& text)
    {
        fs::create_directories(path / folder);
        const auto file = path / folder / "jq";
        std::ofstream(file) << text;
        fs::permissions(file, fs::perms::owner_all);
        return file.string();
    }
    std::string in(const std::string& folder) const { return (path / folder).string(); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(handover)

BOOST_AUTO_TEST_CASE(the_queue_keeps_what_is_its_own)
{
    const std::vector<std::vector<std::string>> ours{
        {},         {"-l"},           {"-j", "7,9-12"}, {"-j7"},      {"--jobs=7"},     {"-u", "alice"}, {"-w"},
        {"--json"}, {"-t", "PD"},     {"--help"},       {"--version"}, {"-lj", "7"},    {"--request", "ff"},
        {"--jobs", ".a"}, // wrong, but nobody else's option
        {"--fromat=id"}, {"-x"}};
    for (const auto& words : ours)
        BOOST_TEST(!handed_over(words), (words.empty() ? "nothing" : words[0]));
}

BOOST_AUTO_TEST_CASE(filters_and_foreign_options_are_handed_over)
{
    const std::vector<std::vector<std::string>> theirs{
        {"."},        {".a"},     {"."  , "file.json"}, {"-r", ".a"}, {"-n", "1+1"},      {"-c", "."},      {"-rj", ".a"},
        {"-j", ".a"}, {"-j"},     {"-jr", ".a"},        {"-j.a"},     {"--slurp", "."},   {"--arg", "a", "b", ".x"},
        {"-j", "7", "file"},      {"--", ".a"},         {"-s"},       {"--raw-output", ".x"}, {"-e", ".a"}, {"-l", ".a"}};
    for (const auto& words : theirs)
        BOOST_TEST(handed_over(words), words[0]);
}

BOOST_AUTO_TEST_CASE(the_next_jq_is_no_build_of_ours)
{
    Folder folder;
    const auto own = folder.program("own", "#!/bin/sh\n");
    folder.program("copy", std::string(300'000, 'x') + "jarvis-queue-command:" "5f1d0c7e-8c55-4f1c-9d0b-3a1f6f1c2b7a" + "y");
    const auto real = folder.program("real", "#!/bin/sh\necho real\n");
    fs::create_directories(folder.path / "link");
    fs::create_symlink(own, folder.path / "link" / "jq");
    fs::create_directories(folder.path / "folder" / "jq");
    std::ofstream(folder.program("plain", "text")).put('x');
    fs::permissions(folder.path / "plain" / "jq", fs::perms::owner_read);
    const std::set<FileIdentity> skipped{identity_of(own).value()};

    const auto before = folder.in("own") + ":" + folder.in("link") + ":" + folder.in("copy") + ":" + folder.in("folder") + ":" +
                        folder.in("nowhere") + (::geteuid() == 0 ? "" : ":" + folder.in("plain"));
    BOOST_TEST(find_next_jq(before + ":" + folder.in("real"), skipped).value_or("none") == real);
    BOOST_TEST(!find_next_jq(before, skipped));
    BOOST_TEST(!find_next_jq("", skipped));
}

BOOST_AUTO_TEST_SUITE_END()
