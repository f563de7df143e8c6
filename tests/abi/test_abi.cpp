// The host refuses what it must, gets along with what it can, and the teaching plugins do what their authors meant.
#include "plugin/auth.hpp"
#include "plugin/check_process.hpp"
#include "plugin/conformance.hpp"
#include "plugin/policy.hpp"
#include "plugin/storage.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::plugin;

namespace {

std::string file_of(std::string_view kind, std::string_view name)
{
    return plugin_file(TEST_PLUGINS, kind, name);
}

// Why a policy plugin is refused.
std::string refusal(std::string_view name, Errc code = Errc::invalid)
{
    const auto policy = Policy::open({.file = file_of("policy", name)});
    BOOST_REQUIRE(!policy);
    BOOST_TEST((policy.error().code == code));
    BOOST_TEST(policy.error().message.find("policy") != std::string::npos, policy.error().message);
    return policy.error().message;
}

bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

struct Folder {
    std::string path = (std::filesystem::temp_directory_path() / fmt::format("jarvis_abi_{}", ::getpid())).string();
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
};

void conforms(std::string_view kind)
{
    const Folder folder;
    int passed = 0;
    const CheckListener listener{
        .begin = [](std::string_view) {},
        .passed = [&](std::string_view) { ++passed; },
        .failed = [](std::string_view name,
                     std::string_view why) { BOOST_ERROR(std::string(name) + ": " + std::string(why)); },
    };
    check_plugin(kind, {.file = file_of(kind, "teaching")}, folder.path, listener);
    BOOST_TEST(passed > 1);
}

config::PluginSection section(std::string kind, std::vector<config::RawSetting> settings)
{
    return {std::move(kind), "teaching", {"jarvis.toml", 10, 1}, std::move(settings)};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_refusal_names_the_file_and_both_versions)
{
    for (const auto* name : {"other_major", "old_minor"}) {
        const auto message = refusal(name);
        BOOST_TEST(has(message, file_of("policy", name)), message);
        BOOST_TEST(has(message, fmt::format("this Jarvis has {}.{}", JARVIS_ABI_MAJOR, JARVIS_ABI_MINOR)), message);
    }
    BOOST_TEST(has(refusal("other_major"), "7.3"));
    BOOST_TEST(has(refusal("old_minor"), "0.0"));
}

BOOST_AUTO_TEST_CASE(broken_tables_are_refused_before_anything_is_called)
{
    BOOST_TEST(has(refusal("short_header"), "20 bytes"));
    BOOST_TEST(has(refusal("short_table"), "needs at least"));
    BOOST_TEST(has(refusal("no_name"), "lacks"));
    BOOST_TEST(has(refusal("other_kind"), "\"storage\""));
    BOOST_TEST(has(refusal("no_table"), "returns no table"));
    BOOST_TEST(has(refusal("lacks_function"), "lacks a function"));
    BOOST_TEST(has(refusal("odd_setting"), "type 99"));
    BOOST_TEST(has(refusal("missing_altogether", Errc::not_found), "No such file"));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_plugin_of_the_kind_is_refused)
{
    const auto other = Storage::load({.file = file_of("policy", "teaching")});
    BOOST_REQUIRE(!other);
    BOOST_TEST(has(other.error().message, "jarvis_storage_entry"), other.error().message);
    const auto text = Policy::open({.file = "/etc/passwd"});
    BOOST_REQUIRE(!text);
    BOOST_TEST(has(text.error().message, "cannot be loaded"), text.error().message);
}

BOOST_AUTO_TEST_CASE(what_an_older_plugin_lacks_has_its_default)
{
    auto policy = Policy::open({.file = file_of("policy", "older")});
    BOOST_REQUIRE_MESSAGE(policy.has_value(), policy.error().message);
    BOOST_TEST(!(*policy)->has_submit());
    BOOST_TEST(!(*policy)->has_priority());
    JobRequest request;
    BOOST_TEST(((*policy)->submit(request)->kind == Verdict::Kind::accept));
    const std::array jobs{PriorityJob{JobId{1}, &request, {}, 0}};
    BOOST_TEST((*policy)->priority(jobs)->front() == 0);
}

BOOST_AUTO_TEST_CASE(what_a_newer_plugin_has_more_is_left_alone)
{
    auto policy = Policy::open({.file = file_of("policy", "newer")});
    BOOST_REQUIRE_MESSAGE(policy.has_value(), policy.error().message);
    JobRequest request;
    const std::array jobs{PriorityJob{JobId{1}, &request, {}, 0}};
    BOOST_TEST((*policy)->priority(jobs)->front() == 7);
}

BOOST_AUTO_TEST_CASE(an_exception_becomes_an_error)
{
    const auto message = refusal("throws", Errc::unavailable);
    BOOST_TEST(has(message, "std::exception"), message);
}

BOOST_AUTO_TEST_CASE(settings_are_checked_and_handed_over)
{
    std::string logged;
    const config::PluginSection given =
        section("auth", {{"uid", std::int64_t{1234}, {"jarvis.toml", 11, 1}, {"jarvis.toml", 11, 7}}});
    auto auth = Auth::open({.file = file_of("auth", "teaching"),
                            .section = &given,
                            .config_file = "jarvis.toml",
                            .log = [&](LogLevel, std::string_view text) { logged = text; }});
    BOOST_REQUIRE_MESSAGE(auth.has_value(), auth.error().message);
    BOOST_TEST(logged == "hello"); // the default of `greeting`
    int pair[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    const auto peer = (*auth)->from_peer(pair[0]);
    ::close(pair[0]);
    ::close(pair[1]);
    BOOST_REQUIRE(peer.has_value());
    BOOST_TEST(peer->uid == 1234u);

    const config::PluginSection wrong =
        section("auth", {{"udi", std::int64_t{1}, {"jarvis.toml", 11, 1}, {"jarvis.toml", 11, 7}}});
    auto refused = Auth::open({.file = file_of("auth", "teaching"), .section = &wrong, .config_file = "jarvis.toml"});
    BOOST_REQUIRE(!refused);
    BOOST_TEST(has(refused.error().message, "jarvis.toml:11:1"), refused.error().message);
    BOOST_TEST(has(refused.error().message, "uid"), refused.error().message);

    const config::PluginSection high =
        section("auth", {{"uid", std::int64_t{-4}, {"jarvis.toml", 11, 1}, {"jarvis.toml", 11, 7}}});
    auto out_of_range =
        Auth::open({.file = file_of("auth", "teaching"), .section = &high, .config_file = "jarvis.toml"});
    BOOST_REQUIRE(!out_of_range);
    BOOST_TEST(has(out_of_range.error().message, "-4"), out_of_range.error().message);
}

BOOST_AUTO_TEST_CASE(a_policy_accepts_changes_and_refuses)
{
    const config::Place place{"jarvis.toml", 11, 1};
    const config::PluginSection given = section("policy", {{"favourite", std::string("alice"), place, place},
                                                           {"long_time", std::string("2h"), place, place},
                                                           {"want_comment", true, place, place}});
    auto policy =
        Policy::open({.file = file_of("policy", "teaching"), .section = &given, .config_file = "jarvis.toml"});
    BOOST_REQUIRE_MESSAGE(policy.has_value(), policy.error().message);
    JobRequest request;
    request.account = Account{.uid = 0, .gid = 0, .groups = {}, .user = "alice", .group = {}, .home = {}, .shell = {}};
    request.partition = "batch";
    request.time_limit = std::chrono::hours(1);

    const auto refused = (*policy)->submit(request);
    BOOST_REQUIRE(refused.has_value());
    BOOST_TEST((refused->kind == Verdict::Kind::refuse));
    BOOST_TEST(has(refused->text, "--comment"));

    request.comment = "weather";
    const auto accepted = (*policy)->submit(request);
    BOOST_TEST((accepted->kind == Verdict::Kind::accept));
    BOOST_TEST(*request.partition == "batch");

    request.time_limit = std::chrono::hours(3);
    const auto changed = (*policy)->submit(request);
    BOOST_TEST((changed->kind == Verdict::Kind::change));
    BOOST_TEST(*request.partition == "long");

    JobRequest other = request;
    other.account = Account{.uid = 0, .gid = 0, .groups = {}, .user = "bob", .group = {}, .home = {}, .shell = {}};
    const std::array jobs{PriorityJob{JobId{1}, &request, std::chrono::minutes(5), 0},
                          PriorityJob{JobId{2}, &other, std::chrono::minutes(9), 0}};
    const auto numbers = (*policy)->priority(jobs);
    BOOST_REQUIRE(numbers.has_value());
    BOOST_TEST(numbers->at(0) == 24 * 60 + 5);
    BOOST_TEST(numbers->at(1) == 9);
}

BOOST_AUTO_TEST_CASE(teaching_plugins_conform)
{
    conforms("policy");
    conforms("storage");
    conforms("runtime");
}

BOOST_AUTO_TEST_CASE(a_plugin_that_crashes_fails_its_check_and_nothing_else)
{
    std::vector<CheckResult> results;
    const auto keep = [&](const CheckResult& result) { results.push_back(result); };
    BOOST_REQUIRE(
        check_in_child("policy", {.file = file_of("policy", "crashes")}, std::chrono::seconds(60), keep).has_value());
    BOOST_REQUIRE(!results.empty());
    BOOST_TEST(!results.back().passed);
    BOOST_TEST(results.back().name == "opens_and_chooses_an_order");
    BOOST_TEST(has(results.back().why, "signal"), results.back().why);
}

BOOST_AUTO_TEST_CASE(a_directory_is_listed_by_kind_and_name)
{
    const auto plugins = list_plugins(TEST_PLUGINS);
    BOOST_REQUIRE(plugins.has_value());
    BOOST_TEST(plugins->front().kind == "auth");
    BOOST_TEST(plugins->front().name == "teaching");
    BOOST_TEST(plugins->back().kind == "storage");
    BOOST_TEST(!list_plugins("/nonexistent").has_value());
}
