#include "cluster/submit.hpp"

#include "base/nearest.hpp"
#include "base/units.hpp"

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

} // namespace

sched::Demand demand_on(const PartitionSettings& partition, const JobRequest& request, const Topology& topology)
{
    return sched::demand_on(request.resources, topology, partition.default_memory_per_cpu);
}

std::string never_runs(const State& state, const PartitionSettings& partition, const JobRequest& request)
{
    const Node* largest = nullptr;
    std::string why;
    for (const auto& name : partition.nodes) {
        const auto* node = state.find_node(name);
        if (!node || !node->registration)
            return {}; // a node of unknown size may be large enough
        const auto& topology = node->registration->topology;
        auto text = sched::never_fits(demand_on(partition, request, topology), topology, node->name);
        if (text.empty())
            return {};
        const auto larger = [](const Node& a, const Node& b) {
            const auto &x = a.registration->topology, &y = b.registration->topology;
            return std::pair(x.cores.size(), x.memory()) > std::pair(y.cores.size(), y.memory());
        };
        if (!largest || larger(*node, *largest)) {
            largest = node;
            why = std::move(text);
        }
    }
    return why;
}

bool usable(const PartitionSettings& partition, const Node& node)
{
    return node.takes_jobs() &&
           node.registration->capabilities.includes(required_capabilities(partition.confinement));
}

Result<JobRequest> prepare_request(const Settings& settings, JobRequest request)
{
    const auto* partition = find_partition(settings, request.partition);
    if (!partition)
        return unknown_partition(settings, request.partition);
    request.partition = partition->name;
    if (!request.time_limit)
        request.time_limit = partition->default_time ? partition->default_time : partition->max_time;
    if (request.output.empty())
        request.output = "jarvis-%j.out";
    return request;
}

Result<void> check_request(const State& state, const JobRequest& request)
{
    if (request.account.uid == 0 && !state.settings.allow_root_jobs)
        return fail(Errc::denied, "jobs of root are refused here; submit as an ordinary user "
                                  "(an administrator can set allow_root_jobs in [security])");
    const auto* partition = find_partition(state.settings, request.partition);
    if (!partition || request.partition.empty())
        return unknown_partition(state.settings, request.partition);
    const auto& resources = request.resources;
    if (resources.tasks == 0 || resources.cpus_per_task == 0)
        return fail(Errc::invalid, "a job needs at least one task of one CPU");
    if (std::uint64_t{resources.tasks} * resources.cpus_per_task > 1'000'000)
        return fail(Errc::invalid, "{} tasks of {} CPUs are more than 1000000 CPUs", resources.tasks, resources.cpus_per_task);
    if (auto memory = check_memory(resources); !memory)
        return memory;
    if (auto time = check_time(*partition, request); !time)
        return time;
    if (partition->nodes.empty())
        return fail(Errc::invalid, "partition {} has no nodes", partition->name);
    if (auto why = never_runs(state, *partition, request); !why.empty())
        return fail(Errc::invalid, "no node of partition {} can ever run this: it asks for {}", partition->name, why);
    return {};
}

std::optional<NodePlacement> find_place(const State& state, const PartitionSettings& partition, const JobRequest& request)
{
    for (const auto& name : partition.nodes) {
        const auto* node = state.find_node(name);
        if (!node || !usable(partition, *node))
            continue;
        const auto& topology = node->registration->topology;
        if (auto placement = sched::place(node->id, demand_on(partition, request, topology), request.resources.exclusive,
                                          topology, node->free))
            return placement;
    }
    return std::nullopt;
}

} // namespace jarvis::cluster
