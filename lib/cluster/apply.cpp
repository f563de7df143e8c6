#include "cluster/apply.hpp"

#include <cassert>

namespace jarvis::cluster {

namespace {

// A changed copy takes the job's place, so that whoever else holds the old one keeps a consistent job.
template <class Change>
JobPtr replace(State& state, JobId id, Change change)
{
    auto found = state.jobs.find(id);
    assert(found != state.jobs.end());
    auto copy = std::make_shared<Job>(*found->second);
    change(*copy);
    found->second = std::move(copy);
    return found->second;
}

sched::JobQueue* queue_of(State& state, const Job& job)
{
    auto found = state.index.partitions.find(job.request->partition);
    return found == state.index.partitions.end() ? nullptr : &state.index.queues[found->second];
}

// ---- derived data ----

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

// ---- one function for each event ----

struct Applier {
    State& state;
    Instant at;

    void operator()(const ClusterCreated& event)
    {
        state.uuid = event.uuid;
        state.name = event.name;
    }

    void operator()(const ControllerStarted& event)
    {
        state.epoch = event.epoch;
        state.clock = event.clock;
        for (auto& node : state.nodes)
            node.connected = false;
    }

    void operator()(const WallClockSet& event) { state.wall_offset = event.offset; }

    void operator()(const Configured& event)
    {
        state.settings = event.settings;
        state.next_job = std::max(state.next_job, JobId{event.settings.first_job_id});
        for (auto& node : state.nodes)
            node.declared = false;
        for (const auto& name : event.settings.nodes) {
            if (auto found = state.index.nodes.find(name); found != state.index.nodes.end()) {
                state.nodes[found->second.value].declared = true;
                continue;
            }
            const NodeId id{static_cast<std::uint32_t>(state.nodes.size())};
            Node node;
            node.id = id;
            node.name = name;
            state.nodes.push_back(std::move(node));
            state.index.nodes.emplace(name, id);
        }
        index_partitions(state);
        rebuild_queues(state);
    }

    void operator()(const JobSubmitted& event)
    {
        auto job = std::make_shared<Job>();
        job->id = event.job;
        job->request = event.request;
        job->request_id = event.request_id;
        job->digest = event.digest;
        job->priority = event.priority;
        job->submitted = at;
        job->submitted_wall = state.wall(at);
        job->waits_for_begin = event.request->begin && *event.request->begin > state.wall(at);
        if (event.request->hold)
            job->hold = Hold{.by = event.request->account.user, .by_operator = false};
        state.next_job = JobId{event.job.value + 1};
        state.index.requests.emplace(event.request_id, event.job);
        ++state.index.active_jobs;
        enter_queues(state, *job);
        state.jobs.emplace_hint(state.jobs.end(), event.job, std::move(job));
    }

    void operator()(const JobHeld& event)
    {
        leave_queues(state, *state.jobs.at(event.job));
        enter_queues(state, *replace(state, event.job, [&](Job& job) { job.hold = event.hold; }));
    }

    void operator()(const JobReleased& event)
    {
        leave_queues(state, *state.jobs.at(event.job));
        enter_queues(state, *replace(state, event.job, [](Job& job) { job.hold.reset(); }));
    }

    void operator()(const BeginReached& event)
    {
        leave_queues(state, *state.jobs.at(event.job));
        enter_queues(state, *replace(state, event.job, [](Job& job) { job.waits_for_begin = false; }));
    }

    void operator()(const JobStarted& event)
    {
        leave_queues(state, *state.jobs.at(event.job));
        occupy(state, *replace(state, event.job, [&](Job& job) {
                   job.state = JobState::running;
                   job.incarnation = event.incarnation;
                   job.run = Run{.placement = event.placement, .started = at, .started_wall = state.wall(at)};
               }));
    }

    void operator()(const JobStopRequested& event)
    {
        replace(state, event.job, [&](Job& job) {
            job.state = JobState::completing;
            job.stop = event.stop;
        });
    }

    void operator()(const JobEnded& event)
    {
        const auto before = state.jobs.at(event.job);
        if (holds_resources(before->state))
            vacate(state, *before);
        leave_queues(state, *before);
        replace(state, event.job, [&](Job& job) {
            job.state = event.end.state;
            job.ended = Ended{.end = event.end, .usage = event.usage, .at = at, .wall = state.wall(at)};
        });
        state.index.ended.insert({at, event.job});
        --state.index.active_jobs;
    }

    void operator()(const JobRequeued& event)
    {
        vacate(state, *state.jobs.at(event.job));
        enter_queues(state, *replace(state, event.job, [&](Job& job) {
                         job.state = JobState::pending;
                         job.incarnation = Incarnation{event.incarnation.value + 1};
                         job.run.reset();
                         job.stop.reset();
                     }));
    }

    void operator()(const JobForgotten& event)
    {
        const auto job = state.jobs.at(event.job);
        state.index.ended.erase({job->ended->at, job->id});
        state.index.requests.erase(job->request_id);
        state.jobs.erase(event.job);
    }

    void operator()(const NodeRegistered& event)
    {
        auto& node = state.nodes[event.node.value];
        node.registration = event.registration;
        node.connected = true;
        recount_node(state, node);
    }

    void operator()(const NodeLost& event) { state.nodes[event.node.value].connected = false; }

    void operator()(const NodeDrained& event) { state.nodes[event.node.value].drain = event.drain; }

    void operator()(const NodeResumed& event) { state.nodes[event.node.value].drain.reset(); }
};

} // namespace

void apply(State& state, const Event& event, Instant at)
{
    state.now = at;
    std::visit(Applier{state, at}, event);
}

void apply(State& state, const EventGroup& group)
{
    assert(group.sequence.value == state.sequence.value + 1);
    for (const auto& event : group.events)
        apply(state, event, group.at);
    state.sequence = group.sequence;
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
