#include "messages.hpp"

#include "base/version.hpp"
#include "wire/convert.hpp"
#include "wire/limits.hpp"

#include <chrono>

#include <sys/wait.h>

namespace jarvis::noded {
namespace {

std::int64_t since_boot_us(Instant instant) { return instant.time_since_epoch().count(); }
Result<Instant> instant_from(std::int64_t us, std::string_view field)
{
    auto since_boot = wire::duration_from(us, field);
    if (!since_boot)
        return std::unexpected(since_boot.error());
    return Instant(*since_boot);
}

void put(wire::Ended& out, const node::ReportEnded& ended)
{
    wire::put_job_id(ended.key.job, out);
    out.set_incarnation(ended.key.incarnation.value);
    *out.mutable_end() = wire::to_message(ended.end);
    *out.mutable_usage() = wire::to_message(ended.usage);
    out.set_unfit(ended.unfit);
}

void put(wire::Prepared& out, const node::ReportPrepared& prepared)
{
    wire::put_job_id(prepared.key.job, out);
    out.set_incarnation(prepared.key.incarnation.value);
}

void put(wire::Report& out, const node::Report& report)
{
    for (const auto& running : report.running) {
        auto& job = *out.add_running();
        wire::put_job_id(running.key.job, job);
        job.set_incarnation(running.key.incarnation.value);
        job.set_prepared(running.prepared);
        job.set_suspended(running.suspended);
    }
    for (const auto& ended : report.ended)
        put(*out.add_ended(), ended);
}

void put(wire::Register& out, const node::Register& what, const Registration& registration)
{
    out.set_name(registration.name);
    out.set_boot_id(registration.boot_id);
    out.set_instance(registration.instance);
    *out.mutable_topology() = wire::to_message(registration.topology);
    out.set_capabilities(registration.capabilities.bits());
    out.set_version(std::string(jarvis::version));
    for (const auto& note : registration.notes)
        out.add_notes(note);
    put(*out.mutable_report(), what.report);
}

// Fills what it can; the first thing that makes no sense is the result.
Result<void> read_start(const wire::StartJob& message, node::StartOrder& order)
{
    auto request = wire::from_message(message.request());
    if (!request)
        return std::unexpected(request.error());
    order.request = std::move(*request);
    auto placement = wire::from_message(message.placement());
    if (!placement)
        return std::unexpected(placement.error());
    order.placement = std::move(*placement);
    auto environment = wire::from_message(message.environment());
    if (!environment)
        return std::unexpected(environment.error());
    order.environment = std::move(*environment);
    return {};
}

node::StartOrder start_order(node::JobKey key, const wire::StartJob& message)
{
    node::StartOrder order{.key = key};
    order.node_list = message.node_list();
    order.node_count = message.node_count();
    order.role = message.role() == wire::StartJob::MEMBER ? node::Role::member : node::Role::script;
    order.tasks_per_node.assign(message.tasks_per_node().begin(), message.tasks_per_node().end());
    order.script = message.script();
    order.array = {message.array().min(), message.array().max(), message.array().step(), message.array().count()};
    if (auto read = read_start(message, order); !read)
        order.defect = fmt::format("the start order that the node was given makes no sense: {}", read.error().message);
    return order;
}

Result<node::Input> welcome_input(const wire::ToNode& message)
{
    const auto& welcome = message.welcome();
    const auto heartbeat = wire::duration_from(welcome.heartbeat_us(), "heartbeat");
    const auto grace = wire::duration_from(welcome.kill_grace_us(), "kill_grace");
    if (!heartbeat || !grace)
        return std::unexpected(heartbeat ? grace.error() : heartbeat.error());
    return node::Welcomed{welcome.cluster_uuid(), Epoch{message.epoch()}, message.session(), *heartbeat, *grace};
}

// A cause that is too long is cut where the end that it becomes is told.
Result<void> check_order(const wire::ToNode& message)
{
    if (message.has_signal() && (message.signal().signal() < 1 || message.signal().signal() > wire::limits::signal))
        return fail(Errc::corrupt, "there is no signal {}", message.signal().signal());
    return {};
}

node::StopOrder stop_order(node::JobKey key, const wire::StopJob& message)
{
    switch (message.why()) {
    case wire::StopJob::UNKNOWN: return {key, node::StopWhy::unknown, message.cause()};
    case wire::StopJob::FINISHED: return {key, node::StopWhy::finished, message.cause()};
    default: return {key, node::StopWhy::cancelled, message.cause()};
    }
}

Result<node::JobKey> key_of(Result<JobId> job, std::uint32_t incarnation)
{
    if (!job)
        return std::unexpected(job.error());
    if (incarnation == 0)
        return fail(Errc::corrupt, "incarnation 0 of job {}", *job);
    return node::JobKey{*job, Incarnation{incarnation}};
}

node::LaunchFault fault_from(wire::ExitRecord::LaunchFault fault)
{
    switch (fault) {
    case wire::ExitRecord::NONE: return node::LaunchFault::none;
    case wire::ExitRecord::USER: return node::LaunchFault::user;
    case wire::ExitRecord::NODE: return node::LaunchFault::node;
    default: return node::LaunchFault::system;
    }
}

template <class Body, class Make>
Result<node::Input> order_input(const wire::ToNode& message, const Body& body, Make make)
{
    auto key = key_of(wire::job_id_of(body), body.incarnation());
    if (!key)
        return std::unexpected(key.error());
    return node::FromController{Epoch{message.epoch()}, message.session(), message.serial(), make(*key, body)};
}

} // namespace

wire::FromNode message_from(const node::Send& send, const Registration& registration)
{
    wire::FromNode message;
    message.set_session(send.session);
    message.set_serial(send.serial);
    if (const auto* hello = std::get_if<node::Register>(&send.message))
        put(*message.mutable_register_(), *hello, registration);
    else if (const auto* report = std::get_if<node::Report>(&send.message))
        put(*message.mutable_report(), *report);
    else if (const auto* prepared = std::get_if<node::ReportPrepared>(&send.message))
        put(*message.mutable_prepared(), *prepared);
    else
        put(*message.mutable_ended(), std::get<node::ReportEnded>(send.message));
    return message;
}

Result<node::Input> input_from(const wire::ToNode& message)
{
    using Key = node::JobKey;
    if (auto checked = check_order(message); !checked)
        return std::unexpected(checked.error());
    switch (message.body_case()) {
    case wire::ToNode::kWelcome:
        return welcome_input(message);
    case wire::ToNode::kStart:
        return order_input(message, message.start(),
                           [](Key key, const wire::StartJob& body) { return node::Order(start_order(key, body)); });
    case wire::ToNode::kStop:
        return order_input(message, message.stop(),
                           [](Key key, const wire::StopJob& body) { return node::Order(stop_order(key, body)); });
    case wire::ToNode::kSignal:
        return order_input(message, message.signal(), [](Key key, const wire::SignalJob& body) {
            return node::Order(node::SignalOrder{key, body.signal(), body.batch_only()});
        });
    case wire::ToNode::kAck:
        return order_input(message, message.ack(),
                           [](Key key, const wire::AckEnded&) { return node::Order(node::AckEnded{key}); });
    case wire::ToNode::kSuspend:
        return order_input(message, message.suspend(),
                           [](Key key, const wire::SuspendJob& body) { return node::Order(node::SuspendOrder{key, body.suspended()}); });
    case wire::ToNode::kRelay: // no business of the core, and those below
    case wire::ToNode::kAsk:
    case wire::ToNode::kAckSteps:
    case wire::ToNode::BODY_NOT_SET:
        break;
    }
    return fail(Errc::corrupt, "a message without a body that this version knows");
}

wire::LaunchOrder order_from(const node::LaunchPlan& plan, const node::Launch& launch, const std::string& boot_id)
{
    wire::LaunchOrder order;
    wire::put_job_id(plan.key.job, order);
    order.set_incarnation(plan.key.incarnation.value);
    order.set_cluster_uuid(launch.cluster);
    order.set_epoch(launch.epoch.value);
    order.set_job_folder(plan.job_folder);
    order.set_runtime(plan.runtime);
    *order.mutable_account() = wire::to_message(plan.account);
    order.set_script_path(plan.script_path);
    for (const auto& argument : plan.arguments)
        order.add_arguments(argument);
    for (const auto& variable : plan.environment)
        order.add_environment(variable);
    order.set_working_directory(plan.working_directory);
    order.set_output_path(plan.output_path);
    order.set_error_path(plan.error_path);
    order.set_input_path(plan.input_path);
    order.set_append(plan.append);
    order.set_umask(plan.umask);
    for (const auto& limit : plan.limits)
        *order.add_limits() = wire::to_message(limit);
    order.mutable_pus()->Add(plan.pus.begin(), plan.pus.end());
    order.set_cgroup(plan.cgroup);
    order.set_temporary_folder(plan.temporary_folder);
    order.set_started_boottime_us(since_boot_us(launch.started));
    const auto& request = launch.order.request;
    const bool timed = plan.role == node::Role::script; // the script's end is the members' too
    if (request.time_limit && timed)
        order.set_time_limit_us(request.time_limit->count());
    if (request.warning && timed)
        *order.mutable_warning() = wire::to_message(*request.warning);
    for (const auto& limit : plan.cgroup_values) {
        auto& value = *order.add_cgroup_values();
        value.set_file(limit.file);
        value.set_value(limit.value);
        value.set_optional(limit.optional);
    }
    order.mutable_numa_nodes()->Add(plan.numa_nodes.begin(), plan.numa_nodes.end());
    order.set_confined(plan.confined);
    if (plan.devices) {
        auto& devices = *order.mutable_devices();
        for (const auto& path : plan.devices->given)
            devices.add_given(path);
        for (const auto& path : plan.devices->withheld)
            devices.add_withheld(path);
        devices.set_strict(plan.devices->strict);
    }
    order.set_memory_policy(static_cast<std::uint32_t>(plan.memory_policy.kind));
    order.mutable_policy_nodes()->Add(plan.memory_policy.nodes.begin(), plan.memory_policy.nodes.end());
    if (plan.shm)
        order.set_shm_size(static_cast<std::uint64_t>(plan.shm->bytes));
    order.set_continue_after_oom(request.continue_after_oom);
    order.set_boot_id(boot_id);
    order.set_member(plan.role == node::Role::member);
    launch.order.placement.cores.for_each([&](std::uint32_t core) { order.add_cores(core); });
    order.set_node_list(launch.order.node_list);
    return order;
}

Result<node::RecoveredJob> recovered_from(const wire::LaunchOrder& order)
{
    auto key = key_of(wire::job_id_of(order), order.incarnation());
    if (!key)
        return std::unexpected(key.error());
    const auto started = instant_from(order.started_boottime_us(), "started_boottime_us");
    if (!started)
        return std::unexpected(started.error());
    node::RecoveredJob job{.key = *key, .role = order.member() ? node::Role::member : node::Role::script, .started = *started};
    if (order.has_time_limit_us()) {
        auto limit = wire::duration_from(order.time_limit_us(), "time_limit_us");
        if (!limit)
            return std::unexpected(limit.error());
        job.time_limit = *limit;
    }
    if (order.has_warning()) {
        auto warning = wire::from_message(order.warning());
        if (!warning)
            return std::unexpected(warning.error());
        job.warning = *warning;
    }
    return job;
}

Result<node::ExitFacts> facts_from(const wire::ExitRecord& record)
{
    node::ExitFacts facts;
    if (record.has_wait_status()) {
        const int status = record.wait_status();
        // The controller takes no other end, and without its answer it would be told for ever.
        if (!WIFEXITED(status) && !(WIFSIGNALED(status) && WTERMSIG(status) <= wire::limits::signal))
            return fail(Errc::corrupt, "the exit record's wait status {} is that of no process that has ended", status);
        facts.wait_status = status;
    }
    facts.launch_error = record.launch_error();
    facts.launch_fault = fault_from(record.launch_fault());
    facts.out_of_memory = record.out_of_memory();
    auto usage = wire::from_message(record.usage());
    if (!usage)
        return std::unexpected(usage.error());
    facts.usage = *usage;
    return facts;
}

wire::StopRecord record_from(const node::Stop& stop)
{
    wire::StopRecord record;
    record.set_verdict(static_cast<std::uint32_t>(stop.verdict));
    record.set_cause(stop.cause);
    record.set_kill_at_us(since_boot_us(stop.kill_at));
    return record;
}

Result<node::Stop> stop_from(const wire::StopRecord& record)
{
    const auto verdict = wire::job_state_from(record.verdict());
    const auto kill_at = instant_from(record.kill_at_us(), "kill_at_us");
    if (!verdict || !kill_at)
        return std::unexpected(verdict ? kill_at.error() : verdict.error());
    if (!is_final(*verdict))
        return fail(Errc::corrupt, "a stop makes no job {}", name(*verdict));
    if (auto text = wire::check_text(record.cause(), wire::limits::cause, "cause of a stop"); !text)
        return std::unexpected(text.error());
    return node::Stop{*verdict, record.cause(), *kill_at};
}

wire::SuspensionRecord record_from(const node::Suspensions& suspensions)
{
    wire::SuspensionRecord record;
    if (suspensions.since)
        record.set_since_us(since_boot_us(*suspensions.since));
    record.set_suspended_us(suspensions.before.count());
    return record;
}

Result<node::Suspensions> suspensions_from(const wire::SuspensionRecord& record)
{
    auto before = wire::duration_from(record.suspended_us(), "suspended_us");
    if (!before)
        return std::unexpected(before.error());
    node::Suspensions suspensions{.since = {}, .before = *before};
    if (record.has_since_us()) {
        const auto since = instant_from(record.since_us(), "since_us");
        if (!since)
            return std::unexpected(since.error());
        suspensions.since = *since;
    }
    return suspensions;
}

} // namespace jarvis::noded
