#include "event_counter.hpp"

namespace jarvis::jctld {

namespace {

std::optional<JobId> job_of(const cluster::Event& event)
{
    return std::visit(
        [](const auto& e) -> std::optional<JobId> {
            if constexpr (requires { { e.job } -> std::convertible_to<JobId>; })
                return e.job;
            else if constexpr (requires { { e.array } -> std::convertible_to<JobId>; })
                return e.array;
            return std::nullopt;
        },
        event);
}

std::optional<NodeId> node_of(const cluster::Event& event)
{
    return std::visit(
        [](const auto& e) -> std::optional<NodeId> {
            if constexpr (requires { { e.node } -> std::convertible_to<NodeId>; })
                return e.node;
            return std::nullopt;
        },
        event);
}

// Whether it is the record of an array, which ends when the last of its tasks has.
bool is_array(const cluster::State& state, JobId id)
{
    const auto job = state.find(id);
    return job && job->is_array();
}

} // namespace

EventCounter::EventCounter(ControllerMetrics& metrics, const cluster::State& initial) : metrics_(metrics)
{
    std::map<JobState, std::int64_t> jobs;
    for (const auto& [id, job] : initial.jobs)
        ++jobs[job->state];
    for (const auto& [state, count] : jobs)
        metrics_.jobs.find(name(state))->second->add(count);
    for (const auto& node : initial.nodes)
        count_node(node);
    metrics_.sequence.set(static_cast<std::int64_t>(initial.sequence.value));
}

void EventCounter::count_node(const cluster::Node& node)
{
    if (node_counted_.size() <= node.id.value)
        node_counted_.resize(node.id.value + 1);
    auto& counted = node_counted_[node.id.value];
    if (counted)
        counted->add(-1);
    const auto found = metrics_.nodes.find(cluster::state_name(node));
    counted = node.declared && found != metrics_.nodes.end() ? found->second : nullptr;
    if (counted)
        counted->add();
}

void EventCounter::touch_nodes_of(const cluster::State& state, JobId id)
{
    if (const auto job = state.find(id); job && job->run)
        for (const auto& part : job->run->placement.nodes)
            touched_.insert(part.node);
}

void EventCounter::before(const cluster::State& state, const cluster::Event& event)
{
    job_before_.reset();
    if (const auto id = job_of(event)) {
        if (const auto job = state.find(*id))
            job_before_ = job->state;
        touch_nodes_of(state, *id);
    }
}

void EventCounter::after(const cluster::State& state, const cluster::Event& event)
{
    const auto id = job_of(event);
    if (id) {
        const auto job = state.find(*id);
        if (job_before_)
            metrics_.jobs.find(name(*job_before_))->second->add(-1);
        if (job)
            metrics_.jobs.find(name(job->state))->second->add();
        touch_nodes_of(state, *id);
    }
    const auto node = node_of(event);
    if (node)
        touched_.insert(*node);
    // Such as a new configuration: there are few of them.
    all_nodes_ |= !id && !node;
    if (const auto* split = std::get_if<cluster::TasksSplit>(&event)) // jobs of their own from here on
        metrics_.jobs.find(name(JobState::pending))->second->add(static_cast<std::int64_t>(split->tasks.size()));
    if (const auto* tasks = std::get_if<cluster::TasksEnded>(&event))
        metrics_.job_ends.find(name(tasks->end.state))->second->add(static_cast<std::int64_t>(tasks->tasks.size()));
    if (std::holds_alternative<cluster::JobSubmitted>(event))
        metrics_.submits.add();
    else if (std::holds_alternative<cluster::JobStarted>(event))
        metrics_.starts.add();
    else if (std::holds_alternative<cluster::JobRequeued>(event))
        metrics_.requeues.add();
    else if (const auto* ended = std::get_if<cluster::JobEnded>(&event); ended && !is_array(state, ended->job))
        metrics_.job_ends.find(name(ended->end.state))->second->add();
}

void EventCounter::after_group(const cluster::State& state, const cluster::EventGroup& group)
{
    metrics_.groups.add();
    metrics_.events.add(static_cast<std::int64_t>(group.events.size()));
    metrics_.sequence.set(static_cast<std::int64_t>(group.sequence.value));
    if (std::exchange(all_nodes_, false))
        for (const auto& node : state.nodes)
            count_node(node);
    else
        for (NodeId node : touched_)
            count_node(state.nodes[node.value]);
    touched_.clear();
}

} // namespace jarvis::jctld
