#include "node_input.hpp"

#include "wire/convert.hpp"

namespace jarvis::fuzz {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view clusters[] = {"0123456789abcdef", "fedcba9876543210", ""};

template <class Body>
void name_job(Draw& draw, Body& body)
{
    const auto key = some_key(draw);
    wire::put_job_id(key.job, body);
    body.set_incarnation(key.incarnation.value);
}

wire::JobRequest some_job_request(Draw& draw)
{
    JobRequest request;
    request.account = Account{.uid = draw.pick({1000u, 0u, 1001u}), .gid = 100, .groups = {}, .user = "alice", .group = "users", .home = "/", .shell = "/bin/sh"};
    request.name = "job";
    request.partition = "batch";
    request.working_directory = "/";
    request.output = draw.pick({"", "out-%j-%n", "%x/%A_%a"});
    request.resources.tasks = 1 + draw.below(4);
    if (draw.flag())
        request.time_limit = draw.pick<Duration>({1s, 1h, 10'000h});
    if (draw.flag())
        request.warning = WarningSignal{10, draw.pick<Duration>({1s, 2h}), draw.flag()};
    request.open_mode = static_cast<OpenMode>(draw.below(3));
    if (draw.flag())
        request.limits = std::vector<ResourceLimit>{{"NOFILE", 1024, 4096}};
    return wire::to_message(request);
}

wire::StartJob some_start(Draw& draw)
{
    wire::StartJob start;
    name_job(draw, start);
    *start.mutable_request() = some_job_request(draw);
    if (draw.rarely(8))
        start.mutable_request()->set_partition("");
    NodePlacement placement{.node = NodeId{draw.below(3)}, .cores = CoreSet::range(draw.below(4), 1 + draw.below(3)), .memory = {}, .tasks = 1};
    placement.memory = {{.numa = 0, .memory = mebibytes(draw.byte())}};
    *start.mutable_placement() = wire::to_message(placement);
    start.set_node_list(draw.pick({"n1", "n[1-3]"}));
    start.set_node_count(draw.below(4));
    start.set_script("#!/bin/sh\n");
    start.set_role(static_cast<wire::StartJob::Role>(draw.below(3)));
    for (auto count = draw.below(4); count > 0; --count)
        start.add_tasks_per_node(draw.byte());
    for (auto count = draw.below(4); count > 0; --count)
        start.mutable_environment()->add_variables(draw.flag() ? "PATH=/opt/jarvis/bin::/usr/bin" : std::string(draw.text()));
    return start;
}

wire::Welcome some_welcome(Draw& draw)
{
    wire::Welcome welcome;
    welcome.set_cluster_uuid(std::string(clusters[draw.rarely(8) ? draw.below(3) : 0]));
    welcome.set_heartbeat_us(draw.rarely(8) ? static_cast<std::int64_t>(draw.number()) : 10'000'000);
    welcome.set_kill_grace_us(draw.rarely(8) ? static_cast<std::int64_t>(draw.number()) : 30'000'000);
    return welcome;
}

void fill_body(Draw& draw, wire::ToNode& message)
{
    switch (draw.below(7)) {
    case 0: *message.mutable_welcome() = some_welcome(draw); break;
    case 1:
    case 2: *message.mutable_start() = some_start(draw); break;
    case 3:
        name_job(draw, *message.mutable_stop());
        message.mutable_stop()->set_why(static_cast<wire::StopJob::Why>(draw.below(4)));
        message.mutable_stop()->set_cause("cancelled by alice");
        break;
    case 4:
        name_job(draw, *message.mutable_signal());
        message.mutable_signal()->set_signal(static_cast<std::int8_t>(draw.byte()));
        message.mutable_signal()->set_batch_only(draw.flag());
        break;
    case 5:
        name_job(draw, *message.mutable_suspend());
        message.mutable_suspend()->set_suspended(draw.flag());
        break;
    default: name_job(draw, *message.mutable_ack()); break;
    }
}

} // namespace

node::JobKey some_key(Draw& draw)
{
    const auto choice = draw.byte();
    return {JobId{1u + choice % 3, choice & 0x80 ? choice % 2 : JobId::no_task}, Incarnation{1u + choice / 8 % 4}};
}

wire::ToNode some_order(Draw& draw, const node::State& state)
{
    wire::ToNode message;
    if (draw.rarely(8)) {
        (void)message.ParseFromString(std::string(draw.text()));
        return message;
    }
    message.set_epoch(state.epoch.value + (draw.rarely(8) ? draw.below(2) : 0));
    fill_body(draw, message);
    message.set_session(state.session + (message.has_welcome() || draw.rarely(8) ? 1 : 0));
    message.set_serial(state.last_serial + (draw.rarely(8) ? 0 : 1));
    return message;
}

wire::ExitRecord some_exit(Draw& draw, const node::JobKey& key)
{
    wire::ExitRecord record;
    if (draw.rarely(4)) {
        (void)record.ParseFromString(std::string(draw.text()));
        return record;
    }
    wire::put_job_id(key.job, record);
    record.set_incarnation(key.incarnation.value);
    if (draw.flag())
        record.set_wait_status(draw.pick({0, 256, 9, 15, 0x8b, -1}));
    record.set_launch_fault(static_cast<wire::ExitRecord::LaunchFault>(draw.below(4)));
    record.mutable_usage()->set_elapsed_us(draw.pick({0, 1'000'000, -1}));
    return record;
}

} // namespace jarvis::fuzz
