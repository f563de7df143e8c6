#include "client/submit_options.hpp"

#include "base/units.hpp"
#include "wire/limits.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace jarvis;
using namespace jarvis::client;
using Words = std::vector<std::string>;

namespace {

constexpr WallTime now{std::chrono::seconds(1'800'000'000)};

Result<ReadSubmitOptions> read(const Words& command_line, const Words& environment = {}, const std::string& directives = "")
{
    const auto line = parse_words(submit_option_list(), command_line, true);
    BOOST_REQUIRE(line);
    return read_submit_options("#!/bin/sh\n" + directives, "run.sh", environment, *line, now);
}

JobRequest request(const Words& command_line, const Words& environment = {}, const std::string& directives = "")
{
    return read(command_line, environment, directives).value().options.submitted.request;
}

std::string problem(const Words& command_line, const Words& environment = {}, const std::string& directives = "")
{
    const auto result = read(command_line, environment, directives);
    return result ? "" : result.error().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(submit_options)

BOOST_AUTO_TEST_CASE(names_and_letters_are_used_once)
{
    std::set<std::string_view> names;
    std::set<char> letters;
    for (const auto& option : submit_option_list()) {
        BOOST_TEST(names.insert(option.name).second, option.name);
        BOOST_TEST((option.letter == 0 || letters.insert(option.letter).second), option.name);
    }
}

BOOST_AUTO_TEST_CASE(command_line_over_environment_over_directives)
{
    const std::string script = "#JSUB -n 2 -c 2 -J script\n";
    const Words environment{"JSUB_NTASKS=3", "JSUB_CPUS_PER_TASK=3", "PATH=/bin"};
    const auto all = request({"-n", "4"}, environment, script);
    BOOST_TEST(all.resources.tasks == 4u);
    BOOST_TEST(all.resources.cpus_per_task == 3u);
    BOOST_TEST(all.name == "script");
}

BOOST_AUTO_TEST_CASE(memory_of_one_kind_replaces_the_other_of_a_weaker_source)
{
    const auto asked = request({"--mem-per-cpu=1G"}, {}, "#JSUB --mem=4G\n");
    BOOST_TEST(!asked.resources.memory_per_node);
    BOOST_TEST(asked.resources.memory_per_cpu->bytes == std::int64_t{1} << 30);
    BOOST_TEST(problem({"--mem=1G", "--mem-per-cpu=1G"}) == "--mem and --mem-per-cpu exclude each other");
    BOOST_TEST(problem({}, {}, "#JSUB --mem=1G\n#JSUB --mem-per-cpu=1G\n") == "run.sh:3: --mem and --mem-per-cpu exclude each other");
    BOOST_TEST(!problem({"--mem=0"}).empty());
}

BOOST_AUTO_TEST_CASE(values_of_every_kind)
{
    const auto asked = request({"-t", "90", "-H", "--nice=-5", "--exclusive", "--signal=B:USR1@120", "--open-mode=append", "--begin=now+1h",
                                "--mail-type=end,FAIL", "-o", "%x-%j.log", "--comment", "", "--propagate=core"});
    BOOST_TEST((asked.time_limit == Duration(std::chrono::minutes(90))));
    BOOST_TEST(asked.hold);
    BOOST_TEST(asked.nice == -5);
    BOOST_TEST(asked.resources.exclusive);
    BOOST_TEST((asked.warning == WarningSignal{10, std::chrono::seconds(120), true}));
    BOOST_TEST((asked.open_mode == OpenMode::append));
    BOOST_TEST((asked.begin == now + std::chrono::hours(1)));
    BOOST_TEST(*asked.mail_type == "END,FAIL");
    BOOST_TEST(*asked.output == "%x-%j.log");
    BOOST_TEST((request({"--signal=15"}).warning == WarningSignal{15, std::chrono::seconds(60), false}));
    BOOST_TEST((request({"-t", "unlimited"}).time_limit == max_duration));
    BOOST_TEST(*request({}).output == "jarvis-%j.out");
    BOOST_TEST((read({"--requeue", "--no-requeue"}).value().options.submitted.requeue == false));
    BOOST_TEST(!read({}).value().options.submitted.requeue);
}

BOOST_AUTO_TEST_CASE(nodes)
{
    const auto asked = request({"-N", "2-4", "--ntasks-per-node=3", "-w", "n[1-2],n2", "-x", "n9", "-C", "(ib)&big*2", "--contiguous"});
    BOOST_TEST(asked.resources.nodes_min == 2u);
    BOOST_TEST(asked.resources.nodes_max == 4u);
    BOOST_TEST(asked.resources.tasks_per_node == 3u);
    BOOST_TEST(asked.resources.tasks == 6u);
    BOOST_TEST(asked.resources.contiguous);
    BOOST_TEST((*asked.node_list == Words{"n1", "n2"}));
    BOOST_TEST((*asked.exclude == Words{"n9"}));
    BOOST_TEST(*asked.constraint == "ib&big*2");
    BOOST_TEST(request({"-N4"}).resources.nodes_max == 4u);
    BOOST_TEST(request({"-N4"}).resources.tasks == 4u);
    BOOST_TEST(request({"-N4", "-n", "1"}).resources.tasks == 1u);
    BOOST_TEST(request({}, {"JSUB_NTASKS=9"}, "#JSUB -N 2\n").resources.tasks == 9u);
    BOOST_TEST(request({}, {"JSUB_NODES=3", "JSUB_CONTIGUOUS=yes"}).resources.contiguous);
    BOOST_TEST(!request({}, {"JSUB_CONTIGUOUS=no"}, "#JSUB --contiguous\n").resources.contiguous);
    BOOST_TEST(request({"--ntasks-per-node=2"}).resources.tasks == 2u);
    BOOST_TEST(problem({"-N", "4-2"}) == "--nodes: 4-2 nodes: the first number is the smaller one");
    BOOST_TEST(problem({"-N", "2-"}) == "--nodes: expected a number from 1 to 131072, found \"\"");
    BOOST_TEST(problem({"-N", "-w"}) == "--nodes: \"-w\" is an option; --nodes needs a number such as 4 or 2-4");
    BOOST_TEST(problem({"-N", "100000", "--ntasks-per-node=100"}) ==
               "100000 nodes with 100 tasks each are 10000000 tasks; at most 1048576 are possible");
    BOOST_TEST(problem({"-w", "n[1-"}).starts_with("--nodelist: host list \"n[1-\", column "));
    BOOST_TEST(problem({"-C", "a,b"}).starts_with("--constraint: constraint \"a,b\", column 2: features are joined by"));
}

BOOST_AUTO_TEST_CASE(arrays_dependencies_and_retries)
{
    const auto asked = request({"-a", "0-9:3%2", "--kill-on-invalid-dep", "--retry", "2,on=timeout"}, {"JSUB_DEPENDENCY=afterok:7?after:8_1+5"});
    BOOST_TEST(format_array_spec(*asked.array) == "0-9:3%2");
    BOOST_TEST(format_dependencies(*asked.dependencies) == "afterok:7?after:8_1+5m");
    BOOST_TEST(asked.kill_on_invalid_dependency);
    BOOST_TEST(format_retry(*asked.retry) == "2,backoff=30s..10m,on=timeout");
    BOOST_TEST(!request({"--retry=0"}, {}, "#JSUB --retry=2\n").retry);
    BOOST_TEST(!request({}, {"JSUB_KILL_ON_INVALID_DEP=no"}, "#JSUB --kill-on-invalid-dep\n").kill_on_invalid_dependency);
    BOOST_TEST(problem({"-a", "9-0"}) == "--array: index list \"9-0\", column 1: the range 9-0 runs backwards; write 0-9");
    BOOST_TEST(problem({}, {}, "#JSUB -d aftrok:7\n").starts_with("run.sh:2: --dependency: dependency \"aftrok:7\", column 1: unknown"));
    BOOST_TEST(problem({"--retry=on"}).starts_with("--retry: retry \"on\": expected first how often"));
    BOOST_TEST(problem({"-d", "--hold"}) == "--dependency: \"--hold\" is an option; --dependency needs a list such as afterok:7");
}

BOOST_AUTO_TEST_CASE(wrong_values_say_where_they_stand)
{
    BOOST_TEST(problem({"-n", "0"}) == "--ntasks: expected a number from 1 to 1048576, found \"0\"");
    BOOST_TEST(problem({"-n", "4x"}).starts_with("--ntasks: "));
    BOOST_TEST(problem({}, {"JSUB_NTASKS=many"}).starts_with("JSUB_NTASKS: expected a number"));
    BOOST_TEST(problem({}, {}, "#JSUB -J x\n#JSUB --tme=1h\n") == "run.sh:3: unknown option --tme; did you mean \"--time\"?");
    BOOST_TEST(problem({}, {}, "#JSUB -t\n") == "run.sh:2: option -t needs a value: TIME");
    BOOST_TEST(problem({}, {}, "#JSUB -t x\n").starts_with("run.sh:2: --time: "));
    BOOST_TEST(problem({}, {}, "#JSUB echo\n") == "run.sh:2: expected an option, found \"echo\"");
    BOOST_TEST(problem({}, {}, "#JSUB --wait\n") == "run.sh:2: --wait is for the command line only");
    for (const Words& words : std::vector<Words>{{"--open-mode=x"}, {"--signal=NOPE"}, {"--signal=15@0"}, {"--mail-type=x"}, {"-o", "%q"},
                                                 {"-t", "0"}, {"-J", ""}, {"-J", "two\nlines"}, {"-J", "latin\xe4"}, {"-J", "esc\x1b[1m"},
                                                 {"-p", "\xff\n"}, {"-p", "del\x7f"}, {"--mail-user", "a\nb"}, {"--begin=soon"}, {"--nice=1e3"}, {"--export=1"}})
        BOOST_TEST(!problem(words).empty(), words[0]);
}

BOOST_AUTO_TEST_CASE(names_without_control_characters)
{
    BOOST_TEST(problem({"-p", "\xff\n"}) == "--partition: a name has no control characters, found \"\\xff\\n\"");
    BOOST_TEST(problem({"--mail-user", "a\nb"}) == "--mail-user: a name has no control characters, found \"a\\nb\"");
    BOOST_TEST(problem({"-D", "two\nlines"}).empty()); // a folder may be called anything
}

BOOST_AUTO_TEST_CASE(an_option_in_the_place_of_a_value)
{
    BOOST_TEST(problem({"--propagate", "--wait"}) ==
               "--propagate: \"--wait\" is an option; --propagate needs a list such as ALL or NOFILE,CORE");
    BOOST_TEST(problem({"-n", "-c4"}) == "--ntasks: \"-c4\" is an option; --ntasks needs a number such as 4");
    BOOST_TEST(problem({"-t", "-H"}) == "--time: \"-H\" is an option; --time needs a time such as 2h");
    BOOST_TEST(problem({}, {}, "#JSUB --mem --hold\n") == "run.sh:2: --mem: \"--hold\" is an option; --mem needs a size such as 4G");
    BOOST_TEST(problem({"-n", "-5"}).starts_with("--ntasks: expected a number"));
    BOOST_TEST(problem({"--signal", "-HUP"}).find("is an option") == std::string::npos);
    BOOST_TEST(request({"-J", "--wait"}).name == "--wait"); // what fits is taken
}

BOOST_AUTO_TEST_CASE(flags_in_the_environment_are_switches)
{
    BOOST_TEST(request({}, {"JSUB_HOLD=1"}).hold);
    BOOST_TEST(!request({}, {"JSUB_HOLD=no"}, "#JSUB --hold\n").hold);
    BOOST_TEST(problem({}, {"JSUB_HOLD=perhaps"}) == "JSUB_HOLD: expected yes or no, found \"perhaps\"");
}

BOOST_AUTO_TEST_CASE(unknown_variables_are_warned_about)
{
    const auto result = read({}, {"JSUB_NTASK=4", "JSUB_WAIT=1", "OTHER=1"});
    BOOST_REQUIRE(result);
    BOOST_REQUIRE(result->warnings.size() == 2u);
    BOOST_TEST(result->warnings[0] == "variable JSUB_NTASK stands for no option and is ignored; did you mean \"JSUB_NTASKS\"?");
    BOOST_TEST(!result->options.wait);
}

BOOST_AUTO_TEST_SUITE_END()
