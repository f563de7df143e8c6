#include "client/placement_options.hpp"

#include "client/placement_text.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::client;
using Words = std::vector<std::string>;

namespace {

Result<ResourceRequest> resources(const Words& command_line, const Words& environment = {}, const std::string& directives = "")
{
    const auto line = parse_words(submit_option_list(), command_line, true);
    if (!line)
        return fail(Errc::invalid, "{}", line.error().message);
    auto options = read_submit_options("#!/bin/sh\n" + directives, "run.sh", environment, *line, WallTime{});
    if (!options)
        return std::unexpected(options.error());
    return options->options.submitted.request.resources;
}

PlacementWishes wishes(const Words& command_line, const Words& environment = {}, const std::string& directives = "")
{
    return *resources(command_line, environment, directives).value().wishes;
}

std::string refusal(const Words& command_line, const Words& environment = {}, const std::string& directives = "")
{
    const auto result = resources(command_line, environment, directives);
    return result ? "" : result.error().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(placement_options)

BOOST_AUTO_TEST_CASE(defaults_are_no_wishes)
{
    for (const auto& words : {Words{}, Words{"--place=close"}, Words{"--mem-bind=prefer"}, Words{"--hint=multithread"}, Words{"-mblock:block"},
                              Words{"--exclusive"}, Words{"--exclusive=node"}, Words{"--gres=none"}, Words{"--gres-flags=disable-binding"},
                              Words{"--place=spread", "--place=close"}, Words{"--exclusive=numa", "--exclusive"}})
        BOOST_TEST((resources(words).value().wishes == Wishes{}), fmt::format("{}", fmt::join(words, " ")));
}

BOOST_AUTO_TEST_CASE(presets_and_memory)
{
    BOOST_TEST((wishes({"--place=spread"}).place == PlacePattern::spread));
    BOOST_TEST((wishes({"--place", "numa"}).place == PlacePattern::numa));
    BOOST_TEST((wishes({"--mem-bind=local"}).memory == MemoryBinding::local));
    BOOST_TEST((wishes({"--mem-bind=interleave"}).memory == MemoryBinding::interleave));
    BOOST_TEST((wishes({"--mem-bind=none"}).memory == MemoryBinding::none));
    BOOST_TEST((wishes({"--mem-bind=none", "--mem-bind=local"}).memory == MemoryBinding::local));
    BOOST_TEST(wishes({"--numa=2", "--place=numa"}).numa_nodes == 2u);
    BOOST_TEST((wishes({"--numa=local"}) == PlacementWishes{.memory = MemoryBinding::local}));
    BOOST_TEST((wishes({"--numa=spread", "--numa=4"}) == PlacementWishes{.place = PlacePattern::spread, .numa_nodes = 4}));
    BOOST_TEST(refusal({"--place=clsoe"}) == "--place: expected close, spread, numa; found \"clsoe\"; did you mean \"close\"?");
    BOOST_TEST(refusal({"--mem-bind=lcoal"}) ==
               "--mem-bind: expected local, prefer, interleave, none; found \"lcoal\"; did you mean \"local\"?");
    BOOST_TEST(refusal({"--numa=0"}) == "--numa: expected a number from 1 to 4096, found \"0\"");
    BOOST_TEST(refusal({"--numa=loca"}) ==
               "--numa: expected a number of NUMA nodes, local, spread; found \"loca\"; did you mean \"local\"?");
    BOOST_TEST(refusal({"--numa", "--hold"}) == "--numa: \"--hold\" is an option; --numa needs a number such as 2");
}

BOOST_AUTO_TEST_CASE(exclusive_with_and_without_a_level)
{
    BOOST_TEST(resources({"--exclusive"}).value().exclusive);
    BOOST_TEST(resources({"--exclusive", "script"}).value().exclusive); // the next word is not its value
    BOOST_TEST(resources({"--exclusive=node"}).value().exclusive);
    BOOST_TEST(!resources({"--exclusive=numa"}).value().exclusive);
    BOOST_TEST((wishes({"--exclusive=l3"}).alone_on == AloneOn::l3));
    BOOST_TEST((wishes({"--exclusive=numa"}).alone_on == AloneOn::numa));
    BOOST_TEST((wishes({"--exclusive=package"}).alone_on == AloneOn::package));
    const auto later = resources({"--exclusive", "--exclusive=numa"}).value();
    BOOST_TEST((!later.exclusive && later.wishes->alone_on == AloneOn::numa));
    BOOST_TEST(resources({"--exclusive=numa", "--exclusive"}).value().exclusive);
    BOOST_TEST(resources({}, {"JSUB_EXCLUSIVE=yes"}).value().exclusive);
    BOOST_TEST((wishes({}, {"JSUB_EXCLUSIVE=l3"}).alone_on == AloneOn::l3));
    BOOST_TEST((resources({}, {"JSUB_EXCLUSIVE=no"}, "#JSUB --exclusive=numa\n").value() == ResourceRequest{}));
    BOOST_TEST(resources({}, {}, "#JSUB --exclusive -n 2\n").value().exclusive);
    BOOST_TEST(refusal({"--exclusive=socket"}) == "--exclusive: expected node, package, numa, l3; found \"socket\"");
    BOOST_TEST(refusal({"--exclusive=numma"}).ends_with("did you mean \"numa\"?"));
    BOOST_TEST(refusal({"--exclusive="}) == "option --exclusive= needs a value: LEVEL");
    BOOST_TEST(refusal({}, {"JSUB_EXCLUSIVE=perhaps"}).starts_with("JSUB_EXCLUSIVE: expected node, package, numa, l3; found"));
    BOOST_TEST(refusal({"--exclusive", "--numa=2"}) ==
               "--exclusive takes whole nodes with all their NUMA nodes; for 2 whole ones of each use --exclusive=numa --numa=2");
}

BOOST_AUTO_TEST_CASE(threads_and_hints)
{
    BOOST_TEST(wishes({"--threads-per-core=2"}).threads_per_core == 2u);
    BOOST_TEST((wishes({"--hint=nomultithread"}) == PlacementWishes{.threads_per_core = 1}));
    BOOST_TEST((wishes({"--hint=compute_bound"}) == PlacementWishes{.threads_per_core = 1}));
    BOOST_TEST((wishes({"--place=spread", "--hint=compute_bound"}) == PlacementWishes{.threads_per_core = 1}));
    BOOST_TEST((wishes({"--hint=memory_bound"}) == PlacementWishes{.place = PlacePattern::spread, .threads_per_core = 1}));
    BOOST_TEST((wishes({"--threads-per-core=2", "--hint=multithread"}) == PlacementWishes{}));
    BOOST_TEST(refusal({"--hint=compute-bound"}) == "--hint: expected nomultithread, multithread, compute_bound, memory_bound; found "
                                                    "\"compute-bound\"; did you mean \"compute_bound\"?");
    BOOST_TEST(refusal({"--threads-per-core=65"}) == "--threads-per-core: expected a number from 1 to 64, found \"65\"");
}

BOOST_AUTO_TEST_CASE(tasks_and_their_distribution)
{
    BOOST_TEST(wishes({"--ntasks-per-package=3"}).tasks_per_package == 3u);
    BOOST_TEST(wishes({"--ntasks-per-numa=2"}).tasks_per_numa == 2u);
    BOOST_TEST(wishes({}, {"JSUB_NTASKS_PER_L3=1"}).tasks_per_l3 == 1u);
    BOOST_TEST((wishes({"-m", "cyclic"}) == PlacementWishes{.over_nodes = Distribution::cyclic}));
    BOOST_TEST((wishes({"--distribution=block:cyclic"}) == PlacementWishes{.inside = Distribution::cyclic}));
    BOOST_TEST((wishes({"-m*:cyclic"}) == PlacementWishes{.inside = Distribution::cyclic}));
    BOOST_TEST((wishes({"-mplane=4:cyclic"}) ==
                PlacementWishes{.over_nodes = Distribution::plane, .inside = Distribution::cyclic, .plane = 4}));
    BOOST_TEST((wishes({"-mplane=4", "-mcyclic"}) == PlacementWishes{.over_nodes = Distribution::cyclic}));
    BOOST_TEST(refusal({"-mcylcic"}) == "--distribution: over nodes: expected block, cyclic, plane=N; found \"cylcic\"; did you mean \"cyclic\"?");
    BOOST_TEST(refusal({"-mblock:bloc"}).starts_with("--distribution: inside nodes: expected block, cyclic, plane=N; found \"bloc\"; did you"));
    BOOST_TEST(refusal({"-mplane"}) == "--distribution: over nodes: plane needs its number of tasks, as in plane=4");
    BOOST_TEST(refusal({"-mplane=x"}) == "--distribution: over nodes: plane: expected a number from 1 to 1048576, found \"x\"");
    BOOST_TEST(refusal({"-mplane=2:plane=3"}) == "--distribution: inside nodes: planes of 2 and of 3 tasks: one size holds for both");
    BOOST_TEST(refusal({"--ntasks-per-socket=2"}) == "unknown option --ntasks-per-socket; use --ntasks-per-package");
    BOOST_TEST(refusal({"--ntasks-per-numa=0"}) == "--ntasks-per-numa: expected a number from 1 to 1048576, found \"0\"");
}

BOOST_AUTO_TEST_CASE(devices)
{
    using Devices = std::vector<DeviceRequest>;
    BOOST_TEST((wishes({"--gres=gpu"}).devices == Devices{{"gpu", "", 1}}));
    BOOST_TEST((wishes({"--gres=gpu:2"}).devices == Devices{{"gpu", "", 2}}));
    BOOST_TEST((wishes({"--gres=gpu:a100"}).devices == Devices{{"gpu", "a100", 1}}));
    BOOST_TEST((wishes({"--gres=nic,gpu:a100:4,gpu:3090:1"}).devices == Devices{{"gpu", "3090", 1}, {"gpu", "a100", 4}, {"nic", "", 1}}));
    BOOST_TEST((wishes({"--gres=gpu:1"}, {}, "#JSUB --gres=nic\n").devices == Devices{{"gpu", "", 1}}));
    BOOST_TEST(wishes({"--gres=gpu", "--gres-flags=enforce-binding"}).near_devices);
    BOOST_TEST(refusal({"--gres=gpu:0"}) == "--gres: \"gpu:0\": count: expected a number from 1 to 4096, found \"0\"");
    BOOST_TEST(refusal({"--gres=gpu:a:b"}) == "--gres: \"gpu:a:b\": count: expected a number from 1 to 4096, found \"b\"");
    BOOST_TEST(refusal({"--gres=gpu:a:1:2"}) == "--gres: \"gpu:a:1:2\": expected NAME[:TYPE][:COUNT]");
    BOOST_TEST(refusal({"--gres=:2"}) == "--gres: \":2\": the device's name is empty");
    BOOST_TEST(refusal({"--gres=g/u"}) == "--gres: \"g/u\": the device's name \"g/u\": column 2: letters, digits and _ - . are possible");
    BOOST_TEST(refusal({"--gres=gpu::1"}) == "--gres: \"gpu::1\": the device's type is empty");
    BOOST_TEST(refusal({"--gres=gpu:1,gpu:2"}) == "--gres: gpu is there twice; give one count for all of them");
    BOOST_TEST(!refusal({"--gres=gpu,"}).empty());
    BOOST_TEST(refusal({"--gres-flags=enforce"}).starts_with("--gres-flags: expected enforce-binding, disable-binding; found \"enforce\""));
    BOOST_TEST(refusal({"--gres-flags=enforce-binding"}) ==
               "--gres-flags=enforce-binding is about devices: ask for some with --gres, or leave it out");
}

BOOST_AUTO_TEST_CASE(huge_pages)
{
    using Pages = std::vector<HugePages>;
    BOOST_TEST((wishes({"--hugepages=512"}).huge_pages == Pages{{mebibytes(2), 512}}));
    BOOST_TEST((wishes({"--hugepages=1G:4,512"}).huge_pages == Pages{{mebibytes(2), 512}, {mebibytes(1024), 4}}));
    BOOST_TEST((wishes({}, {"JSUB_HUGEPAGES=64K:1"}).huge_pages == Pages{{MemorySize{65536}, 1}}));
    BOOST_TEST(wishes({"--hugepages=none"}, {}, "#JSUB --hugepages=3\n").huge_pages.empty());
    BOOST_TEST(refusal({"--hugepages=3M:1"}) ==
               "--hugepages: \"3M:1\": there are no huge pages of 3M; there are 64K, 1M, 2M, 16M, 32M, 512M, 1G, 16G");
    BOOST_TEST(refusal({"--hugepages=2M:0"}) == "--hugepages: \"2M:0\": count: expected a number from 1 to 16777216, found \"0\"");
    BOOST_TEST(refusal({"--hugepages=2M:"}).starts_with("--hugepages: \"2M:\": count: expected a number"));
    BOOST_TEST(refusal({"--hugepages=4,2M:8"}) == "--hugepages: huge pages of 2M are there twice; give one count for all of them");
}

BOOST_AUTO_TEST_CASE(isolated_cores)
{
    BOOST_TEST(wishes({"--cpu-isolation"}).isolated);
    BOOST_TEST(wishes({"--cpu-isolation=yes"}).isolated);
    BOOST_TEST(!wishes({"--cpu-isolation=no"}, {}, "#JSUB --cpu-isolation\n").isolated);
    BOOST_TEST(wishes({}, {"JSUB_CPU_ISOLATION=1"}).isolated);
    BOOST_TEST(refusal({"--cpu-isolation=maybe"}).starts_with("--cpu-isolation: expected yes, no; found \"maybe\""));
}

BOOST_AUTO_TEST_CASE(options_of_other_schedulers_say_what_to_use)
{
    const std::string use = "ask for GPUs on each node with --gres=gpu:N, or --gres=gpu:TYPE:N";
    for (const std::string name : {"--gpus", "--gpus-per-node", "--gpus-per-task", "-G"})
        BOOST_TEST(refusal({name, "2"}) == fmt::format("unknown option {}; {}", name, use));
    BOOST_TEST(refusal({}, {}, "#JSUB --gpus=2\n") == "run.sh:2: unknown option --gpus; " + use);
    BOOST_TEST(refusal({}, {"JSUB_GPUS=2"}) == "JSUB_GPUS: " + use);
}

BOOST_AUTO_TEST_CASE(in_words)
{
    const auto words = [](const Words& options) { return wishes_text(wire::to_message(wishes(options))); };
    BOOST_TEST(words({"--mem-bind=local", "--gres=gpu:a100:2", "--exclusive=numa"}) == "close, local memory, 2 gpu (a100), whole NUMA nodes");
    BOOST_TEST(words({"--place=spread", "--numa=2", "--hint=nomultithread", "-mplane=4:cyclic"}) ==
               "spread, exactly 2 NUMA nodes, 1 thread per core, tasks in planes of 4 over nodes, tasks cyclic inside nodes");
    BOOST_TEST(words({"--place=numa", "--gres=nic,gpu:2", "--gres-flags=enforce-binding", "--ntasks-per-l3=1", "--ntasks-per-package=8",
                      "--mem-bind=interleave", "--exclusive=package"}) ==
               "each task inside one NUMA node, interleaved memory, 2 gpu, 1 nic, cores near the devices, whole packages, at most 8 tasks per "
               "package, at most 1 task per L3 cache");
    BOOST_TEST(words({"--hugepages=1,1G:4", "--cpu-isolation"}) == "close, at most 1 huge page of 2M, at most 4 huge pages of 1G, isolated cores");
    wire::PlacementWishes newer;
    newer.set_place(9);
    BOOST_TEST(wishes_text(newer) == "unknown");
}

BOOST_AUTO_TEST_SUITE_END()
