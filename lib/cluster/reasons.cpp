#include "cluster/reasons.hpp"

#include "base/units.hpp"
#include "cluster/node_choice.hpp"
#include "cluster/relation_reasons.hpp"
#include "model/huge_pages.hpp"
#include "sched/obstacle.hpp"

namespace jarvis::cluster {

namespace {

struct Rejections {
    std::uint32_t away = 0;      // never registered, or not connected
    std::uint32_t down = 0;
    std::uint32_t drained = 0;
    std::uint32_t unwanted = 0;  // the request excludes them
    std::uint32_t features = 0;
    std::uint32_t confinement = 0;
    std::uint32_t unable = 0;    // to enforce what the request asks for
    std::uint32_t small = 0;     // could not hold the job even when empty
    std::uint32_t busy = 0;
    const Node* freest = nullptr; // of the busy ones
    const Node* unlike = nullptr; // the first busy one that has enough free, and not as the request wishes it
    std::uint32_t partly = 0;     // of the busy ones: could take a part of it now
    bool one_suffices = false;    // one of them could hold all of it
};

// Counts one node that may be chosen.
void count_usable(const NodeFilter& filter, const Node& node, std::uint32_t tasks, Rejections& count)
{
    const auto wanted = filter.wanted();
    const auto most = sched::capacity_for_tasks(wanted, node.registration->topology, nullptr);
    const bool only_whole = wanted.nodes_max == 1;
    if (most == 0 || (only_whole && most < tasks)) {
        ++count.small;
        return;
    }
    ++count.busy;
    count.partly += sched::capacity_for_tasks(wanted, node.registration->topology, &node.free) > 0;
    count.one_suffices = count.one_suffices || (most >= tasks && filter.may_be_one());
    if (!count.freest || node.free.cores.count() > count.freest->free.cores.count())
        count.freest = &node;
    if (!count.unlike && wanted.resources.wishes != Wishes{} && most >= tasks) {
        const auto demand = sched::demand_of_tasks(wanted, tasks, node.registration->topology);
        if (node.free.cores.count() >= demand.cores && node.free.total_memory() >= demand.memory)
            count.unlike = &node;
    }
}

Rejections count_rejections(const State& state, const PartitionSettings& partition, const JobRequest& request)
{
    Rejections count;
    const NodeFilter filter(state, partition, request);
    for (NodeId id : filter.members()) {
        const auto& node = state.nodes[id.value];
        if (filter.excludes(id))
            ++count.unwanted;
        else if (!filter.has_features(node))
            ++count.features;
        else if (node.down || (node.connected && !node.condemned.empty()))
            ++count.down;
        else if (!node.declared || !node.connected || !node.registration)
            ++count.away;
        else if (node.drain || !node.shortfall.empty())
            ++count.drained;
        else if (!usable(partition, node))
            ++count.confinement;
        else if (!filter.can_enforce(node))
            ++count.unable;
        else
            count_usable(filter, node, request.resources.tasks, count);
    }
    return count;
}

// The first node of a --nodelist that takes no jobs, with its state; empty: all do.
std::string unusable_of_list(const State& state, const PartitionSettings& partition, const JobRequest& request)
{
    for (const auto& name : *request.node_list)
        if (const auto* node = state.find_node(name); !node || !usable(partition, *node))
            return fmt::format("node {} of its node list is {}", name, node ? state_name(*node) : "no longer there");
    return {};
}

std::string list_of(const Rejections& count, const PartitionSettings& partition, const JobRequest& request)
{
    std::string text;
    auto add = [&](std::uint32_t n, std::string_view what) {
        if (n > 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, what);
    };
    add(count.away, "not connected");
    add(count.down, "down");
    add(count.drained, "drained");
    add(count.unwanted, "excluded");
    add(count.features, "without the features");
    add(count.confinement, fmt::format("unable to confine at level {}", name(partition.confinement)));
    add(count.unable, fmt::format("unable to {}", ability_text(asked_of_nodes(*request.resources.wishes))));
    add(count.small, "too small");
    add(count.busy, "busy");
    return text;
}

// Stable, for programs.
std::string_view code_of(sched::Obstacle obstacle)
{
    switch (obstacle) {
    case sched::Obstacle::devices: return "Devices";
    case sched::Obstacle::near_devices: return "NearDevices";
    case sched::Obstacle::local_memory: return "LocalMemory";
    case sched::Obstacle::numa_nodes:
    case sched::Obstacle::whole_tasks:
    case sched::Obstacle::task_limits:
    case sched::Obstacle::alone:
    case sched::Obstacle::together: return "Placement";
    default: return "Resources";
    }
}

// Of a job that would be on this node if what is free there lay as it wishes; false: that is not what it waits for.
bool tell_wish(PartitionAdvice& advice, const Node& node, const PartitionSettings& partition, const JobRequest& request)
{
    const auto& topology = node.registration->topology;
    const auto demand = sched::demand_on(request.resources, topology, partition.default_memory_per_cpu);
    const auto obstacle = sched::obstacle_to(demand, topology, node.free);
    const auto code = code_of(obstacle);
    if (code == "Resources")
        return false;
    advice.code = code;
    advice.text = fmt::format("needs {}; {} has {} cores and {} free, but {}", sched::wanted_text(obstacle, demand, topology, node.free), node.name,
                              node.free.cores.count(), format_memory_size(node.free.total_memory()),
                              sched::offered_text(obstacle, demand, topology, node.free));
    return true;
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
        advice.text = fmt::format("no node of partition {} can take it now: {}", partition.name, list_of(count, partition, *head.request));
        return advice;
    }
    if (auto away = unusable_of_list(state, partition, *head.request); !away.empty()) {
        advice.code = "NodesUnavailable";
        advice.text = std::move(away);
        return advice;
    }
    if (count.one_suffices && count.unlike && tell_wish(advice, *count.unlike, partition, *head.request))
        return advice;
    if (!count.one_suffices) {
        auto others = count;
        others.busy -= count.partly;
        const auto list = list_of(others, partition, *head.request);
        advice.text = fmt::format("needs {}; {} of the {} nodes of partition {} have room for some of it now{}", nodes_text(*head.request),
                                  count.partly, state.index.members[index].size(), partition.name, list.empty() ? "" : fmt::format(" ({})", list));
        return advice;
    }
    const auto& node = *count.freest;
    const auto demand = sched::demand_on(head.request->resources, node.registration->topology, partition.default_memory_per_cpu);
    if (head.request->resources.exclusive) {
        advice.text = fmt::format("needs a whole node of partition {}: {}", partition.name, list_of(count, partition, *head.request));
        return advice;
    }
    advice.text = fmt::format("needs {} cores and {}; {} has {} cores and {} free", demand.cores, format_memory_size(demand.memory),
                              node.name, node.free.cores.count(), format_memory_size(node.free.total_memory()));
    if (state.index.members[index].size() > 1)
        advice.text += fmt::format(" (nodes: {})", list_of(count, partition, *head.request));
    return advice;
}

namespace {

// What keeps this job out of the queue.
std::optional<WaitReason> own_reason(const State& state, const Job& job)
{
    if (job.hold)
        return WaitReason{"Held", fmt::format("held by {}", job.hold->by)};
    if (job.waits_for_begin)
        return WaitReason{"BeginTime", fmt::format("begins at {}", format_rfc3339(*job.request->begin))};
    return relation_reason(state, job);
}

} // namespace

WaitReason wait_reason(const State& state, const AdviceBoard& board, const Job& job)
{
    if (auto own = own_reason(state, job))
        return *own;
    const auto found = state.index.partitions.find(*job.request->partition);
    if (found == state.index.partitions.end())
        return {"PartitionGone", fmt::format("partition {} is no longer configured", *job.request->partition)};
    const auto advice = board.find(found->second);
    if (advice == board.end() || !advice->second.head)
        return {"NotExamined", "not yet examined"};
    if (advice->second.head == job.id.array())
        return {advice->second.code, advice->second.text};
    // Who is first is the state's to say: the head of the queue may be another one than the pass saw.
    const auto head = state.index.queues[found->second].next();
    if (head == job.id.array())
        return {"NotExamined", "not yet examined"};
    return {"Priority", fmt::format("behind job {}, the first in line", head ? *head : *advice->second.head)};
}

std::shared_ptr<const WaitReason> WaitReasons::of(const Job& job)
{
    if (auto own = own_reason(state_, job))
        return std::make_shared<const WaitReason>(std::move(*own));
    const auto& partition = *job.request->partition;
    const auto known = behind_.find(partition);
    if (known != behind_.end() && known->second.head != job.id.array() && known->second.examined != job.id.array())
        return known->second.reason;
    auto reason = std::make_shared<const WaitReason>(wait_reason(state_, board_, job));
    if (reason->code == "Priority") {
        const auto index = state_.index.partitions.at(partition);
        behind_.insert_or_assign(partition, Behind{reason, state_.index.queues[index].next(), board_.at(index).head});
    }
    return reason;
}

} // namespace jarvis::cluster
