#include "cluster_input.hpp"

#include "cluster/submit.hpp"
#include "wire/convert.hpp"

#include <algorithm>

namespace jarvis::fuzz {

using namespace std::chrono_literals;
using namespace cluster;

namespace {

// --- Names

std::string some_node_name(Draw& draw) { return draw.pick({"n1", "n2", "n3", "n4", "n5", "g1", "g2", "g3", "x"}); }

std::vector<std::string> some_node_names(Draw& draw, std::size_t most)
{
    std::vector<std::string> names;
    for (auto count = draw.below(most + 1); count > 0; --count)
        names.push_back(some_node_name(draw));
    return names;
}

Caller some_caller(Draw& draw)
{
    switch (draw.below(8)) {
    case 1: return {1000, "alice", Role::user, "uid 1000"};
    case 2: return {1001, "bob", Role::user, "uid 1001"};
    case 3: return {1002, "carol", Role::operator_, "uid 1002"};
    case 4: return {4711, "mallory", Role::user, ""};
    default: return {0, "root", Role::admin, "uid 0"};
    }
}

IndexSet some_indexes(Draw& draw)
{
    IndexSet set;
    for (auto count = 1 + draw.below(3); count > 0; --count) {
        const auto first = draw.rarely(16) ? max_array_task - draw.below(4) : draw.below(16);
        set.insert_range(first, std::min(max_array_task, first + draw.below(6)));
    }
    return set;
}

JobId some_job(Draw& draw, const State& state)
{
    if (state.jobs.empty() || draw.rarely(8))
        return {1u + draw.byte(), draw.flag() ? draw.below(8) : JobId::no_task};
    return std::next(state.jobs.begin(), draw.below(std::min<std::size_t>(state.jobs.size(), 256)))->first;
}

std::vector<JobSelection> some_selections(Draw& draw, const State& state)
{
    std::vector<JobSelection> list;
    for (auto count = 1 + draw.below(3); count > 0; --count) {
        const JobId job = some_job(draw, state);
        JobSelection selection{job.value, {}};
        if (draw.rarely(4))
            selection.tasks = some_indexes(draw);
        else if (job.is_task())
            selection.tasks = IndexSet{job.task};
        list.push_back(std::move(selection));
    }
    return list;
}

Duration some_time(Draw& draw) { return draw.pick<Duration>({0s, 1us, 1s, 30s, 10min, 1h, 24h, 10'000h}); }

// --- Nodes and what they say

std::vector<std::string> some_features(Draw& draw)
{
    std::vector<std::string> features;
    for (const char* feature : {"fast", "gpu"})
        if (draw.flag())
            features.emplace_back(feature);
    return features;
}

// Mostly of what is on the node, if it is known.
JobRef some_ref(Draw& draw, const State& state, const Node* node)
{
    const bool there = node && !node->jobs.empty() && !draw.rarely(4);
    const JobId id = there ? *std::next(node->jobs.begin(), draw.below(node->jobs.size())) : some_job(draw, state);
    const auto job = state.find(id);
    auto incarnation = job ? job->incarnation.value : 1;
    if (draw.rarely(8))
        incarnation += static_cast<std::uint32_t>(static_cast<std::int8_t>(draw.byte()));
    return {id, Incarnation{incarnation}};
}

Usage some_usage(Draw& draw)
{
    if (draw.flag())
        return {};
    return {.elapsed = some_time(draw), .cpu_user = some_time(draw), .cpu_system = some_time(draw), .memory_peak = mebibytes(draw.byte())};
}

EndedOnNode some_end(Draw& draw, const State& state, const Node* node)
{
    EndedOnNode ended{.job = some_ref(draw, state, node), .end = {}, .usage = some_usage(draw)};
    ended.end.state = draw.pick({JobState::completed, JobState::failed, JobState::cancelled, JobState::timeout, JobState::out_of_memory,
                                 JobState::node_fail, JobState::preempted});
    ended.end.end_class = static_cast<EndClass>(draw.below(5));
    if (draw.flag())
        ended.end.exit_code = draw.byte();
    ended.end.signal = static_cast<std::int32_t>(draw.below(65));
    ended.end.cause = draw.pick({"", "so it goes", "\xe9"});
    return ended;
}

NodeReport some_report(Draw& draw, const State& state, const Node* node)
{
    NodeReport report;
    const bool honest = draw.flag();
    for (JobId id : node && honest ? node->jobs : std::set<JobId>{})
        report.running.push_back({id, state.find(id)->incarnation});
    for (auto count = draw.below(3); count > 0; --count)
        report.running.push_back(some_ref(draw, state, node));
    for (auto count = draw.below(3); count > 0; --count)
        report.ended.push_back(some_end(draw, state, node));
    for (auto count = draw.below(3); count > 0; --count)
        report.prepared.push_back(some_ref(draw, state, node));
    return report;
}

Command some_registration(Draw& draw, const State& state)
{
    RegisterNode command{.session = draw.byte(), .name = some_node_name(draw), .registration = {}, .report = {}, .certified = draw.flag()};
    const auto* node = state.find_node(command.name);
    if (node && node->registration && draw.flag())
        command.registration = *node->registration;
    else
        command.registration = some_machine(draw);
    command.report = some_report(draw, state, node);
    return command;
}

std::optional<Command> some_node_report(Draw& draw, const State& state)
{
    if (state.nodes.empty())
        return {};
    const auto& node = state.nodes[draw.below(state.nodes.size())];
    if (draw.rarely(8))
        return StepsReported{node.id, some_ref(draw, state, &node), 1 + draw.below(8),
                             std::vector<StepEnd>(1 + draw.below(4), StepEnd{.name = "step", .exit_code = draw.byte()})};
    return NodeReported{node.id, some_report(draw, state, &node), draw.flag()};
}

// --- Submits

PlacementWishes some_wishes(Draw& draw)
{
    PlacementWishes wishes{.place = static_cast<PlacePattern>(draw.below(3)), .memory = static_cast<MemoryBinding>(draw.below(4)),
                           .alone_on = draw.rarely(2) ? static_cast<AloneOn>(draw.below(4)) : AloneOn::core};
    if (draw.rarely(2))
        wishes.numa_nodes = draw.below(4);
    if (draw.rarely(2)) {
        wishes.tasks_per_package = draw.below(4);
        wishes.tasks_per_numa = draw.below(4);
        wishes.tasks_per_l3 = draw.below(4);
    }
    if (draw.rarely(2)) {
        if (draw.flag())
            wishes.devices.push_back({"gpu", "", 1 + draw.below(3)});
        if (draw.flag())
            wishes.devices.push_back({"gpu", "large", 1 + draw.below(2)});
        wishes.near_devices = draw.flag();
    }
    return wishes;
}

ResourceRequest some_resources(Draw& draw)
{
    ResourceRequest resources;
    resources.tasks = draw.below(8); // 0 is refused
    resources.cpus_per_task = draw.below(6);
    switch (draw.below(4)) {
    case 0: resources.memory_per_node = mebibytes(draw.byte() * 32); break;
    case 1: resources.memory_per_cpu = mebibytes(draw.byte() * 8); break;
    default: break;
    }
    resources.exclusive = draw.rarely(4);
    if (draw.flag()) {
        resources.nodes_min = draw.below(5);
        resources.nodes_max = draw.rarely(4) ? draw.below(5) : 0;
        resources.tasks_per_node = draw.below(4);
        resources.contiguous = draw.rarely(4);
    }
    if (draw.flag())
        resources.wishes = some_wishes(draw);
    return resources;
}

void add_array(Draw& draw, JobRequest& request)
{
    if (draw.rarely(3)) {
        ArraySpec array{some_indexes(draw), 0};
        array.throttle = draw.below(4);
        request.array = std::move(array);
    }
}

void add_dependencies(Draw& draw, const State& state, JobRequest& request)
{
    Dependencies dependencies;
    for (auto count = draw.below(4); count > 0; --count) {
        Dependency dependency{static_cast<DependencyKind>(1 + draw.below(6)), some_job(draw, state), {}};
        if (dependency.kind == DependencyKind::singleton)
            dependency.job = {};
        else if (dependency.kind == DependencyKind::after)
            dependency.delay = some_time(draw);
        if (dependency.kind == DependencyKind::aftercorr) {
            dependency.job.task = JobId::no_task;
            if (const auto other = state.find(dependency.job); other && other->is_array() && !draw.rarely(4))
                request.array = ArraySpec{other->request->array->tasks, request.array->throttle}; // else it is most likely refused
        }
        if (std::ranges::find(dependencies.list, dependency) == dependencies.list.end())
            dependencies.list.push_back(dependency);
    }
    dependencies.any = dependencies.list.size() > 1 && draw.flag();
    request.dependencies = std::move(dependencies);
    request.kill_on_invalid_dependency = draw.flag();
}

void add_retries(Draw& draw, JobRequest& request)
{
    if (draw.rarely(3))
        if (auto rule = parse_retry(draw.pick({"1", "3,backoff=1s", "2,backoff=30s..10m,on=node_fail|timeout", "5,on=signal|exit:1-5|system"})))
            request.retry = std::move(*rule);
}

Account account_of(const Caller& caller)
{
    return {.uid = caller.uid, .gid = 100, .groups = {200}, .user = caller.user, .group = "users", .home = "/", .shell = "/bin/sh"};
}

std::optional<Command> some_submit(Draw& draw, const State& state, Token token)
{
    SubmitJob command{.token = token, .caller = some_caller(draw), .request_id = {}, .digest = {}, .request = {}, .verdict = {}};
    auto submitted = wire::submitted_request(wire::to_submit_message({some_request(draw, state), draw.flag()}));
    if (!submitted)
        return {};
    auto& request = submitted->request;
    request.account = account_of(command.caller);
    request.requeue = submitted->requeue.value_or(false);
    auto prepared = prepare_request(state.settings, std::move(request));
    if (!prepared || !wire::from_message(wire::to_message(*prepared)))
        return {};
    command.request = std::make_shared<const JobRequest>(std::move(*prepared));
    command.request_id = {.uid = command.caller.uid, .id = {draw.byte()}};
    command.digest.fill(static_cast<std::uint8_t>(draw.below(2)));
    command.verdict.priority = static_cast<std::int8_t>(draw.byte());
    return command;
}

std::optional<Command> some_change(Draw& draw, const State& state, Token token)
{
    const auto caller = some_caller(draw);
    switch (draw.below(7)) {
    case 0: return CancelJobs{token, caller, some_selections(draw, state)};
    case 1: return SignalJobs{token, caller, some_selections(draw, state), 1 + static_cast<std::int32_t>(draw.below(64)), draw.flag()};
    case 5: return SuspendJobs{token, caller, some_selections(draw, state)};
    case 6: return ResumeJobs{token, caller, some_selections(draw, state)};
    case 2: return HoldJobs{token, caller, some_selections(draw, state)};
    case 3: return ReleaseJobs{token, caller, some_selections(draw, state)};
    default: return RequeueJobs{token, caller, some_selections(draw, state)};
    }
}

Command some_node_change(Draw& draw, Token token)
{
    const auto caller = some_caller(draw);
    switch (draw.below(3)) {
    case 0: return DrainNodes{token, caller, some_node_names(draw, 4), draw.pick({"disk", "fan"})};
    case 1: return ResumeNodes{token, caller, some_node_names(draw, 4)};
    default: return DownNodes{token, caller, some_node_names(draw, 4), "burnt", draw.flag()};
    }
}

Duration some_step_of_the_clock(Draw& draw) { return draw.pick<Duration>({500ms, 2s, -2s, 1h, -1h, 10'000h, -10'000h}); }

} // namespace

Registration some_machine(Draw& draw)
{
    Registration machine{.boot_id = draw.pick({"boot-1", "boot-2"}), .topology = {}, .capabilities = Capabilities(draw.pick({255u, 48u, 0u})),
                         .version = "fuzz", .notes = {}};
    const auto cores = draw.pick({4u, 1u, 8u, 2u}), packages = 1 + draw.below(2);
    for (std::uint32_t core = 0; core < cores; ++core)
        machine.topology.cores.push_back({.pus = {2 * core, 2 * core + 1}, .package = core * packages / cores, .l3 = core / 2});
    for (std::uint32_t numa = 0; numa < packages; ++numa)
        machine.topology.numa_nodes.push_back({.os_index = numa, .memory = mebibytes(2048) * cores,
                                               .cores = CoreSet::range(numa * cores / packages, (numa + 1) * cores / packages - numa * cores / packages)});
    for (std::uint32_t device = 0, count = draw.below(4); device < count; ++device)
        machine.topology.devices.push_back({.resource = "gpu", .type = device == 0 ? "" : "large", .address = fmt::format("{}", device), .paths = {},
                                            .near = draw.flag() ? machine.topology.numa_nodes[device % packages].cores : CoreSet{}});
    return machine;
}

Settings some_settings(Draw& draw)
{
    Settings settings;
    for (std::uint32_t n = 1, count = 1 + draw.below(5); n <= count; ++n) {
        settings.nodes.push_back(fmt::format("n{}", n));
        if (auto features = some_features(draw); !features.empty())
            settings.traits[settings.nodes.back()] = {.features = std::move(features), .vouch = false};
    }
    PartitionSettings batch{.name = "batch", .nodes = settings.nodes, .default_time = 1h, .max_time = {}, .default_memory_per_cpu = {}};
    batch.is_default = true;
    batch.confinement = draw.pick({Confinement::none, Confinement::track, Confinement::full});
    batch.up = !draw.rarely(8);
    batch.node_classes = {"guests"};
    PartitionSettings small{.name = "small", .nodes = {settings.nodes[0]}, .default_time = {}, .max_time = {}, .default_memory_per_cpu = {}};
    small.confinement = Confinement::none;
    small.max_nodes = draw.below(3);
    small.max_cores = draw.pick({0u, 4u});
    if (draw.rarely(4))
        small.allow_users = {"alice"};
    settings.partitions = {std::move(batch)};
    if (!draw.rarely(4))
        settings.partitions.push_back(std::move(small));
    settings.node_classes = {{.name = "guests", .accept_all = draw.flag(), .names = {"g1", "g2"},
                              .traits = {.features = some_features(draw), .vouch = false}, .max_nodes = draw.below(3)}};
    settings.keep_ended = draw.pick<Duration>({1h, 0s, 10min, 48h});
    settings.down_after = draw.pick<Duration>({5min, 30s});
    settings.requeue_on_silence = draw.flag();
    settings.first_job_id = draw.pick({1u, 7u, 1000u});
    settings.max_jobs = draw.pick({0u, 3u});
    settings.allow_root_jobs = draw.flag();
    return settings;
}

JobRequest some_request(Draw& draw, const State& state)
{
    JobRequest request;
    request.name = draw.pick({"job", "other", "caf\xe9"});
    request.partition = draw.pick({"", "batch", "small", "nowhere"});
    request.working_directory = "/";
    request.resources = some_resources(draw);
    if (draw.flag())
        request.time_limit = some_time(draw);
    request.hold = draw.rarely(4);
    if (draw.rarely(4))
        request.begin = state.wall(state.now) + some_time(draw);
    request.nice = static_cast<std::int8_t>(draw.below(8)) - 2;
    if (draw.rarely(4))
        request.constraint = draw.pick({"fast", "gpu&!fast", "fast|gpu", "[fast*2&gpu*1]"});
    if (draw.rarely(4))
        request.node_list = some_node_names(draw, 2);
    if (draw.rarely(4))
        request.exclude = some_node_names(draw, 2);
    add_array(draw, request);
    add_dependencies(draw, state, request);
    add_retries(draw, request);
    return request;
}

std::optional<Command> some_command(Draw& draw, const State& state, Token token, Instant now)
{
    switch (draw.below(12)) {
    case 0:
    case 1:
    case 2: return some_submit(draw, state, token);
    case 3: return some_change(draw, state, token);
    case 4: return some_node_change(draw, token);
    case 5: return some_registration(draw, state);
    case 6:
    case 7: return some_node_report(draw, state);
    case 8: return NodeDisconnected{some_node_name(draw)};
    case 9: return Configure{some_settings(draw), token};
    case 10: return WallClock{state.wall(now) + some_step_of_the_clock(draw)};
    default: return TimePassed{};
    }
}

} // namespace jarvis::fuzz
