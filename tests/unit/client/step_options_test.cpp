#include "client/step_options.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::client;

namespace {

Result<StepOptions> typed(std::vector<std::string> words, const JobDefaults& defaults = {})
{
    const auto line = parse_words(step_option_list(), words, true);
    if (!line)
        return fail(Errc::invalid, "{}", line.error().message);
    return read_step_options(*line, defaults, WallTime{});
}

wire::StepRequest step_of(std::vector<std::string> words, const JobDefaults& defaults = {})
{
    auto options = typed(std::move(words), defaults);
    BOOST_REQUIRE_MESSAGE(options, (options ? "" : options.error().message));
    return step_request(*options, "/usr/bin/prog");
}

std::string trouble(std::vector<std::string> words, const JobDefaults& defaults = {})
{
    const auto options = typed(std::move(words), defaults);
    return options ? "none" : options.error().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(step_options)

BOOST_AUTO_TEST_CASE(a_step_is_what_the_job_is_unless_it_says_otherwise)
{
    const JobDefaults job{"6", "2"};
    BOOST_TEST(step_of({"prog"}, job).tasks() == 6u);
    BOOST_TEST(step_of({"prog"}, job).cores_per_task() == 2u);
    BOOST_TEST(step_of({"-n1", "-c", "3", "prog"}, job).tasks() == 1u);
    BOOST_TEST(step_of({"-n1", "-c", "3", "prog"}, job).cores_per_task() == 3u);
    BOOST_TEST(step_of({"-N2", "prog"}, job).tasks() == 2u);
    BOOST_TEST(step_of({"-N", "2", "--ntasks-per-node=4", "prog"}, job).tasks() == 8u);
    BOOST_TEST(step_of({"prog"}).tasks() == 1u);
    BOOST_TEST(trouble({"prog"}, {"many", ""}).starts_with("JARVIS_NTASKS: "));
    BOOST_TEST(trouble({"prog"}, {"1", "0"}).starts_with("JARVIS_CPUS_PER_TASK: "));
}

BOOST_AUTO_TEST_CASE(what_was_typed_is_in_the_request)
{
    const auto step = step_of({"-n4", "-w", "n[1-2]", "-m", "cyclic:cyclic", "--cpu-bind=numa", "--mem-bind", "local", "-J", "name", "-I", "prog"});
    BOOST_TEST(step.nodes_size() == 2);
    BOOST_TEST(step.over_nodes() == static_cast<std::uint32_t>(Distribution::cyclic));
    BOOST_TEST(step.inside() == static_cast<std::uint32_t>(Distribution::cyclic));
    BOOST_TEST(step.cpu_binding() == wire::StepRequest::NUMA);
    BOOST_TEST(step.memory_binding() == wire::StepRequest::LOCAL);
    BOOST_TEST(step.sharing() == wire::StepRequest::IMMEDIATE);
    BOOST_TEST(step.name() == "name");
    BOOST_TEST(step_of({"prog"}).name() == "prog");
}

BOOST_AUTO_TEST_CASE(switches_and_what_only_a_new_job_has)
{
    BOOST_TEST(typed({"-K", "prog"})->kill_on_bad_exit);
    BOOST_TEST(typed({"--kill-on-bad-exit", "prog"})->kill_on_bad_exit);
    BOOST_TEST(!typed({"-K", "--kill-on-bad-exit=0", "prog"})->kill_on_bad_exit);
    BOOST_TEST(!typed({"prog"})->new_job_only.has_value());
    BOOST_TEST(typed({"-p", "batch", "prog"})->new_job_only.value() == "partition");
    BOOST_TEST(!typed({"--export=A", "prog"})->all_variables);
}

BOOST_AUTO_TEST_CASE(wrong_values_say_where_and_what)
{
    BOOST_TEST(trouble({"-n", "0", "prog"}).starts_with("--ntasks: "));
    BOOST_TEST(trouble({"--cpu-bind=corse", "prog"}) == "--cpu-bind: expected cores, numa, none; found \"corse\"; did you mean \"cores\"?");
    BOOST_TEST(trouble({"--overlap", "-I", "prog"}).starts_with("--immediate: --overlap and --immediate exclude each other"));
    BOOST_TEST(trouble({"-o", "a%", "prog"}).starts_with("--output: column 2: a lone %"));
    BOOST_TEST(trouble({"-o", "a%q", "prog"}).starts_with("--output: column 2: unknown %q"));
    BOOST_TEST(trouble({"--mem=1G", "--mem-per-cpu=1G", "prog"}) == "--mem and --mem-per-cpu exclude each other");
    BOOST_TEST(trouble({"--mpi=pmix", "prog"}).find("mpirun") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(patterns_of_files)
{
    const TaskPlace place{.rank = 12, .local = 3, .node = "n7", .step = 4, .job = "8_1"};
    BOOST_TEST(expand_task_pattern("%j.%s/%N-%n-%t%%", place) == "8_1.4/n7-3-12%");
    BOOST_TEST(differs_by_task("a%t"));
    BOOST_TEST(differs_by_task("%s%N"));
    BOOST_TEST(!differs_by_task("a%%t%s"));
}

BOOST_AUTO_TEST_SUITE_END()
