#include "node/launch_plan.hpp"

#include "model/output_pattern.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace jarvis::node {
namespace {

// `threads`: how many hardware threads of each core are used; 0: all.
Result<std::vector<std::uint32_t>> pus_of(const CoreSet& cores, const Topology& topology, std::uint32_t threads)
{
    std::vector<std::uint32_t> pus;
    std::optional<std::uint32_t> missing;
    cores.for_each([&](std::uint32_t core) {
        if (core < topology.cores.size()) {
            const auto& all = topology.cores[core].pus;
            const auto used = threads == 0 ? all.size() : std::min<std::size_t>(threads, all.size());
            pus.insert(pus.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(used));
        } else if (!missing) {
            missing = core;
        }
    });
    if (missing)
        return fail(Errc::corrupt, "was given core {}, while this node offers the cores 0-{}", *missing,
                    static_cast<std::int64_t>(topology.cores.size()) - 1);
    std::ranges::sort(pus);
    return pus;
}

// The first start truncates what is there; what a requeued job has written is kept.
bool appends(OpenMode mode, Incarnation incarnation)
{
    return mode == OpenMode::append || (mode == OpenMode::automatic && incarnation.value > 1);
}

void expand_paths(LaunchPlan& plan, const StartOrder& order, const NodeFacts& facts)
{
    const auto& request = order.request;
    OutputPatternValues values{.job = fmt::format("{}", order.key.job), .name = request.name, .user = request.account->user, .node = facts.node_name};
    if (order.key.job.is_task()) {
        values.array_job = fmt::format("{}", order.key.job.array());
        values.array_index = fmt::format("{}", order.key.job.task);
    }
    const auto expand = [&](const std::string& pattern) {
        return pattern.empty() ? std::string() : expand_output_pattern(pattern, values);
    };
    plan.output_path = expand(request.output->empty() ? std::string(default_output_pattern) : *request.output);
    plan.error_path = expand(*request.error);
    plan.input_path = expand(*request.input);
}

void confine(LaunchPlan& plan, const StartOrder& order, const LaunchSettings& settings, const Topology& topology)
{
    plan.cgroup = fmt::format("{}/job_{}", settings.jobs_cgroup, order.key.job);
    plan.confined = settings.confinement.capabilities.has(Capability::cpuset) && !plan.pus.empty();
    if (plan.confined)
        plan.numa_nodes = memory_nodes(order.placement, topology);
    plan.cgroup_values = job_limits(order.placement, plan.pus, plan.numa_nodes, order.request, settings.confinement);
    if (settings.confinement.capabilities.has(Capability::devices))
        plan.devices = device_files(order.placement, topology, settings.devices);
}

} // namespace

std::string folder_name(const JobKey& key) { return fmt::format("{}.{}", key.job, key.incarnation); }

std::string temporary_folder_prefix(const std::string& node_name) { return fmt::format("jarvis_{}_", node_name); }

std::vector<ResourceLimit> merge_limits(const std::vector<ResourceLimit>& node, const std::vector<ResourceLimit>& propagated,
                                        const std::vector<ResourceLimit>& ceilings)
{
    std::map<std::string, ResourceLimit> merged;
    for (const auto* list : {&node, &propagated})
        for (const auto& limit : *list)
            merged[limit.name] = limit;
    for (const auto& ceiling : ceilings)
        if (const auto found = merged.find(ceiling.name); found != merged.end())
            found->second.hard = std::min(found->second.hard, ceiling.hard);
    std::vector<ResourceLimit> limits;
    for (auto& [name, limit] : merged) {
        limit.soft = std::min(limit.soft, limit.hard);
        limits.push_back(std::move(limit));
    }
    return limits;
}

Result<LaunchPlan> plan_launch(const StartOrder& order, const LaunchSettings& settings, const Topology& topology)
{
    auto pus = pus_of(order.placement.cores, topology, order.request.resources.wishes->threads_per_core);
    if (!pus)
        return std::unexpected(pus.error());
    if (!settings.bound)
        pus->clear();
    const auto& request = order.request;
    const auto folder = folder_name(order.key);
    LaunchPlan plan{.key = order.key,
                    .role = order.role,
                    .account = *request.account,
                    .job_folder = fmt::format("{}/{}", settings.jobs_folder, folder),
                    .runtime = settings.runtime,
                    .arguments = *request.arguments,
                    .working_directory = *request.working_directory,
                    .append = appends(request.open_mode, order.key.incarnation),
                    .umask = request.umask,
                    .limits = merge_limits(settings.limits, *request.limits, settings.ceilings),
                    .pus = std::move(*pus)};
    plan.script_path = plan.job_folder + "/script";
    plan.temporary_folder = fmt::format("{}/{}{}", settings.temporary_root, temporary_folder_prefix(settings.facts.node_name), folder);
    if (!settings.jobs_cgroup.empty())
        confine(plan, order, settings, topology);
    if (settings.bound)
        plan.memory_policy = memory_policy(request.resources.wishes->memory, order.placement, topology);
    if (settings.private_shm)
        plan.shm = order.placement.total_memory();
    expand_paths(plan, order, settings.facts);
    plan.environment = job_environment(order, settings.facts, plan.pus, plan.temporary_folder);
    return plan;
}

} // namespace jarvis::node
