#include "cluster/run_ends.hpp"
#include "journal/codec.hpp"
#include "journal/event_codec.hpp"
#include "journal/format.hpp"
#include "journal/relations_codec.hpp"
#include "journal/value_codec.hpp"

#include <limits>

namespace jarvis::journal {

std::string encode_group(const cluster::EventGroup& group)
{
    Group message;
    message.set_format(current_format);
    message.set_sequence(group.sequence.value);
    message.set_at_us(microseconds(group.at));
    message.mutable_events()->Reserve(static_cast<int>(group.events.size()));
    for (const auto& event : group.events)
        encode_event(event, *message.add_events());
    for (const auto& span : group.causes) {
        auto& cause = *message.add_causes();
        cause.set_events(span.events);
        cause.set_command(span.cause.command);
        cause.set_by(span.cause.by);
        cause.set_from(span.cause.from);
    }
    return message.SerializeAsString();
}

Result<cluster::EventGroup> decode_group(std::string_view bytes)
{
    static thread_local Group message; // used again: so its strings are allocated once
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(Errc::corrupt, "a journal group cannot be read");
    if (auto format = check_format(message.format(), "the journal"); !format)
        return std::unexpected(format.error());
    cluster::EventGroup group{.sequence = SequenceNumber{message.sequence()}, .at = instant(message.at_us()), .events = {}, .causes = {}};
    if (auto at = check_times(group.at, {}); !at)
        return fail(Errc::corrupt, "journal group {}: {}", group.sequence, at.error().message);
    group.events.reserve(static_cast<std::size_t>(message.events_size()));
    for (const auto& event : message.events()) {
        auto decoded = decode_event(event);
        if (!decoded)
            return fail(Errc::corrupt, "journal group {}: {}", group.sequence, decoded.error().message);
        group.events.push_back(std::move(*decoded));
    }
    for (const auto& span : message.causes())
        group.causes.push_back({{span.command(), span.by(), span.from()}, span.events()});
    return group;
}

namespace {

// What an event may refer to. A journal that passed its checksums and fails here was written by another program.
struct Checker {
    const cluster::State& state;

    Result<void> job_in(JobId id, bool (*fits)(const cluster::Job&), const char* event) const
    {
        const auto job = state.find(id);
        if (!job)
            return fail(Errc::corrupt, "{} names job {}, which does not exist", event, id);
        if (!fits(*job))
            return fail(Errc::corrupt, "{} does not fit job {}, which is {}", event, id, name(job->state));
        return {};
    }
    Result<void> node(NodeId id, const char* event) const
    {
        if (id.value < state.nodes.size())
            return {};
        return fail(Errc::corrupt, "{} names node number {} of {}", event, id, state.nodes.size());
    }
    static bool pending(const cluster::Job& job) { return job.state == JobState::pending; }
    static bool running(const cluster::Job& job) { return holds_resources(job.state); }
    static bool suspendable(const cluster::Job& job) { return job.state == JobState::running || job.state == JobState::suspended; }
    static bool suspended(const cluster::Job& job) { return job.state == JobState::suspended; }
    static bool unended(const cluster::Job& job) { return !is_final(job.state); }
    static bool ended(const cluster::Job& job) { return is_final(job.state); }
    static bool running_or_ended(const cluster::Job& job) { return job.state != JobState::pending; }
    // The record of an array never starts, and ends with its last task.
    Result<void> no_array(JobId id, const char* event) const
    {
        if (!state.arrays.contains(id.value) || id.is_task())
            return {};
        return fail(Errc::corrupt, "{} names array {} instead of a task", event, id);
    }

