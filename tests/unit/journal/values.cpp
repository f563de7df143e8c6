#include "values.hpp"

#include "cluster/apply.hpp"

namespace jarvis::journal::test {

using namespace jarvis::cluster;

namespace {

template <std::size_t N>
std::array<std::uint8_t, N> bytes(std::uint8_t first)
{
    std::array<std::uint8_t, N> value{};
    for (auto& byte : value)
        byte = first++;
    return value;
}

JobSubmitted submitted(std::uint64_t job, JobRequest request)
{
    const auto uid = request.account->uid;
    return {.job = JobId{job},
            .request = std::make_shared<const JobRequest>(std::move(request)),
            .request_id = {uid, bytes<16>(static_cast<std::uint8_t>(job))},
            .digest = bytes<16>(static_cast<std::uint8_t>(0x80 + job)),
            .priority = -3};
}

JobStarted started(std::uint64_t job, std::uint32_t incarnation) { return {JobId{job}, Incarnation{incarnation}, placement_on(1)}; }

JobEnd how(JobState state)
{
    return {.state = state, .end_class = EndClass::user, .exit_code = 137, .signal = 9, .cause = "killed by \xe9"};
}

Usage usage() { return {.elapsed = 61s, .cpu_user = 50s, .cpu_system = 3us, .memory_peak = mebibytes(123)}; }

} // namespace

JobRequest full_request()
{
    JobRequest r;
    r.account = Account{1000, 1001, {4, 24, 2000}, "alice", "staff", "/home/alice", "/bin/bash"};
    r.name = "caf\xe9"; // Latin-1
    r.partition = "batch";
    r.resources = {4, 2, {}, mebibytes(512), true};
    r.time_limit = 2h;
    r.hold = true;
    r.begin = WallTime(1'900'000'000s);
    r.nice = -7;
    r.requeue = true;
    r.warning = WarningSignal{10, 90s, true};
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
    r.script = bytes<32>(1);
    r.script_size = 123;
    r.environment = bytes<32>(101);
    return r;
}

JobRequest plain_request()
{
    JobRequest r;
    r.account = Account{.uid = 0, .gid = 0, .groups = {}, .user = "root", .group = {}, .home = {}, .shell = {}};
    r.partition = "gone"; // not configured any more
    r.working_directory = "/";
    r.resources.memory_per_node = mebibytes(77);
    return r;
}

cluster::Settings full_settings()
{
    cluster::Settings s;
    s.nodes = {"n1", "n2", "n3"};
    s.partitions = {{.name = "batch",
                     .nodes = {"n2", "n1"},
                     .is_default = true,
                     .default_time = 1h,
                     .max_time = 48h,
                     .up = true,
                     .confinement = Confinement::track,
                     .default_memory_per_cpu = mebibytes(900)},
                    {.name = "down", .nodes = {}, .is_default = false, .default_time = {}, .max_time = {}, .up = false,
                     .confinement = Confinement::none, .default_memory_per_cpu = {}}};
    s.keep_ended = 5h;
    s.heartbeat = 7s;
    s.kill_grace = 11s;
    s.first_job_id = 5;
    s.max_jobs = 1000;
    s.allow_root_jobs = true;
    return s;
}

cluster::Registration full_registration()
{
    cluster::Registration r{.boot_id = "0d1f", .topology = {}, .capabilities = required_capabilities(Confinement::track),
                            .version = "0.1.0", .notes = {"swap is on", "caf\xe9"}};
    for (std::uint32_t core = 0; core < 4; ++core)
        r.topology.cores.push_back({{core, core + 4}, core / 2});
    r.topology.numa_nodes = {{0, mebibytes(1000), CoreSet::range(0, 2)}, {2, mebibytes(2000), CoreSet::range(2, 2)}, {3, mebibytes(64), {}}};
    return r;
}

Placement placement_on(std::uint32_t node)
{
    return {{{.node = NodeId{node}, .cores = CoreSet::range(1, 2), .memory = {{0, mebibytes(10)}, {2, mebibytes(20)}}}}};
}

namespace {

std::vector<NamedEvent> history_0_1()
{
    auto without_begin = full_request();
    without_begin.begin.reset();
    without_begin.hold = false;
    auto other_settings = full_settings();
    other_settings.nodes.pop_back(); // n3 stays known, and is declared no more
    return {
        {"cluster_created", ClusterCreated{bytes<16>(0xa0), "caf\xe9"}},
        {"controller_started", ControllerStarted{Epoch{3}, {"boot-a", -17us}}},
        {"wall_clock_set", WallClockSet{1'800'000'000s}},
        {"configured", Configured{full_settings()}},
        {"node_registered", NodeRegistered{NodeId{1}, full_registration()}},
        {"node_registered_again", NodeRegistered{NodeId{0}, {}}},
        {"job_submitted", submitted(5, full_request())},
        {"job_submitted_plain", submitted(6, plain_request())},
        {"job_held", JobHeld{JobId{6}, {"otto", true}}},
        {"job_submitted_7", submitted(7, without_begin)},
        {"job_submitted_8", submitted(8, without_begin)},
        {"job_submitted_9", submitted(9, without_begin)},
        {"job_submitted_10", submitted(10, full_request())},
        {"job_submitted_11", submitted(11, without_begin)},
        {"job_released", JobReleased{JobId{10}}},
        {"begin_reached", BeginReached{JobId{10}}},
        {"job_started", started(7, 1)},
        {"job_requeued", JobRequeued{JobId{7}, Incarnation{1}, "node n2 rebooted"}},
        {"job_started_again", started(7, 2)},
        {"job_stop_requested", JobStopRequested{JobId{7}, {"alice", "cancelled by alice"}}},
        {"job_ended_pending", JobEnded{JobId{8}, Incarnation{1}, {.state = JobState::cancelled}, {}}},
        {"job_started_9", JobStarted{JobId{9}, Incarnation{1}, {{{.node = NodeId{1}, .cores = CoreSet::range(3, 1), .memory = {{1, mebibytes(5)}}}}}}},
        {"job_ended", JobEnded{JobId{9}, Incarnation{1}, how(JobState::out_of_memory), usage()}},
        {"job_ended_11", JobEnded{JobId{11}, Incarnation{1}, how(JobState::failed), usage()}},
        {"job_forgotten", JobForgotten{JobId{11}}},
        {"node_lost", NodeLost{NodeId{0}}},
        {"node_drained", NodeDrained{NodeId{1}, {"new disk", "otto", WallTime(1'800'000'042s)}}},
        {"node_drained_2", NodeDrained{NodeId{2}, {"fan", "root", WallTime(1'800'000'043s)}}},
        {"node_resumed", NodeResumed{NodeId{2}}},
        {"configured_again", Configured{other_settings}},
    };
}

// Nodes with classes and features, and jobs over several of them.
std::vector<NamedEvent> history_of_nodes()
{
    auto settings = full_settings();
    settings.traits = {{"n1", {{"ib", "r1"}, true}}, {"n2", {{"gpu"}, false}}};
    settings.node_classes = {{.name = "cloud", .accept_all = true, .names = {"c1", "c2"}, .traits = {{"spot"}, true}, .max_nodes = 7}};
    settings.partitions[0].node_classes = {"cloud"};
    settings.partitions[0].min_nodes = 1;
    settings.partitions[0].max_nodes = 9;
    settings.partitions[0].max_cores = 64;
    settings.partitions[0].allow_users = {"alice"};
    settings.partitions[0].allow_groups = {"staff"};
    settings.partitions[0].allow_gids = {1001, 1002};
    settings.partitions[0].deny_users = {"mallory"};
    settings.down_after = 99s;
    settings.requeue_on_silence = true;
    auto request = full_request();
    request.begin.reset();
    request.hold = false;
    request.resources.nodes_min = 2;
    request.resources.nodes_max = 3;
    request.resources.tasks_per_node = 2;
    request.resources.contiguous = true;
    request.constraint = "ib|gpu";
    request.node_list = std::vector<std::string>{"n2"};
    request.exclude = std::vector<std::string>{"n3"};
    auto both = placement_on(1);
    both.nodes.push_back(placement_on(0).nodes.front());
    both.nodes[0].tasks = 3;
    both.nodes[1].tasks = 1;
    const JobRef ref{JobId{12}, Incarnation{1}};
    const cluster::Ending ending{.end = how(JobState::node_fail), .usage = usage(), .may_requeue = true};
    return {
        {"configured_for_many", Configured{settings}},
        {"node_joined", NodeJoined{NodeId{3}, "c1", "cloud"}},
        {"node_registered_3", NodeRegistered{NodeId{3}, full_registration()}},
        {"job_submitted_12", submitted(12, request)},
        {"job_submitted_13", submitted(13, request)},
        {"job_started_12", JobStarted{JobId{12}, Incarnation{1}, both}},
        {"node_prepared", NodePrepared{JobId{12}, Incarnation{1}, NodeId{0}}},
        {"run_ending", RunEnding{JobId{12}, Incarnation{1}, NodeId{1}, ending}},
        {"job_started_13", JobStarted{JobId{13}, Incarnation{1}, both}},
        {"run_ending_13", RunEnding{JobId{13}, Incarnation{1}, NodeId{0}, ending}},
        {"node_finished", NodeFinished{JobId{13}, Incarnation{1}, NodeId{1}, usage()}},
        {"node_downed", NodeDowned{NodeId{0}, {"burnt", "otto", WallTime(1'800'000'077s), true}}},
        {"node_downed_1", NodeDowned{NodeId{1}, {"silent for 5m", "", WallTime(1'800'000'078s), false}}},
        {"node_cleared", NodeCleared{NodeId{1}}},
        {"node_violation", NodeViolation{NodeId{3}, ref, "job 12 runs and should not", true}},
        {"node_violation_missing", NodeViolation{NodeId{3}, ref, "job 12 should run and does not", false}},
    };
}

// A job that stands still for the second time.
std::vector<NamedEvent> history_of_suspensions()
{
    auto request = plain_request();
    request.begin.reset();
    return {
        {"job_submitted_14", submitted(14, request)},
        {"job_started_14", JobStarted{JobId{14}, Incarnation{1}, {{{.node = NodeId{3}, .cores = CoreSet::range(0, 1), .memory = {}}}}}},
        {"job_suspended", cluster::JobSuspended{JobId{14}, "alice", false}},
        {"job_resumed", cluster::JobResumed{JobId{14}}},
        {"job_suspended_again", cluster::JobSuspended{JobId{14}, "otto", true}},
    };
}

// A job with steps, the first of which failed and the second was cancelled.
std::vector<NamedEvent> history_of_steps()
{
    auto request = plain_request();
    request.begin.reset();
    StepEnd failed{.step = 1, .name = "solve", .node_list = "n[3-4]", .node_count = 2, .tasks = 8, .cores = 16,
                   .started = WallTime(1'800'000'080s), .ended = WallTime(1'800'000'090s), .exit_code = 3, .signal = 9, .cause = {}, .usage = usage()};
    auto cancelled = failed;
    cancelled.step = 0;
    cancelled.cause = "cancelled by its caller";
    return {
        {"job_submitted_15", submitted(15, request)},
        {"job_started_15", JobStarted{JobId{15}, Incarnation{1}, {{{.node = NodeId{3}, .cores = CoreSet::range(2, 3), .memory = {}}}}}},
        {"steps_ended", cluster::StepsEnded{JobId{15}, Incarnation{1}, 1, {failed, cancelled}}},
        {"steps_ended_later", cluster::StepsEnded{JobId{15}, Incarnation{1}, 3, {StepEnd{.step = 2, .name = "", .node_list = "n3"}}}},
    };
}

} // namespace

std::vector<HistoryPart> history_parts()
{
    return {{"groups.hex", history_0_1()}, {"groups_nodes.hex", history_of_nodes()}, {"groups_suspensions.hex", history_of_suspensions()},
            {"groups_steps.hex", history_of_steps()}};
}

std::vector<NamedEvent> history()
{
    std::vector<NamedEvent> events;
    for (auto& part : history_parts())
        std::move(part.events.begin(), part.events.end(), std::back_inserter(events));
    return events;
}

std::vector<cluster::EventGroup> groups_of(const std::vector<NamedEvent>& events)
{
    std::vector<cluster::EventGroup> groups;
    for (const auto& named : events)
        groups.push_back({.sequence = SequenceNumber{groups.size() + 1}, .at = Instant(std::chrono::seconds(groups.size())), .events = {named.event}});
    return groups;
}

cluster::State full_state()
{
    cluster::State state;
    for (const auto& group : groups_of(history()))
        apply(state, group);
    return state;
}

cluster::State state_of_0_1()
{
    cluster::State state;
    for (const auto& group : groups_of(history_0_1()))
        apply(state, group);
    return state;
}

std::string hex(std::string_view bytes)
{
    std::string text;
    for (unsigned char byte : bytes)
        text += fmt::format("{:02x}", byte);
    return text;
}

} // namespace jarvis::journal::test
