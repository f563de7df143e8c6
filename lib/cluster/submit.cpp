#include "cluster/submit.hpp"

#include "base/nearest.hpp"
#include "base/units.hpp"
#include "cluster/dependencies.hpp"
#include "model/constraint.hpp"

#include <algorithm>

namespace jarvis::cluster {

namespace {

const PartitionSettings* find_partition(const Settings& settings, std::string_view name)
{
    for (const auto& partition : settings.partitions)
        if (name.empty() ? partition.is_default : partition.name == name)
            return &partition;
    return nullptr;
}

std::unexpected<Error> unknown_partition(const Settings& settings, std::string_view name)
{
    if (name.empty())
        return fail(Errc::invalid, "no partition was named and none is the default; name one with --partition");
    std::vector<std::string_view> known;
    for (const auto& partition : settings.partitions)
        known.push_back(partition.name);
    return fail(Errc::not_found, "no partition \"{}\"{}", name, did_you_mean(name, known));
}

Result<void> check_time(const PartitionSettings& partition, const JobRequest& request)
{
    if (request.time_limit && *request.time_limit <= Duration::zero())
        return fail(Errc::invalid, "the time limit must be above 0");
    if (!partition.max_time || (request.time_limit && *request.time_limit <= *partition.max_time))
        return {};
    return fail(Errc::invalid, "the time limit {} is above partition {}'s maximum of {}",
                request.time_limit ? format_duration(*request.time_limit) : "unlimited", partition.name,
                format_duration(*partition.max_time));
}

Result<void> check_memory(const ResourceRequest& resources)
{
    // So that a million CPUs' worth still fits 64 bits.
    constexpr auto most_per_cpu = mebibytes(std::int64_t{4} << 20), most_per_node = most_per_cpu * 256;
    const auto out_of_range = [](const std::optional<MemorySize>& size, MemorySize most) {
        return size && (*size <= MemorySize{} || *size > most);
    };
    if (out_of_range(resources.memory_per_node, most_per_node))
        return fail(Errc::invalid, "--mem must be above 0 and at most {}", format_memory_size(most_per_node));
    if (out_of_range(resources.memory_per_cpu, most_per_cpu))
        return fail(Errc::invalid, "--mem-per-cpu must be above 0 and at most {}", format_memory_size(most_per_cpu));
    return {};
}

// Who may use the partition; operators are users like others here.
Result<void> check_access(const PartitionSettings& partition, const JobRequest& request)
{
    const auto& account = *request.account;
    const auto has = [](const auto& list, const auto& value) { return std::ranges::find(list, value) != list.end(); };
    if (has(partition.deny_users, account.user))
        return fail(Errc::denied, "partition {} is closed to {} (deny_users of its [[partition]])", partition.name, account.user);
    if (partition.allow_users.empty() && partition.allow_groups.empty())
        return {};
    if (has(partition.allow_users, account.user) || has(partition.allow_gids, account.gid) ||
        std::ranges::any_of(account.groups, [&](auto gid) { return has(partition.allow_gids, gid); }))
        return {};
    return fail(Errc::denied, "partition {} is not open to {} (allow_users and allow_groups of its [[partition]])", partition.name,
                account.user);
}

Result<void> check_size(const PartitionSettings& partition, const JobRequest& request)
{
    const auto& resources = request.resources;
    const auto nodes = std::max<std::size_t>({1, resources.nodes_min, request.node_list->size()});
    if (resources.tasks < nodes)
        return fail(Errc::invalid, "{} tasks cannot be on {} nodes: each node has at least one", resources.tasks, nodes);
    if (resources.nodes_max != 0 && nodes > resources.nodes_max)
        return fail(Errc::invalid, "{} nodes are more than the most that it asks for, {}", nodes, resources.nodes_max);
    if (nodes < partition.min_nodes)
        return fail(Errc::invalid, "partition {} takes jobs of {} nodes and more; this asks for {} (--nodes)", partition.name,
                    partition.min_nodes, nodes);
    if (partition.max_nodes != 0 && nodes > partition.max_nodes)
        return fail(Errc::invalid, "partition {} takes jobs of at most {} nodes; this asks for {}", partition.name, partition.max_nodes, nodes);
    const auto cores = std::uint64_t{resources.tasks} * resources.cpus_per_task;
    if (partition.max_cores != 0 && cores > partition.max_cores)
        return fail(Errc::invalid, "partition {} takes jobs of at most {} cores; this asks for {}", partition.name, partition.max_cores, cores);
    return {};
}

Result<void> check_named_nodes(const State& state, const PartitionSettings& partition, const JobRequest& request)
{
    for (const auto* list : {&*request.node_list, &*request.exclude})
        for (const auto& name : *list)
            if (!state.find_node(name))
                return fail(Errc::invalid, "there is no node \"{}\"", name);
    for (const auto& name : *request.node_list) {
        const auto& in = state.find_node(name)->partitions;
        if (std::ranges::find(in, state.index.partitions.at(partition.name)) == in.end())
            return fail(Errc::invalid, "node {} is not in partition {}", name, partition.name);
        if (std::ranges::find(*request.exclude, name) != request.exclude->end())
            return fail(Errc::invalid, "node {} is asked for (--nodelist) and excluded (--exclude)", name);
    }
    return {};
}

// Each node of a job has a task, so a job that names nodes alone has as many tasks.
void spread_over_nodes(JobRequest& request)
{
    std::size_t nodes = std::max<std::size_t>(request.resources.nodes_min, request.node_list->size());
    if (!request.constraint->empty())
        if (const auto constraint = parse_constraint(*request.constraint))
            for (const auto& count : constraint->counts())
                nodes = std::max<std::size_t>(nodes, count.nodes);
    auto& resources = request.resources;
    if (resources.tasks < nodes)
        resources.tasks = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(std::uint64_t{nodes} * std::max(1u, resources.tasks_per_node), UINT32_MAX));
}

} // namespace

