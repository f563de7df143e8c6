#include "cluster/node_choice.hpp"

#include "model/huge_pages.hpp"
#include "sched/obstacle.hpp"

#include <algorithm>

namespace jarvis::cluster {

namespace {

std::vector<NodeId> ids_of(const State& state, const std::vector<std::string>& names)
{
    std::vector<NodeId> ids;
    for (const auto& name : names)
        if (const auto* node = state.find_node(name))
            ids.push_back(node->id);
    std::ranges::sort(ids);
    return ids;
}

const Topology& topology_of(const Node& node) { return node.registration->topology; }

// The part of one task that is more than the largest of the nodes has: "8 cores, but n1 has 4"; empty: some node has it all.
std::string too_large(const State& state, const NodeFilter& filter, std::uint32_t tasks, const std::vector<sched::Candidate>& candidates)
{
    const Node* largest = nullptr;
    std::string why;
    for (const auto& candidate : candidates) {
        const auto& node = state.nodes[candidate.node.value];
        auto text = sched::never_fits(sched::demand_of_tasks(filter.wanted(), tasks, topology_of(node)), topology_of(node), node.name);
        if (text.empty())
            return {};
        const auto size = [](const Node& n) { return std::pair(topology_of(n).cores.size(), topology_of(n).memory()); };
        if (!largest || size(node) > size(*largest)) {
            largest = &node;
            why = std::move(text);
        }
    }
    return why;
}

// What is missing when tasks fit, and there are too few nodes for all of them.
std::string too_few(const NodeFilter& filter, const JobRequest& request, const std::vector<sched::Candidate>& candidates)
{
    const auto wanted = filter.wanted();
    std::vector<std::uint32_t> room;
    for (const auto& candidate : candidates)
        if (auto tasks = sched::capacity_for_tasks(wanted, *candidate.topology, nullptr); tasks > 0)
            room.push_back(tasks);
    if (room.size() < std::max<std::size_t>(wanted.nodes_min, 1))
        return fmt::format("it needs {}; the partition has {}", nodes_text(request), room.size());
    if (wanted.constraint)
        for (const auto& count : wanted.constraint->counts()) {
            const auto have = static_cast<std::size_t>(std::ranges::count_if(
                candidates, [&](const auto& candidate) { return holds(count.features, *candidate.features); }));
            if (have < count.nodes)
                return fmt::format("it needs {} nodes with {}; the partition has {}", count.nodes, format_constraint({count.features, {}}), have);
        }
    std::ranges::sort(room, std::greater{});
    if (wanted.nodes_max != 0 && room.size() > wanted.nodes_max)
        room.resize(wanted.nodes_max);
    std::uint64_t sum = 0;
    for (auto tasks : room)
        sum += tasks;
    if (sum < request.resources.tasks)
        return fmt::format("it has {} tasks, and {} nodes together have room for {}", request.resources.tasks, room.size(), sum);
    return request.resources.contiguous ? "no row of neighbours has room for all of it" : "no choice of its nodes fulfils all that it asks for";
}

// On these nodes, when nothing runs there.
bool could_start(const sched::NodesWanted& wanted, const std::vector<sched::Candidate>& candidates)
{
    if (wanted.resources.wishes == Wishes{})
        return !sched::choose_nodes(wanted, candidates).empty();
    return sched::place_on_nodes(wanted, candidates).has_value(); // what fits by counts may have no place that is as wished
}

// What a site that wants it has to do.
constexpr std::string_view isolation_advice = " (on kernels up to 6.6 every cgroup above the job's must be a partition root: see "
                                              "jnoded.cgroup in jarvis.toml(5))";

std::string none_selected(const State& state, const NodeFilter& filter, const JobRequest& request)
{
    const auto& members = filter.members();
    if (std::ranges::all_of(members, [&](NodeId node) { return filter.excludes(node); }))
        return "all of its nodes are excluded";
    if (std::ranges::any_of(members, [&](NodeId node) { return filter.selects(state.nodes[node.value]); }))
        return fmt::format("it wants nodes to {}, and none can{}", filter.asked_text(),
                           request.resources.wishes->isolated ? isolation_advice : "");
    return fmt::format("none of its {} nodes has the features {}", members.size(), *request.constraint);
}

} // namespace

NodeFilter::NodeFilter(const State& state, const PartitionSettings& partition, const JobRequest& request)
    : state_(state), partition_(partition), request_(request), required_(ids_of(state, *request.node_list)),
      excluded_(ids_of(state, *request.exclude)), asked_(asked_of_nodes(*request.resources.wishes))
{
    // What a stored request says was read when it was made.
    if (!request.constraint->empty())
        if (auto constraint = parse_constraint(*request.constraint))
            constraint_ = std::move(*constraint);
}

const std::vector<NodeId>& NodeFilter::members() const { return state_.index.members[state_.index.partitions.find(partition_.name)->second]; }

bool NodeFilter::requires_node(NodeId node) const { return std::ranges::binary_search(required_, node); }
std::string NodeFilter::asked_text() const { return ability_text(asked_); }
bool NodeFilter::excludes(NodeId node) const { return std::ranges::binary_search(excluded_, node); }

bool NodeFilter::may_be_one() const
{
    return request_.resources.nodes_min <= 1 && required_.size() <= 1 &&
           std::ranges::all_of(constraint_.counts(), [](const auto& count) { return count.nodes <= 1; });
}

bool NodeFilter::does_as_one(const Node& node) const
{
    return selects(node) && (required_.empty() || required_.front() == node.id) &&
           std::ranges::all_of(constraint_.counts(), [&](const auto& count) { return holds(count.features, node.features); });
}

sched::NodesWanted NodeFilter::wanted() const
{
    sched::NodesWanted wanted{.resources = request_.resources,
                              .nodes_min = std::max(request_.resources.nodes_min, 1u),
                              .nodes_max = request_.resources.nodes_max,
                              .default_memory_per_cpu = partition_.default_memory_per_cpu,
                              .constraint = constraint_.counts().empty() ? nullptr : &constraint_};
    if (partition_.max_nodes != 0 && (wanted.nodes_max == 0 || wanted.nodes_max > partition_.max_nodes))
        wanted.nodes_max = partition_.max_nodes;
    return wanted;
}

sched::Candidate NodeFilter::candidate(const Node& node, bool empty) const
{
    return {.node = node.id, .position = node.position, .required = requires_node(node.id), .topology = &topology_of(node),
            .free = empty ? nullptr : &node.free, .features = &node.features};
}

bool usable(const PartitionSettings& partition, const Node& node)
{
    return node.takes_jobs() && node.registration->capabilities.includes(required_capabilities(partition.confinement));
}

std::string never_runs(const State& state, const PartitionSettings& partition, const JobRequest& request, std::string_view this_or_it)
{
    const NodeFilter filter(state, partition, request);
    for (NodeId id : filter.required()) {
        const auto& node = state.nodes[id.value];
        if (!filter.selects(node))
            return fmt::format("partition {} can never run {}: node {} does not have the features {}", partition.name, this_or_it, node.name, *request.constraint);
    }
    std::vector<sched::Candidate> candidates;
    for (NodeId id : filter.members()) {
        const auto& node = state.nodes[id.value];
        if (!filter.selects(node))
            continue;
        if (!node.registration || !node.shortfall.empty())
            return {}; // a node of unknown size may be large enough, and so may one that is repaired
        if (filter.can_enforce(node))
            candidates.push_back(filter.candidate(node, true));
    }
    if (filter.members().empty() || could_start(filter.wanted(), candidates))
        return {};
    const auto no_node = [&](std::string_view why) { return fmt::format("no node of partition {} can ever run {}: {}", partition.name, this_or_it, why); };
    if (candidates.empty())
        return no_node(none_selected(state, filter, request));
    // Of a job that is to be on one node, all of it; else a task.
    const auto least = filter.wanted().nodes_max == 1 || candidates.size() == 1 ? request.resources.tasks : 1;
    if (auto why = too_large(state, filter, least, candidates); !why.empty())
        return no_node("it asks for " + why);
    return fmt::format("partition {} can never run {}: {}", partition.name, this_or_it, too_few(filter, request, candidates));
}

std::optional<Placement> find_place(const State& state, const PartitionSettings& partition, const JobRequest& request)
{
    const NodeFilter filter(state, partition, request);
    const auto wanted = filter.wanted();
    const auto tasks = request.resources.tasks;
    if (filter.may_be_one()) {
        bool one_suffices = false;
        for (NodeId id : filter.members()) {
            const auto& node = state.nodes[id.value];
            if (!usable(partition, node) || !filter.can_enforce(node) || !filter.does_as_one(node) ||
                sched::capacity_for_tasks(wanted, topology_of(node), nullptr) < tasks)
                continue;
            one_suffices = true;
            const auto demand = sched::demand_of_tasks(wanted, tasks, topology_of(node));
            if (auto part = sched::place(id, demand, topology_of(node), node.free)) {
                part->tasks = tasks;
                return Placement{{std::move(*part)}};
            }
        }
        if (one_suffices || wanted.nodes_max == 1)
            return std::nullopt;
    }
    std::vector<sched::Candidate> candidates;
    std::size_t required = 0;
    for (NodeId id : filter.members()) {
        const auto& node = state.nodes[id.value];
        if (!usable(partition, node) || !filter.can_enforce(node) || !filter.selects(node))
            continue;
        candidates.push_back(filter.candidate(node, false));
        required += candidates.back().required;
    }
    if (required < filter.required().size())
        return std::nullopt; // one of the node list is away
    return sched::place_on_nodes(wanted, candidates);
}

std::string nodes_text(const JobRequest& request)
{
    const auto& resources = request.resources;
    const auto nodes = std::max<std::size_t>({1, resources.nodes_min, request.node_list->size()});
    auto text = nodes == 1 ? fmt::format("{} tasks of {} cores", resources.tasks, resources.cpus_per_task) : fmt::format("{} nodes", nodes);
    if (!request.constraint->empty())
        text += fmt::format(" with {}", *request.constraint);
    return text;
}

} // namespace jarvis::cluster
