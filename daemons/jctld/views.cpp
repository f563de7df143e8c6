#include "views.hpp"

#include "base/hostlist.hpp"
#include "base/units.hpp"
#include "cluster/dependencies.hpp"
#include "model/output_pattern.hpp"
#include "wire/convert.hpp"

namespace jarvis::jctld {

namespace {

std::int64_t microseconds(WallTime at) { return at.time_since_epoch().count(); }

void put_held(wire::JobSummary& summary, const Placement& placement, const std::vector<NodeBrief>& nodes)
{
    std::vector<std::string> names;
    std::uint32_t cores = 0;
    MemorySize memory;
    for (const auto& part : placement.nodes) {
        names.push_back(nodes[part.node.value].name);
        cores += part.cores.count();
        memory += part.total_memory();
    }
    summary.set_nodes(compress_hostlist(names));
    summary.set_node_count(static_cast<std::uint32_t>(names.size()));
    summary.set_cores(cores);
    summary.set_memory(memory.bytes);
}

void put_asked(wire::JobSummary& summary, const ResourceRequest& resources)
{
    const auto cores = resources.tasks * resources.cpus_per_task;
    summary.set_cores(cores);
    if (resources.memory_per_node)
        summary.set_memory(resources.memory_per_node->bytes);
    else if (resources.memory_per_cpu)
        summary.set_memory((*resources.memory_per_cpu * cores).bytes);
}

std::string expand(const std::string& pattern, const cluster::Job& job, const std::vector<NodeBrief>& nodes)
{
    if (pattern.empty())
        return {};
    OutputPatternValues values{.job = fmt::format("{}", job.id), .name = job.request->name, .user = job.request->account->user,
                               .array_job = {}, .array_index = "0", .node = {}};
    if (job.is_array())
        values.job = fmt::format("{}_%a", job.id); // of each task another one
    if (job.id.is_task()) {
        values.array_job = fmt::format("{}", job.id.array());
        values.array_index = fmt::format("{}", job.id.task);
    }
    if (job.run)
        values.node = nodes[job.run->placement.nodes.front().node.value].name;
    auto path = expand_output_pattern(pattern, values);
    return path.starts_with('/') ? path : *job.request->working_directory + "/" + path;
}

} // namespace

void put_summary(const ShownJob& shown, const std::vector<NodeBrief>& nodes, wire::JobSummary& summary)
{
    const auto& job = *shown.job;
    const auto& request = *job.request;
    wire::put_job_id(job.id, summary);
    if (shown.tasks) {
        *summary.mutable_pending_tasks() = wire::to_message(*shown.tasks);
        summary.set_task_count(shown.task_count);
    }
    if (job.is_array())
        summary.set_throttle(request.array->throttle);
    summary.set_uid(request.account->uid);
    summary.set_user(request.account->user);
    summary.set_name(request.name);
    summary.set_partition(*request.partition);
    // An array is pending as long as some of its tasks have not started.
    const bool goes_on = job.is_array() && job.state == JobState::pending && shown.task_count == 0;
    summary.set_state(static_cast<std::uint32_t>(goes_on ? JobState::running : job.state));
    summary.set_submitted_us(microseconds(job.submitted_wall));
    if (request.time_limit)
        summary.set_time_limit_us(request.time_limit->count());
    summary.set_incarnation(job.incarnation.value);
    summary.set_priority(job.priority);
    if (job.run) {
        summary.set_started_us(microseconds(job.run->started_wall));
        put_held(summary, job.run->placement, nodes);
    } else {
        put_asked(summary, request.resources);
    }
    if (job.ended) {
        summary.set_ended_us(microseconds(job.ended->wall));
        *summary.mutable_end() = wire::to_message(job.ended->end);
        *summary.mutable_usage() = wire::to_message(job.ended->usage);
    }
}

wire::JobNode job_node(const NodePlacement& part, const NodeBrief& brief)
{
    wire::JobNode node;
    node.set_name(brief.name);
    node.set_cores(format_list(part.cores));
    for (const auto& share : part.memory)
        *node.add_memory() = wire::to_message(share);
    node.set_confinement(brief.confinement);
    node.set_enforced(brief.enforced);
    // The node may have registered with less since an ended job had it.
    const auto& parts = *brief.parts;
    CoreSet pus;
    bool known = true;
    part.cores.for_each([&](std::uint32_t core) {
        known = known && core < parts.pus_end.size();
        if (known)
            for (auto i = core == 0 ? 0 : parts.pus_end[core - 1]; i < parts.pus_end[core]; ++i)
                pus.insert(parts.pus[i]);
    });
    if (known)
        node.set_pus(format_list(pus));
    for (const auto index : part.devices)
        if (index < parts.devices.size()) {
            auto& device = *node.add_devices();
            device.set_resource(parts.devices[index].resource);
            device.set_type(parts.devices[index].type);
            device.set_address(parts.devices[index].address);
        }
    return node;
}

wire::JobDetail job_detail(const ShownJob& shown, const std::vector<NodeBrief>& nodes)
{
    const auto& job = *shown.job;
    wire::JobDetail detail;
    put_summary(shown, nodes, *detail.mutable_summary());
    *detail.mutable_request() = job.id.is_task() ? wire::to_task_message(*job.request) : wire::to_message(*job.request);
    detail.set_dependency(cluster::waits_text(job, 100));
    detail.set_retries_used(job.failed_attempts);
    if (job.run)
        for (const auto& part : job.run->placement.nodes)
            *detail.add_nodes() = job_node(part, nodes[part.node.value]);
    if (job.ended)
        detail.set_elapsed_us(job.ended->usage.elapsed.count());
    detail.set_output_path(expand(*job.request->output, job, nodes));
    detail.set_error_path(expand(*job.request->error, job, nodes));
    detail.set_input_path(expand(*job.request->input, job, nodes));
    detail.set_held(static_cast<bool>(job.hold));
    if (job.hold)
        detail.set_held_by(job.hold->by);
    if (job.stop)
        detail.set_cancelled_by(job.stop->by);
    if (job.run) {
        if (job.run->suspension)
            detail.set_suspended_by(job.run->suspension->by);
        detail.set_suspended_us(job.run->suspended.count());
        detail.set_steps(job.run->steps.through);
        detail.set_steps_failed(job.run->steps.failed);
    }
    return detail;
}

void strip_contents(wire::JobSummary& summary)
{
    if (summary.state() == static_cast<std::uint32_t>(JobState::failed))
        summary.mutable_end()->clear_cause();
}

void strip_contents(wire::JobDetail& detail)
{
    strip_contents(*detail.mutable_summary());
    auto& request = *detail.mutable_request();
    for (auto* field : {request.mutable_comment(), request.mutable_working_directory(), request.mutable_output(),
                        request.mutable_error(), request.mutable_input(), request.mutable_submit_directory(),
                        request.mutable_mail_user(), request.mutable_mail_type(), request.mutable_script(),
                        request.mutable_environment(), detail.mutable_output_path(), detail.mutable_error_path(),
                        detail.mutable_input_path()})
        field->clear();
    request.clear_arguments();
    request.clear_script_size();
}

wire::NodeView node_view(const cluster::State& state, const cluster::Node& node)
{
    wire::NodeView view;
    view.set_name(node.name);
    view.set_state(std::string(cluster::state_name(node)));
    for (auto index : node.partitions)
        view.add_partitions(state.settings.partitions[index].name);
    const auto reason = cluster::reason_of(node);
    view.set_reason(reason.text);
    view.set_reason_by(reason.by);
    if (reason.since)
        view.set_reason_us(microseconds(*reason.since));
    for (const auto& feature : node.features)
        view.add_features(feature);
    view.set_node_class(node.node_class);
    for (auto violation = node.violations.rbegin(); violation != node.violations.rend(); ++violation)
        view.add_violations(fmt::format("{} {}", format_rfc3339(violation->at), violation->text));
    for (JobId id : node.jobs) {
        view.add_jobs(id.value);
        view.add_job_names(fmt::format("{}", id));
    }
    if (!node.registration)
        return view;
    const auto& registration = *node.registration;
    const auto& topology = registration.topology;
    view.set_cores(static_cast<std::uint32_t>(topology.cores.size()));
    view.set_cores_used(view.cores() - node.free.cores.count());
    view.set_memory(topology.memory().bytes);
    view.set_memory_used((topology.memory() - node.free.total_memory()).bytes);
    view.set_confinement(std::string(name(confinement_of(registration.capabilities))));
    view.set_capabilities(format_capabilities(registration.capabilities));
    for (const auto& note : registration.notes)
        view.add_notes(note);
    view.set_version(registration.version);
    view.set_boot_id(registration.boot_id);
    *view.mutable_topology() = wire::to_message(topology);
    for (std::uint32_t numa = 0; numa < topology.numa_nodes.size(); ++numa)
        *view.add_numa_used() = wire::to_message(NumaShare{numa, topology.numa_nodes[numa].memory - node.free.memory[numa]});
    return view;
}

void put_holdings(const cluster::State& state, const cluster::Node& node, wire::NodeView& view)
{
    for (JobId id : node.jobs) {
        const auto job = state.find(id);
        if (!job || !job->run)
            continue;
        for (const auto& part : job->run->placement.nodes)
            if (part.node == node.id) {
                auto& holding = *view.add_holdings();
                holding.set_job(fmt::format("{}", id));
                holding.set_user(job->request->account->user);
                *holding.mutable_placement() = wire::to_message(part);
            }
    }
}

} // namespace jarvis::jctld