    Result<void> operator()(const cluster::JobSubmitted& e) const
    {
        if (e.job < state.next_job || e.job >= max_job_id || e.job.is_task())
            return fail(Errc::corrupt, "a submit gives the id {} again (the next is {})", e.job, state.next_job);
        return {};
    }
    Result<void> operator()(const cluster::JobHeld& e) const { return job_in(e.job, pending, "a hold"); }
    Result<void> operator()(const cluster::JobSuspended& e) const { return job_in(e.job, suspendable, "a suspension"); }
    Result<void> operator()(const cluster::JobResumed& e) const { return job_in(e.job, suspended, "a resumption"); }
    Result<void> operator()(const cluster::JobReleased& e) const { return job_in(e.job, unended, "a release"); }
    Result<void> operator()(const cluster::BeginReached& e) const { return job_in(e.job, pending, "a begin time"); }
    Result<void> operator()(const cluster::JobStarted& e) const
    {
        if (e.placement.nodes.empty())
            return fail(Errc::corrupt, "a start of job {} names no node", e.job);
        for (const auto& part : e.placement.nodes)
            if (auto known = node(part.node, "a start"); !known)
                return known;
        if (auto one = no_array(e.job, "a start"); !one)
            return one;
        return job_in(e.job, pending, "a start");
    }
    Result<void> operator()(const cluster::JobStopRequested& e) const { return job_in(e.job, running, "a stop"); }
    Result<void> operator()(const cluster::JobEnded& e) const
    {
        if (!is_final(e.end.state))
            return fail(Errc::corrupt, "an end of job {} says {}", e.job, name(e.end.state));
        if (const auto array = state.arrays.find(e.job.value); array != state.arrays.end() && !e.job.is_task() && !array->second.done())
            return fail(Errc::corrupt, "an end of array {} comes before those of its tasks", e.job);
        return job_in(e.job, unended, "an end");
    }
    Result<void> operator()(const cluster::StepsEnded& e) const
    {
        if (auto fits = job_in(e.job, running, "an end of steps"); !fits)
            return fits;
        const auto job = state.find(e.job);
        if (e.steps.empty() || job->incarnation != e.incarnation || e.first <= job->run->steps.through ||
            e.first > std::numeric_limits<std::uint64_t>::max() - e.steps.size())
            return fail(Errc::corrupt, "an end of steps {} to {} of job {}.{} does not follow on {} of {}", e.first, e.first + e.steps.size() - 1,
                        e.job, e.incarnation, job->run->steps.through, job->incarnation);
        return {};
    }
    Result<void> operator()(const cluster::JobRequeued& e) const { return job_in(e.job, running_or_ended, "a requeue"); }
    Result<void> operator()(const cluster::JobForgotten& e) const
    {
        if (const auto array = state.arrays.find(e.job.value); array != state.arrays.end() && !e.job.is_task() && array->second.known > 0)
            return fail(Errc::corrupt, "a removal of array {} comes before those of its tasks", e.job);
        return job_in(e.job, ended, "a removal");
    }
    Result<void> operator()(const cluster::NodeRegistered& e) const { return node(e.node, "a registration"); }
    Result<void> operator()(const cluster::NodeLost& e) const { return node(e.node, "a lost connection"); }
    Result<void> operator()(const cluster::NodeDrained& e) const { return node(e.node, "a drain"); }
    Result<void> operator()(const cluster::NodeResumed& e) const { return node(e.node, "a resume"); }
    template <class EventType>
    Result<void> part(const EventType& e, const char* event) const
    {
        if (auto known = node(e.node, event); !known)
            return known;
        if (auto fits = job_in(e.job, running, event); !fits)
            return fits;
        const auto job = state.find(e.job);
        if (job->run->members.empty() || !cluster::member_of(*job->run, e.node))
            return fail(Errc::corrupt, "{} names node number {}, which is no member of job {}", event, e.node, e.job);
        return {};
    }
    Result<void> operator()(const cluster::NodePrepared& e) const { return part(e, "a preparation"); }
    Result<void> operator()(const cluster::RunEnding& e) const
    {
        if (!is_final(e.ending.end.state))
            return fail(Errc::corrupt, "an end of job {} says {}", e.job, name(e.ending.end.state));
        return part(e, "an end on one node");
    }
    Result<void> operator()(const cluster::NodeFinished& e) const { return part(e, "an end on a further node"); }
    Result<void> operator()(const cluster::NodeDowned& e) const { return node(e.node, "a node that is down"); }
    Result<void> operator()(const cluster::NodeCleared& e) const { return node(e.node, "a node that is clear"); }
    Result<void> operator()(const cluster::NodeViolation& e) const { return node(e.node, "a violation"); }
    Result<void> operator()(const cluster::NodeJoined& e) const
    {
        if (e.node.value != state.nodes.size() || state.find_node(e.name))
            return fail(Errc::corrupt, "node {} joins as number {}, and there are {}", e.name, e.node, state.nodes.size());
        return {};
    }
    Result<void> operator()(const cluster::TasksSplit& e) const { return check(state, e); }
    Result<void> operator()(const cluster::TasksEnded& e) const { return check(state, e); }
    Result<void> operator()(const cluster::DependencyResolved& e) const { return check(state, e); }
    Result<void> operator()(const cluster::TasksReleased& e) const { return check(state, e); }
    Result<void> operator()(const cluster::RetryDue& e) const { return job_in(e.job, pending, "a retry"); }
    Result<void> operator()(const cluster::ClusterCreated&) const { return {}; }
    Result<void> operator()(const cluster::ControllerStarted&) const { return {}; }
    Result<void> operator()(const cluster::WallClockSet&) const { return {}; }
    Result<void> operator()(const cluster::Configured&) const { return {}; }
};

} // namespace

Result<void> check_event(const cluster::State& state, const cluster::Event& event)
{
    return std::visit(Checker{state}, event);
}

} // namespace jarvis::journal
