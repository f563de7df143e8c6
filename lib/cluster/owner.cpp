#include "cluster/owner.hpp"

#include "cluster/apply.hpp"
#include "cluster/cause.hpp"

namespace jarvis::cluster {

namespace {

// Commands of one kind that follow each other, such as the steps of a pass, have one span.
void add_cause(EventGroup& group, Cause cause, std::size_t events)
{
    if (group.causes.empty() || group.causes.back().cause != cause)
        group.causes.push_back({std::move(cause), 0});
    group.causes.back().events += static_cast<std::uint32_t>(events);
}

} // namespace

Owner::Owner(State state) : state_(std::move(state))
{
    examine_all();
    settle_all();
}

Batch Owner::run(std::span<const Command> commands, Instant now, bool may_start, Slice slice)
{
    now = std::max(now, state_.now);
    Batch batch;
    for (const auto& command : commands)
        take(command, now, batch);
    // Before the pass, which may start what was waited for.
    for (std::size_t steps = 0; may_start && steps < slice.settles && !to_settle_.empty(); ++steps)
        if (const auto job = *to_settle_.begin(); take(SettleJob{job}, now, batch) == 0)
            to_settle_.erase(job);
    for (std::size_t steps = 0; may_start && steps < slice.starts && !to_examine_.empty(); ++steps)
        take(ContinuePass{*to_examine_.begin()}, now, batch);
    if (!batch.group.events.empty()) {
        state_.sequence = SequenceNumber{state_.sequence.value + 1};
        batch.group.sequence = state_.sequence;
        batch.group.at = now;
    }
    return batch;
}

std::size_t Owner::take(const Command& command, Instant now, Batch& batch)
{
    auto outcome = decide(state_, command, now);
    const auto events = outcome.events.size();
    if (!outcome.events.empty())
        add_cause(batch.group, cause_of(state_, command), outcome.events.size());
    for (auto& event : outcome.events) {
        apply(state_, event, now);
        note(event);
        batch.group.events.push_back(std::move(event));
    }
    std::move(outcome.effects.begin(), outcome.effects.end(), std::back_inserter(batch.effects));
    if (outcome.advice) {
        to_examine_.erase(outcome.advice->partition);
        batch.advice.push_back(std::move(*outcome.advice));
    }
    return events;
}

// Marks the partitions whose next start an event may have changed.
void Owner::note(const Event& event)
{
    const auto partition_of = [&](JobId id) -> std::optional<std::uint32_t> {
        const auto job = state_.find(id);
        const auto found = state_.index.partitions.find(*job->request->partition);
        return found == state_.index.partitions.end() ? std::nullopt : std::optional(found->second);
    };
    const auto came = [&](JobId id) { // only a new head changes who is next
        if (auto partition = partition_of(id); partition && state_.index.queues[*partition].next() == id.array())
            to_examine_.insert(*partition);
    };
    const auto went = [&](JobId id) {
        if (auto partition = partition_of(id))
            to_examine_.insert(*partition);
    };
    struct Visitor {
        Owner& owner;
        decltype(came)& job_came;
        decltype(went)& job_went;

        void operator()(const JobSubmitted& e) { job_came(e.job); }
        void operator()(const JobReleased& e) { job_came(e.job); }
        void operator()(const BeginReached& e) { job_came(e.job); }
        void operator()(const JobHeld& e) { job_went(e.job); }
        void operator()(const JobEnded& e)
        {
            owner.note_end(e.job);
            const auto job = owner.state_.find(e.job);
            if (e.job.is_task()) // its array may start another one now
                job_came(e.job);
            if (!job->run)
                return job_went(e.job);
            for (const auto& part : job->run->placement.nodes)
                owner.examine_node(part.node);
        }
        void operator()(const JobRequeued&) { owner.examine_all(); }
        void operator()(const Configured&)
        {
            owner.to_examine_.clear(); // numbers of the partitions as they were
            owner.examine_all();
        }
        void operator()(const NodeRegistered& e) { owner.examine_node(e.node); }
        void operator()(const NodeResumed& e) { owner.examine_node(e.node); }
        void operator()(const NodeLost& e) { owner.examine_node(e.node); }    // for the reason that is shown
        void operator()(const NodeDrained& e) { owner.examine_node(e.node); } // for the reason that is shown
        void operator()(const NodeJoined& e) { owner.examine_node(e.node); }
        void operator()(const NodeDowned& e) { owner.examine_node(e.node); } // for the reason that is shown
        void operator()(const NodeViolation& e) { owner.examine_node(e.node); } // likewise
        void operator()(const NodeCleared& e) { owner.examine_node(e.node); }
        void operator()(const NodePrepared&) {}
        void operator()(const RunEnding&) {}
        void operator()(const NodeFinished&) {}
        void operator()(const ControllerStarted&) { owner.examine_all(); }
        void operator()(const ClusterCreated&) {}
        void operator()(const WallClockSet&) {}
        void operator()(const JobStarted& e) { owner.note_start(e.job); }
        void operator()(const TasksSplit& e) { job_came(e.array); }
        void operator()(const TasksEnded& e)
        {
            owner.to_settle_.insert(e.array);
            job_went(e.array);
        }
        void operator()(const DependencyResolved& e) { job_came(e.job); }
        void operator()(const TasksReleased& e) { job_came(e.array); }
        void operator()(const RetryDue& e) { job_came(e.job); }
        void operator()(const JobStopRequested&) {}
        void operator()(const JobSuspended&) {}
        void operator()(const JobResumed&) {}
        void operator()(const StepsEnded&) {}
        void operator()(const JobForgotten&) {}
    };
    std::visit(Visitor{*this, came, went}, event);
}

void Owner::note_start(JobId id)
{
    for (JobId of : {id, id.array()})
        if (state_.index.on_start.contains(of))
            to_settle_.insert(of);
}

void Owner::note_end(JobId id)
{
    const auto& index = state_.index;
    if (index.on_start.contains(id) || index.on_end.contains(id) || (id.is_task() && index.corr.contains(id.array())))
        to_settle_.insert(id);
    if (id.is_task()) {
        if (state_.arrays.at(id.value).done())
            to_settle_.insert(id.array());
        return;
    }
    const auto job = state_.find(id);
    const auto next = state_.first_of_name(job->request->account->uid, job->request->name);
    if (next && state_.find(*next)->waits)
        to_settle_.insert(*next);
}

// Whatever may have been left when the controller ended.
void Owner::settle_all()
{
    for (const auto* dependents : {&state_.index.on_start, &state_.index.on_end, &state_.index.corr})
        for (const auto& [id, waiting] : *dependents)
            to_settle_.insert(id);
    for (const auto& [id, progress] : state_.arrays)
        if (progress.done())
            to_settle_.insert({id});
    for (const auto& [id, job] : state_.jobs)
        if (job->waits && !id.is_task() && state_.first_of_name(job->request->account->uid, job->request->name) == id)
            to_settle_.insert(id);
}

void Owner::examine_node(NodeId node)
{
    for (auto partition : state_.nodes[node.value].partitions)
        to_examine_.insert(partition);
}

void Owner::examine_all()
{
    for (std::uint32_t i = 0; i < state_.settings.partitions.size(); ++i)
        to_examine_.insert(i);
}

} // namespace jarvis::cluster
