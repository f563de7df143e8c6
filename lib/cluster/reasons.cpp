#include "cluster/reasons.hpp"

#include "base/units.hpp"
#include "cluster/submit.hpp"

namespace jarvis::cluster {

namespace {

struct Rejections {
    std::uint32_t away = 0;      // never registered, or not connected
    std::uint32_t drained = 0;
    std::uint32_t confinement = 0;
    std::uint32_t small = 0;     // could not hold the job even when empty
    std::uint32_t busy = 0;
    const Node* freest = nullptr; // of the busy ones
};

Rejections count_rejections(const State& state, const PartitionSettings& partition, const JobRequest& request)
{
    Rejections count;
    for (const auto& name : partition.nodes) {
        const auto* node = state.find_node(name);
        if (!node || !node->declared || !node->connected || !node->registration) {
            ++count.away;
        } else if (node->drain) {
            ++count.drained;
        } else if (!usable(partition, *node)) {
            ++count.confinement;
        } else if (const auto& topology = node->registration->topology;
                   !sched::never_fits(demand_on(partition, request, topology), topology, node->name).empty()) {
            ++count.small;
        } else {
            ++count.busy;
            if (!count.freest || node->free.cores.count() > count.freest->free.cores.count())
                count.freest = node;
        }
    }
    return count;
}

std::string list_of(const Rejections& count, const PartitionSettings& partition)
{
    std::string text;
    auto add = [&](std::uint32_t n, std::string_view what) {
        if (n > 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, what);
    };
    add(count.away, "not connected");
    add(count.drained, "drained");
    add(count.confinement, fmt::format("unable to confine at level {}", name(partition.confinement)));
    add(count.small, "too small");
    add(count.busy, "busy");
    return text;
}

} // namespace

PartitionAdvice why_not(const State& state, std::uint32_t index, const Job& head)
{
    const auto& partition = state.settings.partitions[index];
    PartitionAdvice advice{.partition = index, .head = head.id, .code = "Resources", .text = {}};
    if (!partition.up) {
        advice.code = "PartitionDown";
        advice.text = fmt::format("partition {} is down: it takes jobs and starts none", partition.name);
        return advice;
    }
    const auto count = count_rejections(state, partition, *head.request);
    if (!count.freest) {
        advice.code = "NodesUnavailable";
        advice.text = fmt::format("no node of partition {} can take it now: {}", partition.name, list_of(count, partition));
        return advice;
    }
    const auto& node = *count.freest;
    const auto demand = demand_on(partition, *head.request, node.registration->topology);
    if (head.request->resources.exclusive) {
        advice.text = fmt::format("needs a whole node of partition {}: {}", partition.name, list_of(count, partition));
        return advice;
    }
    advice.text = fmt::format("needs {} cores and {}; {} has {} cores and {} free", demand.cores, format_memory_size(demand.memory),
                              node.name, node.free.cores.count(), format_memory_size(node.free.total_memory()));
    if (partition.nodes.size() > 1)
        advice.text += fmt::format(" (nodes: {})", list_of(count, partition));
    return advice;
}

WaitReason wait_reason(const State& state, const AdviceBoard& board, const Job& job)
{
    if (job.hold)
        return {"Held", fmt::format("held by {}", job.hold->by)};
    if (job.waits_for_begin)
        return {"BeginTime", fmt::format("begins at {}", format_rfc3339(*job.request->begin))};
    const auto found = state.index.partitions.find(job.request->partition);
    if (found == state.index.partitions.end())
        return {"PartitionGone", fmt::format("partition {} is no longer configured", job.request->partition)};
    const auto advice = board.find(found->second);
    if (advice == board.end() || !advice->second.head)
        return {"NotExamined", "not yet examined"};
    if (advice->second.head == job.id)
        return {advice->second.code, advice->second.text};
    // Who is first is the state's to say: the head of the queue may be another one than the pass saw.
    const auto head = state.index.queues[found->second].next();
    if (head == job.id)
        return {"NotExamined", "not yet examined"};
    return {"Priority", fmt::format("behind job {}, the first in line", head ? *head : *advice->second.head)};
}

} // namespace jarvis::cluster