Result<JobRequest> prepare_request(const Settings& settings, JobRequest request)
{
    const auto* partition = find_partition(settings, *request.partition);
    if (!partition)
        return unknown_partition(settings, *request.partition);
    request.partition = partition->name;
    if (!request.time_limit)
        request.time_limit = partition->default_time ? partition->default_time : partition->max_time;
    if (request.output->empty())
        request.output = "jarvis-%j.out";
    spread_over_nodes(request);
    return request;
}

Result<void> check_request(const State& state, const JobRequest& request)
{
    if (request.account->uid == 0 && !state.settings.allow_root_jobs)
        return fail(Errc::denied, "jobs of root are refused here; submit as an ordinary user "
                                  "(an administrator can set allow_root_jobs in [security])");
    const auto* partition = find_partition(state.settings, *request.partition);
    if (!partition || request.partition->empty())
        return unknown_partition(state.settings, *request.partition);
    const auto& resources = request.resources;
    if (resources.tasks == 0 || resources.cpus_per_task == 0)
        return fail(Errc::invalid, "a job needs at least one task of one CPU");
    if (std::uint64_t{resources.tasks} * resources.cpus_per_task > 1'000'000)
        return fail(Errc::invalid, "{} tasks of {} CPUs are more than 1000000 CPUs", resources.tasks, resources.cpus_per_task);
    if (auto memory = check_memory(resources); !memory)
        return memory;
    if (auto time = check_time(*partition, request); !time)
        return time;
    for (auto check : {check_access, check_size})
        if (auto checked = check(*partition, request); !checked)
            return checked;
    if (auto dependencies = check_dependencies(state, request); !dependencies)
        return dependencies;
    if (partition->nodes.empty() && partition->node_classes.empty())
        return fail(Errc::invalid, "partition {} has no nodes", partition->name);
    if (auto named = check_named_nodes(state, *partition, request); !named)
        return named;
    if (auto why = never_runs(state, *partition, request, "this"); !why.empty())
        return fail(Errc::invalid, "{}", why);
    return {};
}

} // namespace jarvis::cluster
