#include "cluster/derived.hpp"

#include "cluster/apply.hpp"

namespace jarvis::cluster {

namespace {

sched::JobQueue* queue_of(State& state, const Job& job)
{
    auto found = state.index.partitions.find(job.request->partition);
    return found == state.index.partitions.end() ? nullptr : &state.index.queues[found->second];
}

} // namespace

void enter_queues(State& state, const Job& job)
{
    if (job.state == JobState::pending && job.waits_for_begin)
        state.index.begins.insert({*job.request->begin, job.id});
    if (!job.eligible())
        return;
    if (auto* queue = queue_of(state, job))
        queue->insert(job.queue_key());
}

void leave_queues(State& state, const Job& job)
{
    if (job.state == JobState::pending && job.waits_for_begin)
        state.index.begins.erase({*job.request->begin, job.id});
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
    node.free = node.registration ? sched::everything(node.registration->topology) : sched::FreeResources{};
    for (JobId id : node.jobs)
        for (const auto& part : state.jobs.at(id)->run->placement.nodes)
            if (part.node == node.id)
                sched::take(node.free, part);
}

void index_partitions(State& state)
{
    state.index.partitions.clear();
    for (auto& node : state.nodes)
        node.partitions.clear();
    for (std::uint32_t i = 0; i < state.settings.partitions.size(); ++i) {
        state.index.partitions.emplace(state.settings.partitions[i].name, i);
        for (const auto& name : state.settings.partitions[i].nodes)
            if (auto found = state.index.nodes.find(name); found != state.index.nodes.end())
                state.nodes[found->second.value].partitions.push_back(i);
    }
}

void rebuild_queues(State& state)
{
    state.index.queues.assign(state.settings.partitions.size(), {});
    state.index.begins.clear();
    for (const auto& [id, job] : state.jobs)
        enter_queues(state, *job);
}

void rebuild_derived(State& state)
{
    state.index = {};
    for (auto& node : state.nodes) {
        state.index.nodes.emplace(node.name, node.id);
        node.jobs.clear();
    }
    index_partitions(state);
    rebuild_queues(state);
    for (const auto& [id, job] : state.jobs) {
        state.index.requests.emplace(job->request_id, id);
        if (job->ended)
            state.index.ended.insert({job->ended->at, id});
        else
            ++state.index.active_jobs;
        if (!holds_resources(job->state))
            continue;
        for (const auto& part : job->run->placement.nodes)
            state.nodes[part.node.value].jobs.insert(id);
    }
    for (auto& node : state.nodes)
        recount_node(state, node);
}

} // namespace jarvis::cluster
