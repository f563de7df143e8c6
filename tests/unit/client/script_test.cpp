#include "client/script.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis::client;
using namespace std::string_view_literals;

namespace {

std::string problem(std::string_view script)
{
    const auto checked = check_script(script, "run.sh");
    return checked ? "" : checked.error().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(script)

BOOST_AUTO_TEST_CASE(good_scripts)
{
    BOOST_TEST(problem("#!/bin/sh\necho\n") == "");
    BOOST_TEST(problem("#! /usr/bin/env python3") == "");
    BOOST_TEST(problem(wrap_command("date; true")) == "");
    BOOST_TEST(wrap_command("date") == "#!/bin/sh\ndate\n");
}

BOOST_AUTO_TEST_CASE(bad_scripts_are_told_what_is_wrong_and_where)
{
    BOOST_TEST(problem("") == "script run.sh is empty");
    BOOST_TEST(problem("echo\n").starts_with("run.sh:1: script does not begin with #!"));
    BOOST_TEST(problem("#!\necho\n") == "run.sh:1: script names no interpreter after #!");
    BOOST_TEST(problem("#!/bin/sh\r\necho\r\n").starts_with("run.sh:1: script has CRLF line ends"));
    BOOST_TEST(problem("#!/bin/sh\necho\r\n").starts_with("run.sh:2: script has CRLF line ends"));
    BOOST_TEST(problem("#!/bin/sh\necho\n\0"sv).starts_with("run.sh:3: script has a NUL byte"));
    BOOST_TEST(problem("\x7f"
                       "ELF\0"sv)
                   .starts_with("run.sh:1: script has a NUL byte"));
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_read)
{
    BOOST_TEST(read_script("/nowhere/x").error().message == "cannot open script /nowhere/x: no such file or directory");
    BOOST_TEST(read_script("/tmp").error().message == "script /tmp is a folder");
    BOOST_TEST(read_script("/dev/zero").error().message.starts_with("script /dev/zero is larger than 15 MiB"));
}

BOOST_AUTO_TEST_SUITE_END()
