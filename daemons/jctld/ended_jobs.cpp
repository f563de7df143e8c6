#include "ended_jobs.hpp"

#include "cluster/relations.hpp"

namespace jarvis::jctld {

namespace {

NodeParts parts_of(const Topology& topology)
{
    NodeParts parts;
    for (const auto& core : topology.cores) {
        parts.pus.insert(parts.pus.end(), core.pus.begin(), core.pus.end());
        parts.pus_end.push_back(static_cast<std::uint32_t>(parts.pus.size()));
    }
    parts.devices = topology.devices;
    return parts;
}

std::string_view bytes_of(const std::vector<std::uint32_t>& numbers)
{
    return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(std::uint32_t)};
}

} // namespace

std::uint64_t HashParts::operator()(const NodeParts& parts) const noexcept
{
    auto hash = keyed_hash(bytes_of(parts.pus), keyed_hash(bytes_of(parts.pus_end)));
    for (const auto& device : parts.devices)
        hash = keyed_hash(device.address, hash);
    return hash;
}

NodeBriefs make_briefs(const cluster::State& state, const NodeBriefs& earlier, const std::set<NodeId>& registered)
{
    auto briefs = std::make_shared<std::vector<NodeBrief>>();
    briefs->reserve(state.nodes.size());
    for (const auto& node : state.nodes) {
        const auto capabilities = node.registration ? node.registration->capabilities : Capabilities{};
        auto& brief = briefs->emplace_back(node.name, std::string(name(confinement_of(capabilities))), format_capabilities(capabilities));
        if (earlier && node.id.value < earlier->size() && !registered.contains(node.id))
            brief.parts = (*earlier)[node.id.value].parts;
        else if (node.registration)
            brief.parts = parts_of(node.registration->topology);
    }
    return briefs;
}

ShownJob::ShownJob(cluster::JobPtr shown, const IndexSet& of_tasks) : job(std::move(shown)), task_count(of_tasks.size())
{
    constexpr std::size_t most_ranges = 1000;
    auto first = std::make_shared<IndexSet>();
    for (auto [from, to] : of_tasks.ranges()) {
        if (first->ranges().size() == most_ranges)
            break;
        first->insert_range(from, to);
    }
    tasks = std::move(first);
}

void EndedCollector::before(const cluster::State& state, const cluster::Event& event, Instant at)
{
    const auto* requeued = std::get_if<cluster::JobRequeued>(&event);
    if (!requeued)
        return;
    const auto before = state.find(requeued->job);
    if (before->ended)
        return; // that incarnation has its record
    auto record = std::make_shared<cluster::Job>(*before);
    JobEnd end{.state = JobState::node_fail, .end_class = EndClass::node, .exit_code = {}, .signal = 0, .cause = requeued->cause};
    if (requeued->end)
        end = *requeued->end;
    end.cause += end.cause.empty() ? "requeued" : "; requeued";
    record->state = end.state;
    record->ended = cluster::Ended{.end = std::move(end), .usage = requeued->usage, .at = at, .wall = state.wall(at)};
    jobs_.push_back(ShownJob(std::move(record)));
}

void EndedCollector::after(const cluster::State& state, const cluster::Event& event)
{
    if (const auto* ended = std::get_if<cluster::JobEnded>(&event)) {
        ids_.jobs.push_back(ended->job);
        if (auto job = state.find(ended->job); !job->is_array())
            jobs_.push_back(ShownJob(std::move(job)));
    }
    if (const auto* steps = std::get_if<cluster::StepsEnded>(&event))
        steps_.push_back({steps->job, steps->incarnation, steps->first, steps->steps});
    if (const auto* tasks = std::get_if<cluster::TasksEnded>(&event)) {
        ids_.tasks.emplace_back(tasks->array.value, tasks->tasks);
        const auto first = cluster::unsplit_task(*state.find(tasks->array), state.arrays.at(tasks->array.value), tasks->tasks.first());
        jobs_.push_back(ShownJob(first, tasks->tasks));
    }
}

} // namespace jarvis::jctld
