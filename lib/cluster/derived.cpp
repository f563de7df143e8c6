#include "cluster/derived.hpp"

#include "cluster/apply.hpp"

#include <algorithm>

namespace jarvis::cluster {

sched::JobQueue* queue_of(State& state, const Job& job)
{
    auto found = state.index.partitions.find(*job.request->partition);
    return found == state.index.partitions.end() ? nullptr : &state.index.queues[found->second];
}

namespace {

bool in_classes(const Node& node, const std::vector<std::string>& classes)
{
    return node.declared && !node.node_class.empty() && std::ranges::find(classes, node.node_class) != classes.end();
}

// What the configuration says of it; null: nothing.
const NodeTraits* traits_of(const State& state, const Node& node)
{
    if (!node.declared)
        return nullptr;
    if (node.node_class.empty()) {
        const auto own = state.settings.traits.find(node.name);
        return own == state.settings.traits.end() ? nullptr : &own->second;
    }
    const auto& classes = state.settings.node_classes;
    const auto found = std::ranges::find(classes, node.node_class, &NodeClass::name);
    return found == classes.end() ? nullptr : &found->traits;
}

void compare_with_expectation(const State& state, Node& node)
{
    const auto* traits = traits_of(state, node);
    node.shortfall = traits && node.registration ? shortfall(traits->expect, node.registration->topology) : std::string();
}

// What the configuration says of each node: the declared ones in its order, then those that joined, in theirs.
void index_nodes(State& state)
{
    std::uint32_t position = 0;
    std::map<std::string_view, std::uint32_t> positions;
    for (const auto& name : state.settings.nodes)
        positions.emplace(name, position++);
    for (auto& node : state.nodes) {
        node.partitions.clear();
        node.features.clear();
        node.vouches = false;
        const auto place = positions.find(node.name);
        node.position = place == positions.end() ? position++ : place->second;
        if (const auto* traits = traits_of(state, node)) {
            node.features = traits->features;
            node.vouches = traits->vouch;
        }
        compare_with_expectation(state, node);
    }
}

// Sorted first: a tree that is filled in order takes a fraction of the time.
void rebuild_requests(State& state)
{
    std::vector<std::pair<RequestId, JobNumber>> requests;
    requests.reserve(state.jobs.size());
    for (const auto& [id, job] : state.jobs)
        if (!id.is_task())
            requests.emplace_back(job->request_id, id.number());
    std::ranges::sort(requests);
    state.index.requests = {requests.begin(), requests.end()};
}

} // namespace

void enter_queues(State& state, const Job& job)
{
    if (job.state == JobState::pending && job.waits_for_begin)
        state.index.begins.insert({*job.request->begin, job.id});
    if (job.state == JobState::pending && job.not_before)
        state.index.retries.insert({*job.not_before, job.id});
    if (job.is_array())
        return update_array_queue(state, job.id);
    if (job.id.is_task())
        return task_enters(state, job);
    if (!job.eligible())
        return;
    if (auto* queue = queue_of(state, job))
        queue->insert(job.queue_key());
}

void leave_queues(State& state, const Job& job)
{
    if (job.state == JobState::pending && job.waits_for_begin)
        state.index.begins.erase({*job.request->begin, job.id});
    if (job.state == JobState::pending && job.not_before)
        state.index.retries.erase({*job.not_before, job.id});
    if (job.is_array())
        return; // its key goes when it has changed
    if (job.id.is_task())
        return task_leaves(state, job);
    if (auto* queue = job.eligible() ? queue_of(state, job) : nullptr)
        queue->erase(job.queue_key());
}

void occupy(State& state, const Job& job)
{
    for (const auto& part : job.run->placement.nodes) {
        auto& node = state.nodes[part.node.value];
        node.jobs.insert(job.id);
        sched::take(node.free, part);
    }
}

void vacate(State& state, const Job& job)
{
    for (const auto& part : job.run->placement.nodes) {
        auto& node = state.nodes[part.node.value];
        node.jobs.erase(job.id);
        if (node.registration)
            sched::give_back(node.free, part, node.registration->topology);
    }
}

void recount_node(State& state, Node& node)
{
    compare_with_expectation(state, node);
    node.free = node.registration ? sched::everything(node.registration->topology) : sched::FreeResources{};
    for (JobId id : node.jobs)
        for (const auto& part : state.jobs.at(id)->run->placement.nodes)
            if (part.node == node.id)
                sched::take(node.free, part);
}

void index_partitions(State& state)
{
    index_nodes(state);
    state.index.partitions.clear();
    state.index.members.assign(state.settings.partitions.size(), {});
    for (std::uint32_t i = 0; i < state.settings.partitions.size(); ++i) {
        const auto& partition = state.settings.partitions[i];
        state.index.partitions.emplace(partition.name, i);
        const auto join = [&](Node& node) {
            node.partitions.push_back(i);
            state.index.members[i].push_back(node.id);
        };
        for (const auto& name : partition.nodes)
            if (auto found = state.index.nodes.find(name); found != state.index.nodes.end())
                join(state.nodes[found->second.value]);
        if (!partition.node_classes.empty())
            for (auto& node : state.nodes)
                if (in_classes(node, partition.node_classes))
                    join(node);
    }
}

void enter_silent(State& state, const Node& node)
{
    if (node.is_silent())
        state.index.silent.insert({node.since, node.id});
}

void leave_silent(State& state, const Node& node)
{
    if (node.is_silent())
        state.index.silent.erase({node.since, node.id});
}

void rebuild_queues(State& state)
{
    state.index.queues.assign(state.settings.partitions.size(), {});
    state.index.begins.clear();
    state.index.retries.clear();
    for (auto& [id, progress] : state.arrays) {
        progress.queued = false;
        progress.ready = {};
    }
    for (const auto& [id, job] : state.jobs)
        enter_queues(state, *job);
}

void rebuild_derived(State& state)
{
    state.index = {};
    for (auto& node : state.nodes) {
        state.index.nodes.emplace(node.name, node.id);
        node.jobs.clear();
        enter_silent(state, node);
    }
    index_partitions(state);
    rebuild_arrays(state);
    rebuild_queues(state);
    for (const auto& [id, job] : state.jobs) {
        enter_dependents(state, *job);
        if (job->ended)
            state.index.ended.insert({job->ended->at, id});
        else
            ++state.index.active_jobs;
        if (!holds_resources(job->state))
            continue;
        for (const auto& part : job->run->placement.nodes)
            state.nodes[part.node.value].jobs.insert(id);
    }
    rebuild_requests(state);
    rebuild_names(state);
    for (auto& node : state.nodes)
        recount_node(state, node);
}

} // namespace jarvis::cluster
