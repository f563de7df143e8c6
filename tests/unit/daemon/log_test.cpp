#include "daemon/log.hpp"

#include "temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

using namespace jarvis;
using daemon::LogFormat;
using daemon::LogLevel;

namespace {

std::vector<std::string> lines_of(const std::string& path)
{
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);)
        lines.push_back(line);
    return lines;
}

// Other tests of this program log to stderr.
struct LogToFile {
    test::TemporaryFolder folder;
    std::string path = folder / "log";

    explicit LogToFile(LogFormat format, LogLevel level = LogLevel::info)
    {
        BOOST_REQUIRE(daemon::open_log({"jtest", path, level, format}).has_value());
    }
    ~LogToFile() { (void)daemon::open_log({.program = "test_unit_daemon"}); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(log_lines)

BOOST_AUTO_TEST_CASE(text_lines)
{
    LogToFile to(LogFormat::text);
    daemon::log().info("listening on {}", "/run/s");
    daemon::log().warn({{"job", 7}, {"node", "n1"}}, "start failed: {}", "why\nnot");
    daemon::log().debug("not written");
    auto lines = lines_of(to.path);
    BOOST_REQUIRE(lines.size() == 2u);
    auto pid = std::to_string(::getpid());
    BOOST_TEST(lines[0].ends_with(" info    jtest[" + pid + "]: listening on /run/s"), lines[0]);
    BOOST_TEST(lines[1].ends_with(" warning jtest[" + pid + "]: start failed: why\\nnot job=7 node=n1"), lines[1]);
    // RFC 3339 with offset: 2026-11-20T12:00:00.123456+00:00
    BOOST_TEST(lines[0][10] == 'T');
    BOOST_TEST((lines[0][26] == '+' || lines[0][26] == '-'));
}

BOOST_AUTO_TEST_CASE(json_lines)
{
    LogToFile to(LogFormat::json);
    daemon::log().error({{"job", 7}, {"path", "/a \"b\""}}, "cannot open {}", "caf\xe9\x1b[31m");
    auto lines = lines_of(to.path);
    BOOST_REQUIRE(lines.size() == 1u);
    BOOST_TEST(lines[0].starts_with("{\"time\":\""), lines[0]);
    BOOST_TEST(lines[0].find("\"level\":\"error\",\"program\":\"jtest\",\"pid\":") != std::string::npos, lines[0]);
    BOOST_TEST(lines[0].ends_with(R"("message":"cannot open caf\\xe9\\x1b[31m","job":7,"path":"/a \"b\""})"), lines[0]);
}

BOOST_AUTO_TEST_CASE(file_is_reopened)
{
    LogToFile to(LogFormat::text);
    daemon::log().info("one");
    std::filesystem::rename(to.path, to.path + ".1");
    daemon::log().info("two");
    daemon::reopen_log();
    daemon::log().info("three");
    BOOST_TEST(lines_of(to.path + ".1").size() == 2u);
    BOOST_TEST(lines_of(to.path).size() == 1u);
}

BOOST_AUTO_TEST_CASE(bad_file_changes_nothing)
{
    LogToFile to(LogFormat::text);
    auto opened = daemon::open_log({"x", "/nonexistent/log", LogLevel::debug, LogFormat::json});
    BOOST_REQUIRE(!opened.has_value());
    BOOST_TEST(opened.error().message.find("/nonexistent/log") != std::string::npos);
    daemon::log().debug("hidden");
    daemon::log().info("shown");
    BOOST_TEST(lines_of(to.path).size() == 1u);
}

BOOST_AUTO_TEST_CASE(many_threads)
{
    LogToFile to(LogFormat::text);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([t] {
            for (int i = 0; i < 200; ++i)
                daemon::log().info({{"thread", t}}, "line {}", i);
        });
    for (int i = 0; i < 20; ++i)
        daemon::reopen_log();
    for (auto& thread : threads)
        thread.join();
    auto lines = lines_of(to.path);
    BOOST_TEST(lines.size() == 800u);
    BOOST_TEST(std::all_of(lines.begin(), lines.end(),
                           [](const auto& line) { return line.find("thread=") != std::string::npos; }));
}

BOOST_AUTO_TEST_CASE(words)
{
    for (auto level : {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error})
        BOOST_TEST((daemon::parse_log_level(daemon::name(level)).value() == level));
    BOOST_TEST(!daemon::parse_log_level("loud").has_value());
    BOOST_TEST((daemon::parse_log_format("json").value() == LogFormat::json));
    BOOST_TEST(!daemon::parse_log_format("xml").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
