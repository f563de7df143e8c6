#include "wire/convert.hpp"
#include "wire/frame.hpp"
#include "wire/limits.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>

using namespace jarvis;

namespace {

JobRequest full_request()
{
    JobRequest r;
    r.account = Account{1000, 1001, {4, 24, 2000}, "alice", "staff", "/home/alice", "/bin/bash"};
    r.name = "caf\xe9"; // Latin-1
    r.partition = "batch";
    r.resources = {4, 2, {}, mebibytes(512), true, 2, 3, 4, true};
    r.resources.wishes = PlacementWishes{.place = PlacePattern::numa,
                                         .memory = MemoryBinding::local,
                                         .alone_on = AloneOn::l3,
                                         .numa_nodes = 2,
                                         .tasks_per_package = 3,
                                         .tasks_per_numa = 4,
                                         .tasks_per_l3 = 5,
                                         .threads_per_core = 1,
                                         .over_nodes = Distribution::cyclic,
                                         .inside = Distribution::plane,
                                         .plane = 6,
                                         .devices = {{"gpu", "a100", 2}, {"nic", "", 1}},
                                         .near_devices = true,
                                         .huge_pages = {{mebibytes(2), 512}, {mebibytes(1024), 3}},
                                         .isolated = true};
    r.constraint = "ib&(r1|r2)*2";
    r.node_list = std::vector<std::string>{"n1", "n2"};
    r.exclude = std::vector<std::string>{"n9"};
    r.time_limit = std::chrono::hours(2);
    r.hold = true;
    r.begin = WallTime(std::chrono::seconds(1'800'000'000));
    r.nice = -7;
    r.requeue = true;
    r.warning = WarningSignal{10, std::chrono::seconds(90), true};
    r.array = ArraySpec{IndexSet::range(0, 99) | IndexSet{200, 202}, 10};
    r.dependencies = Dependencies{true, {{DependencyKind::after, JobId{5, 3}, std::chrono::minutes(10)}, {DependencyKind::singleton, {}, {}}}};
    r.kill_on_invalid_dependency = true;
    r.continue_after_oom = true;
    r.retry = RetryRule{.times = 3, .backoff_first = std::chrono::seconds(1), .backoff_most = std::chrono::minutes(1), .on_node_fail = true,
               .on_timeout = false, .on_signal = true, .on_out_of_memory = false, .on_system = true, .exits = {{3, 5}, {9, 9}}};
    r.arguments = std::vector<std::string>{"-x", "", "a b\nc\xff"};
    r.working_directory = "/work/caf\xe9";
    r.output = "out-%j";
    r.error = "err-%j";
    r.input = "in";
    r.open_mode = OpenMode::append;
    r.umask = 077;
    r.limits = std::vector<ResourceLimit>{{"NOFILE", 1024, 4096}, {"CORE", 0, ~std::uint64_t{0}}};
    r.comment = "two\nlines";
    r.mail_type = "END";
    r.mail_user = "alice@example.org";
    r.submit_host = "login1";
    r.submit_directory = "/home/alice/run";
    r.script = BlobHash{7};
    r.script_size = 123;
    r.environment = BlobHash{9};
    return r;
}

// What arrives: through bytes, not only through the message object.
template <class Message>
Message through_bytes(const Message& message)
{
    std::string bytes;
    message.SerializeToString(&bytes);
    return wire::parse<Message>(bytes).value();
}

using Spoil = std::function<void(wire::JobRequest&)>;

void check_refused(const Spoil& spoil, std::string_view text)
{
    auto message = wire::to_message(full_request());
    spoil(message);
    auto request = wire::from_message(message);
    BOOST_REQUIRE_MESSAGE(!request, "was accepted: " << text);
    BOOST_TEST(request.error().message.find(text) != std::string::npos, request.error().message << " lacks " << text);
}

Topology two_numa_nodes()
{
    Topology t;
    for (std::uint32_t core = 0; core < 4; ++core)
        t.cores.push_back({{core, core + 4}, core / 2, core / 2, core / 2, core, core % 2});
    t.numa_nodes = {{0, mebibytes(1000), CoreSet::range(0, 2)}, {2, mebibytes(2000), CoreSet::range(2, 2), MemoryKind::hbm}};
    t.distances = {10, 21, 22, 10};
    t.devices = {{"gpu", "a100", "0000:41:00.0", {"/dev/nvidia0"}, CoreSet::range(2, 2)}, {"nic", "", "ib0", {}, {}}};
    return t;
}

} // namespace

BOOST_AUTO_TEST_SUITE(convert)

BOOST_AUTO_TEST_CASE(request_round_trip_with_every_field)
{
    auto request = full_request();
    auto back = wire::from_message(through_bytes(wire::to_message(request)));
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((*back == request));

    JobRequest plain;
    plain.account = Account{.uid = 0, .gid = 0, .groups = {}, .user = "root", .group = {}, .home = {}, .shell = {}};
    plain.partition = "p";
    plain.working_directory = "/";
    auto plain_back = wire::from_message(through_bytes(wire::to_message(plain)));
    BOOST_REQUIRE(plain_back.has_value());
    BOOST_TEST((*plain_back == plain));
}

BOOST_AUTO_TEST_CASE(submitted_request_is_what_the_client_said)
{
    wire::SubmittedRequest submitted{full_request(), {}};
    submitted.request.account = {};
    submitted.request.script = {};
    submitted.request.script_size = 0;
    submitted.request.environment = {};
    submitted.request.requeue = false;
    submitted.request.partition = "";
    submitted.request.time_limit.reset();
    for (auto requeue : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
        submitted.requeue = requeue;
        auto back = wire::submitted_request(through_bytes(wire::to_submit_message(submitted)));
        BOOST_REQUIRE(back.has_value());
        BOOST_TEST((back->request == submitted.request));
        BOOST_TEST((back->requeue == requeue));
    }
    // A client's word about who it is counts for nothing.
    auto message = wire::to_submit_message(submitted);
    message.mutable_account()->set_uid(0);
    message.set_script("x");
    auto back = wire::submitted_request(message);
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((back->request.account == Account{}));
}

BOOST_AUTO_TEST_CASE(names_with_control_characters_are_not_submitted)
{
    for (std::string name : {"a\nb", "\x1b[31m", "a\x7f"}) {
        auto message = wire::to_submit_message({full_request(), {}});
        message.set_name(name);
        auto request = wire::submitted_request(message);
        BOOST_REQUIRE(!request);
        BOOST_TEST(request.error().message.find("job name: contains a control character") == 0u);
    }
}

BOOST_AUTO_TEST_CASE(spoiled_requests_are_refused)
{
    check_refused([](auto& m) { m.clear_account(); }, "no account");
    check_refused([](auto& m) { m.clear_partition(); }, "no partition");
    check_refused([](auto& m) { m.clear_resources(); }, "resources");
    check_refused([](auto& m) { m.mutable_account()->set_uid(~0u); }, "out of range");
    check_refused([](auto& m) { m.mutable_account()->set_groups(0, 25); }, "not in order");
    check_refused([](auto& m) { m.mutable_account()->clear_user(); }, "no name");
    check_refused([](auto& m) { m.set_script("short"); }, "a hash has 32 bytes, not 5");
    check_refused([](auto& m) { m.clear_environment(); }, "a hash has 32 bytes, not 0");
    check_refused([](auto& m) { m.set_script_size(1ull << 40); }, "script");
    check_refused([](auto& m) { m.set_open_mode(3); }, "open mode 3");
    check_refused([](auto& m) { m.set_umask(01000); }, "umask");
    check_refused([](auto& m) { m.set_nice(2'000'000'000); }, "nice");
    check_refused([](auto& m) { m.set_time_limit_us(-1); }, "time limit");
    check_refused([](auto& m) { m.set_time_limit_us(0); }, "time limit");
    check_refused([](auto& m) { m.set_begin_us(-5); }, "begin time");
    check_refused([](auto& m) { m.mutable_warning()->set_signal(65); }, "no signal 65");
    check_refused([](auto& m) { m.mutable_warning()->set_before_us(-1); }, "warning signal");
    check_refused([](auto& m) { m.set_working_directory("here"); }, "not an absolute path");
    check_refused([](auto& m) { m.set_output(std::string("a\0b", 3)); }, "output path: contains a NUL byte");
    check_refused([](auto& m) { m.set_output(std::string(5000, 'x')); }, "output path: 5000 bytes long");
    check_refused([](auto& m) { m.set_name(std::string(1025, 'x')); }, "job name: 1025 bytes long");
    check_refused([](auto& m) { m.add_arguments(std::string(200'000, 'x')); }, "argument: 200000 bytes long");
    check_refused([](auto& m) {
        for (int i = 0; i < 70'000; ++i)
            m.add_arguments("x");
    }, "arguments; at most");
    check_refused([](auto& m) {
        for (int i = 0; i < 50; ++i)
            m.add_arguments(std::string(100'000, 'x'));
    }, "arguments: 5000");
    check_refused([](auto& m) { *m.add_limits() = m.limits(0); }, "NOFILE is given twice");
    check_refused([](auto& m) { m.mutable_limits(0)->set_name("nofile"); }, "capital letters");
    check_refused([](auto& m) { m.mutable_limits(0)->set_soft(5000); }, "above the hard one");
    check_refused([](auto& m) { m.set_constraint("ib&"); }, "constraint \"ib&\", column 4");
    check_refused([](auto& m) { m.add_node_list("n1"); }, "node list: node n1 is named twice");
    check_refused([](auto& m) { m.add_exclude("a b"); }, "excluded nodes: what stands there is not the name of a node");
}

BOOST_AUTO_TEST_CASE(impossible_resources_are_refused)
{
    struct {
        ResourceRequest request;
        std::string_view text;
    } const cases[] = {
        {{0, 1, {}, {}, false}, "0 tasks"},
        {{1, 0, {}, {}, false}, "0 CPUs"},
        {{2'000'000, 1, {}, {}, false}, "2000000 tasks"},
        {{1, 70'000, {}, {}, false}, "70000 CPUs"},
        {{1'000'000, 60'000, {}, {}, false}, "in all"},
        {{1, 1, mebibytes(1), mebibytes(1), false}, "only one"},
        {{1, 1, MemorySize{0}, {}, false}, "memory per node"},
        {{1, 1, {}, MemorySize{-1}, false}, "memory per CPU"},
        {{1000, 1000, {}, MemorySize{1ll << 50}, false}, "memory per CPU"},
        {{4, 1, {}, {}, false, 4, 3}, "from 4 to 3 nodes"},
        {{4, 1, {}, {}, false, 1 << 18}, "262144 nodes"},
        {{.wishes = PlacementWishes{.place = static_cast<PlacePattern>(7)}}, "placement 7 is not known"},
        {{.wishes = PlacementWishes{.memory = static_cast<MemoryBinding>(9)}}, "memory binding 9 is not known"},
        {{.wishes = PlacementWishes{.tasks_per_l3 = 1 << 21}}, "2097152 tasks on a part"},
        {{.wishes = PlacementWishes{.threads_per_core = 65}}, "65 threads per core"},
        {{.wishes = PlacementWishes{.huge_pages = {{mebibytes(3), 1}}}}, "huge pages of 3145728 bytes"},
        {{.wishes = PlacementWishes{.huge_pages = {{mebibytes(2), 0}}}}, "0 huge pages"},
        {{.wishes = PlacementWishes{.huge_pages = {{mebibytes(2), 1}, {mebibytes(2), 1}}}}, "huge pages are out of order"},
        {{.wishes = PlacementWishes{.devices = {{"gpu", "", 0}}}}, "0 gpu"},
        {{.wishes = PlacementWishes{.devices = {{"", "", 1}}}}, "a device without a name"},
        {{.wishes = PlacementWishes{.devices = {{"gpu", "", 1}, {"gpu", "", 1}}}}, "out of order"},
    };
    for (const auto& one : cases) {
        auto back = wire::from_message(wire::to_message(one.request));
        BOOST_REQUIRE_MESSAGE(!back, one.text);
        BOOST_TEST(back.error().message.find(one.text) != std::string::npos, back.error().message);
        BOOST_TEST((back.error().code == Errc::invalid));
    }
}

BOOST_AUTO_TEST_CASE(environment)
{
    std::vector<std::string> variables{"A=1", "B=", "C=x=y\n\xff"};
    auto back = wire::from_message(through_bytes(wire::environment_message(variables)));
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST(*back == variables, boost::test_tools::per_element());
    for (const std::string& bad : {std::string("novalue"), std::string("=x"), std::string("A=\0", 3),
                                   "A=" + std::string(200'000, 'x')})
        BOOST_TEST(!wire::from_message(wire::environment_message(std::vector{bad})).has_value());
}

BOOST_AUTO_TEST_CASE(placement_round_trip_and_refusals)
{
    Placement placement{{{NodeId{3}, CoreSet::range(60, 10), {{0, mebibytes(5)}, {1, mebibytes(6)}}, 7},
                         {NodeId{1}, CoreSet::range(0, 1), {}}}};
    auto message = through_bytes(wire::to_message(placement));
    auto back = wire::from_message(message);
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((*back == placement));

    auto refused = [&](auto spoil) {
        auto copy = message;
        spoil(copy);
        return !wire::from_message(copy).has_value();
    };
    BOOST_TEST(refused([](auto& m) { m.mutable_nodes(1)->set_node(3); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_nodes(1)->set_node(~0u); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_nodes(0)->mutable_memory(1)->set_numa(0); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_nodes(0)->mutable_memory(1)->set_numa(70'000); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_nodes(0)->mutable_memory(0)->set_memory(-1); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_nodes(0)->mutable_memory(0)->set_memory(wire::limits::memory); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_nodes(0)->mutable_core_words()->Resize(2000, 1); }));
}

BOOST_AUTO_TEST_CASE(topology_round_trip_and_refusals)
{
    auto topology = two_numa_nodes();
    auto message = through_bytes(wire::to_message(topology));
    auto back = wire::from_message(message);
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((*back == topology));

    auto refused = [&](auto spoil) {
        auto copy = message;
        spoil(copy);
        return !wire::from_message(copy).has_value();
    };
    BOOST_TEST(refused([](auto& m) { m.mutable_cores(1)->set_pus(0, 0); }));              // a PU twice
    BOOST_TEST(refused([](auto& m) { m.mutable_cores(1)->clear_pus(); }));                // a core without one
    BOOST_TEST(refused([](auto& m) { m.mutable_cores(1)->set_pus(0, 1u << 30); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_numa_nodes(1)->set_core_words(0, 0x10); })); // core 4 of 0..3
    BOOST_TEST(refused([](auto& m) { m.mutable_numa_nodes(1)->set_memory(-1); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_numa_nodes(1)->set_os_index(0); }));       // a kernel's number twice
    BOOST_TEST(refused([](auto& m) {
        m.mutable_numa_nodes(0)->set_memory(wire::limits::memory);
        m.mutable_numa_nodes(1)->set_memory(wire::limits::memory); // each is possible, their sum is not
    }));
    BOOST_TEST(refused([](auto& m) { m.mutable_cores(1)->set_l3(1u << 30); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_numa_nodes(1)->set_kind(9); }));
    BOOST_TEST(refused([](auto& m) { m.add_distances(10); })); // five of four
    BOOST_TEST(refused([](auto& m) { m.set_distances(1, 0); }));
    BOOST_TEST(refused([](auto& m) { m.set_distances(1, 256); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_devices(0)->clear_resource(); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_devices(0)->set_core_words(0, 0x10); }));
    BOOST_TEST(refused([](auto& m) { m.mutable_devices(0)->add_paths(std::string("a\0b", 3)); }));
}

BOOST_AUTO_TEST_CASE(placement_that_is_not_of_this_node)
{
    auto topology = two_numa_nodes();
    BOOST_TEST(wire::check_fits({NodeId{}, CoreSet::range(0, 4), {{1, mebibytes(1)}}}, topology).has_value());
    BOOST_TEST(!wire::check_fits({NodeId{}, CoreSet::range(3, 2), {}}, topology).has_value());
    BOOST_TEST(!wire::check_fits({NodeId{}, CoreSet::range(0, 1), {{2, mebibytes(1)}}}, topology).has_value());
    BOOST_TEST(wire::check_fits({NodeId{}, CoreSet::range(0, 1), {}, 1, {0, 1}}, topology).has_value());
    BOOST_TEST(!wire::check_fits({NodeId{}, CoreSet::range(0, 1), {}, 1, {2}}, topology).has_value());
}

BOOST_AUTO_TEST_CASE(ends_and_usage)
{
    JobEnd ends[] = {{JobState::completed, EndClass::none, 0, 0, ""},
                     {JobState::failed, EndClass::user, {}, 11, "signal 11"},
                     {JobState::timeout, EndClass::resources, {}, 0, "time limit of 1h reached"}};
    for (const auto& end : ends) {
        auto back = wire::from_message(through_bytes(wire::to_message(end)));
        BOOST_REQUIRE(back.has_value());
        BOOST_TEST((*back == end));
    }
    auto refused = [&](auto spoil) {
        auto message = wire::to_message(ends[0]);
        spoil(message);
        return !wire::from_message(message).has_value();
    };
    BOOST_TEST(refused([](auto& m) { m.set_state(0); }));
    BOOST_TEST(refused([](auto& m) { m.set_state(99); }));
    BOOST_TEST(refused([](auto& m) { m.set_state(2); })); // RUNNING is no end
    BOOST_TEST(refused([](auto& m) { m.set_end_class(5); }));
    BOOST_TEST(refused([](auto& m) { m.set_exit_code(256); }));
    BOOST_TEST(refused([](auto& m) { m.set_exit_code(-1); }));
    BOOST_TEST(refused([](auto& m) { m.set_signal(-1); }));

    // Whatever its cause quotes, an end can be told.
    const JobEnd odd{JobState::failed, EndClass::system, {}, 0, std::string("a\0b", 3) + std::string(10'000, 'x')};
    auto told = wire::from_message(through_bytes(wire::to_message(odd)));
    BOOST_REQUIRE(told.has_value());
    BOOST_TEST(told->cause.starts_with("a?bxxx"));

    for (auto peak : {std::optional<MemorySize>(), std::optional(mebibytes(3))}) {
        Usage usage{Duration(5), Duration(6), Duration(7), peak};
        auto back = wire::from_message(through_bytes(wire::to_message(usage)));
        BOOST_REQUIRE(back.has_value());
        BOOST_TEST((*back == usage));
    }
    BOOST_TEST(!wire::from_message(wire::to_message(Usage{Duration(-1), {}, {}, {}})).has_value());
}

BOOST_AUTO_TEST_CASE(errors)
{
    for (auto code : {Errc::invalid, Errc::not_found, Errc::denied, Errc::unavailable, Errc::corrupt}) {
        Error error{code, "node n1: caf\xe9"};
        BOOST_TEST((wire::from_message(through_bytes(wire::to_message(error))) == error));
    }
    wire::Error newer;
    newer.set_code(77);
    BOOST_TEST((wire::from_message(newer).code == Errc::unavailable));
}

BOOST_AUTO_TEST_CASE(unknown_fields_are_kept)
{
    // What a newer minor version might say of a job: field 200, varint 5.
    std::string bytes;
    wire::to_message(full_request()).SerializeToString(&bytes);
    bytes += std::string("\xc0\x0c\x05", 3);
    auto message = wire::parse<wire::JobRequest>(bytes).value();
    std::string again;
    message.SerializeToString(&again);
    BOOST_TEST(again == bytes);
    BOOST_TEST(wire::from_message(message).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
