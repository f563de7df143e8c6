#include "reason_witness.hpp"

#include "world.hpp"

#include <algorithm>

namespace jarvis::sim {

namespace {

// A NUMA node that holds all of a job holds it for sure; what it takes to share one among several is others' business, as are features.
bool fits_a_numa_node(const cluster::Node& node, const cluster::PartitionSettings& partition, const ResourceRequest& wanted)
{
    const auto cores = wanted.tasks * wanted.cpus_per_task; // one hardware thread a core
    const auto& topology = node.registration->topology;
    for (std::size_t i = 0; i < topology.numa_nodes.size(); ++i) {
        const auto& numa = topology.numa_nodes[i];
        if (numa.cores.empty())
            continue;
        const auto each = wanted.memory_per_cpu            ? wanted.memory_per_cpu->bytes
                          : partition.default_memory_per_cpu ? partition.default_memory_per_cpu->bytes
                                                             : topology.memory().bytes / static_cast<std::int64_t>(topology.cores.size());
        const auto memory = wanted.memory_per_node ? wanted.memory_per_node->bytes : each * static_cast<std::int64_t>(cores);
        if ((node.free.cores - (node.free.cores - numa.cores)).count() >= cores && node.free.memory[i].bytes >= memory)
            return true;
    }
    return false;
}

bool surely_fits(const cluster::State& state, const cluster::PartitionSettings& partition, const JobRequest& request)
{
    // All on one NUMA node is as good for any memory binding and pattern but the even one; other wishes ask for more than room.
    const auto& wishes = *request.resources.wishes;
    if (request.resources.nodes_max != 1 || request.resources.exclusive || !wishes.devices.empty() || wishes.alone_on != AloneOn::core ||
        wishes.numa_nodes > 1 || wishes.tasks_per_numa + wishes.tasks_per_l3 + wishes.tasks_per_package > 0 || wishes.place == PlacePattern::spread)
        return false;
    return std::ranges::any_of(partition.nodes, [&](const std::string& name) {
        const auto* node = state.find_node(name);
        return node && node->takes_jobs() && fits_a_numa_node(*node, partition, request.resources);
    });
}

void check_first(const cluster::State& state, const cluster::Job& job, const cluster::WaitReason& reason)
{
    const auto index = state.index.partitions.at(*job.request->partition);
    const auto& partition = state.settings.partitions[index];
    if (reason.code == "PartitionDown" && partition.up)
        broken("job {} is told that partition {} is down, and it is not", job.id, partition.name);
    if ((reason.code == "Resources" || reason.code == "LocalMemory" || reason.code == "Placement") && partition.up && surely_fits(state, partition, *job.request))
        broken("job {} is told \"{}\", and a node has room for it", job.id, reason.text);
    if (reason.code == "NotExamined")
        broken("job {} is first in line, and nobody looks at it", job.id);
}

void check_behind(const cluster::State& state, const cluster::Job& job, const cluster::WaitReason& reason)
{
    const auto head = state.index.queues[state.index.partitions.at(*job.request->partition)].next();
    if (!head || *head == job.id.array())
        broken("job {} is told \"{}\", and nobody is before it", job.id, reason.text);
    const auto first = state.find(*head);
    if (first && first->is_array() && !state.arrays.at(first->id.value).ready.empty())
        return; // one of its tasks is a job by now, and can start although the rest is held
    if (!first || first->state != JobState::pending || first->hold || first->waits_for_begin)
        broken("job {} is told \"{}\", and that one cannot start", job.id, reason.text);
}

} // namespace

void check_reasons(const cluster::State& state, const cluster::AdviceBoard& board)
{
    cluster::WaitReasons reasons(state, board);
    for (const auto& [id, job] : state.jobs) {
        // Of an array all of whose tasks have become jobs nothing is shown.
        if (job->state != JobState::pending || (job->is_array() && state.arrays.at(id.value).waiting.empty()))
            continue;
        const auto reason = cluster::wait_reason(state, board, *job);
        if (const auto among_others = reasons.of(*job); *among_others != reason)
            broken("job {} is told \"{}\" alone and \"{}\" among others", id, reason.text, among_others->text);
        if ((reason.code == "Held") != static_cast<bool>(job->hold))
            broken("job {} is {}held, and is told \"{}\"", id, job->hold ? "" : "not ", reason.text);
        if (reason.code == "BeginTime" && !(job->request->begin && *job->request->begin > state.wall(state.now)))
            broken("job {} is told \"{}\", and that time has come", id, reason.text);
        if (reason.code.starts_with("Dependency") && !job->waits && !job->id.is_task())
            broken("job {} is told \"{}\", and waits for nobody", id, reason.text);
        if (reason.code == "Priority")
            check_behind(state, *job, reason);
        else if (state.index.partitions.contains(*job->request->partition))
            check_first(state, *job, reason);
    }
}

} // namespace jarvis::sim
