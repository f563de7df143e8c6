#include "journal/event_codec.hpp"

#include "journal/relations_codec.hpp"
#include "journal/value_codec.hpp"
#include "wire/convert.hpp"
#include "wire/convert_step.hpp"

namespace jarvis::journal {

namespace {

struct Encoder {
    Event& out;

    void operator()(const cluster::ClusterCreated& e) const
    {
        out.mutable_cluster_created()->set_uuid(bytes_of(e.uuid));
        out.mutable_cluster_created()->set_name(e.name);
    }
    void operator()(const cluster::ControllerStarted& e) const
    {
        out.mutable_controller_started()->set_epoch(e.epoch.value);
        *out.mutable_controller_started()->mutable_clock() = to_message(e.clock);
    }
    void operator()(const cluster::WallClockSet& e) const { out.mutable_wall_clock_set()->set_offset_us(e.offset.count()); }
    void operator()(const cluster::Configured& e) const { *out.mutable_configured() = to_message(e.settings); }
    void operator()(const cluster::JobSubmitted& e) const
    {
        auto& m = *out.mutable_job_submitted();
        put_job(e.job, m);
        *m.mutable_request() = wire::to_message(*e.request);
        m.set_request_uid(e.request_id.uid);
        m.set_request_id(bytes_of(e.request_id.id));
        m.set_digest(bytes_of(e.digest));
        m.set_priority(e.priority);
    }
    void operator()(const cluster::JobHeld& e) const
    {
        put_job(e.job, *out.mutable_job_held());
        *out.mutable_job_held()->mutable_hold() = to_message(e.hold);
    }
    void operator()(const cluster::JobSuspended& e) const
    {
        put_job(e.job, *out.mutable_job_suspended());
        out.mutable_job_suspended()->set_by(e.by);
        out.mutable_job_suspended()->set_by_operator(e.by_operator);
    }
    void operator()(const cluster::JobResumed& e) const { put_job(e.job, *out.mutable_job_resumed()); }
    void operator()(const cluster::JobReleased& e) const { put_job(e.job, *out.mutable_job_released()); }
    void operator()(const cluster::BeginReached& e) const { put_job(e.job, *out.mutable_begin_reached()); }
    void operator()(const cluster::JobStarted& e) const
    {
        auto& m = *out.mutable_job_started();
        put_job(e.job, m);
        m.set_incarnation(e.incarnation.value);
        *m.mutable_placement() = wire::to_message(e.placement);
    }
    void operator()(const cluster::JobStopRequested& e) const
    {
        put_job(e.job, *out.mutable_job_stop_requested());
        *out.mutable_job_stop_requested()->mutable_stop() = to_message(e.stop);
    }
    void operator()(const cluster::JobEnded& e) const
    {
        auto& m = *out.mutable_job_ended();
        put_job(e.job, m);
        m.set_incarnation(e.incarnation.value);
        *m.mutable_end() = wire::to_message(e.end);
        *m.mutable_usage() = wire::to_message(e.usage);
    }
    void operator()(const cluster::StepsEnded& e) const
    {
        auto& m = *out.mutable_steps_ended();
        put_job(e.job, m);
        m.set_incarnation(e.incarnation.value);
        m.set_first(e.first);
        for (const auto& step : e.steps)
            *m.add_steps() = wire::to_message(step);
    }
    void operator()(const cluster::JobRequeued& e) const { *out.mutable_job_requeued() = to_message(e); }
    void operator()(const cluster::JobForgotten& e) const { put_job(e.job, *out.mutable_job_forgotten()); }
    void operator()(const cluster::NodeRegistered& e) const
    {
        out.mutable_node_registered()->set_node(e.node.value);
        *out.mutable_node_registered()->mutable_registration() = to_message(e.registration);
    }
    void operator()(const cluster::NodeLost& e) const { out.mutable_node_lost()->set_node(e.node.value); }
    void operator()(const cluster::NodeDrained& e) const
    {
        out.mutable_node_drained()->set_node(e.node.value);
        *out.mutable_node_drained()->mutable_drain() = to_message(e.drain);
    }
    void operator()(const cluster::NodeResumed& e) const { out.mutable_node_resumed()->set_node(e.node.value); }
    void operator()(const cluster::NodePrepared& e) const { put_part(e, *out.mutable_node_prepared()); }
    void operator()(const cluster::RunEnding& e) const
    {
        put_part(e, *out.mutable_run_ending());
        *out.mutable_run_ending()->mutable_ending() = to_message(e.ending);
    }
    void operator()(const cluster::NodeFinished& e) const
    {
        put_part(e, *out.mutable_node_finished());
        *out.mutable_node_finished()->mutable_usage() = wire::to_message(e.usage);
    }
    void operator()(const cluster::NodeDowned& e) const
    {
        out.mutable_node_downed()->set_node(e.node.value);
        *out.mutable_node_downed()->mutable_down() = to_message(e.down);
    }
    void operator()(const cluster::NodeCleared& e) const { out.mutable_node_cleared()->set_node(e.node.value); }
    void operator()(const cluster::NodeViolation& e) const
    {
        auto& m = *out.mutable_node_violation();
        put_job(e.job.job, m);
        m.set_incarnation(e.job.incarnation.value);
        m.set_node(e.node.value);
        m.set_text(e.text);
        m.set_runs(e.runs);
    }
    void operator()(const cluster::NodeJoined& e) const
    {
        auto& m = *out.mutable_node_joined();
        m.set_node(e.node.value);
        m.set_name(e.name);
        m.set_node_class(e.node_class);
    }

    template <class EventType, class Message>
    static void put_part(const EventType& e, Message& m)
    {
        put_job(e.job, m);
        m.set_incarnation(e.incarnation.value);
        m.set_node(e.node.value);
    }
    void operator()(const cluster::TasksSplit& e) const { *out.mutable_tasks_split() = to_message(e); }
    void operator()(const cluster::TasksEnded& e) const { *out.mutable_tasks_ended() = to_message(e); }
    void operator()(const cluster::DependencyResolved& e) const { *out.mutable_dependency_resolved() = to_message(e); }
    void operator()(const cluster::TasksReleased& e) const { *out.mutable_tasks_released() = to_message(e); }
    void operator()(const cluster::RetryDue& e) const { put_job(e.job, *out.mutable_retry_due()); }
};

Result<cluster::Event> decode(const JobSubmitted& m)
{
    auto request = wire::from_message(m.request());
    if (!request)
        return std::unexpected(request.error());
    auto id = sixteen_bytes(m.request_id(), "a request id");
    auto digest = sixteen_bytes(m.digest(), "a request digest");
    if (!id || !digest)
        return std::unexpected(id ? digest.error() : id.error());
    return cluster::JobSubmitted{.job = job_in(m),
                                 .request = std::make_shared<const JobRequest>(std::move(*request)),
                                 .request_id = {m.request_uid(), *id},
                                 .digest = *digest,
                                 .priority = m.priority()};
}

Result<cluster::Event> decode(const JobStarted& m)
{
    auto placement = wire::from_message(m.placement());
    if (!placement)
        return std::unexpected(placement.error());
    return cluster::JobStarted{job_in(m), Incarnation{m.incarnation()}, std::move(*placement)};
}

Result<cluster::Event> decode(const JobEnded& m)
{
    auto end = wire::from_message(m.end());
    auto usage = wire::from_message(m.usage());
    if (!end || !usage)
        return std::unexpected(end ? usage.error() : end.error());
    return cluster::JobEnded{job_in(m), Incarnation{m.incarnation()}, std::move(*end), *usage};
}

Result<cluster::Event> decode(const StepsEnded& m)
{
    cluster::StepsEnded event{job_in(m), Incarnation{m.incarnation()}, m.first(), {}};
    event.steps.reserve(static_cast<std::size_t>(m.steps_size()));
    for (const auto& message : m.steps()) {
        auto step = wire::from_message(message);
        if (!step)
            return std::unexpected(step.error());
        event.steps.push_back(std::move(*step));
    }
    return event;
}

Result<cluster::Event> decode(const NodeRegistered& m)
{
    auto registration = from_message(m.registration());
    if (!registration)
        return std::unexpected(registration.error());
    return cluster::NodeRegistered{NodeId{m.node()}, std::move(*registration)};
}

Result<cluster::Event> decode(const ClusterCreated& m)
{
    auto uuid = sixteen_bytes(m.uuid(), "the cluster's UUID");
    if (!uuid)
        return std::unexpected(uuid.error());
    return cluster::ClusterCreated{*uuid, m.name()};
}

Result<cluster::Event> decode(const WallClockSet& m)
{
    const Duration offset(m.offset_us());
    if (auto sound = check_times({}, offset); !sound)
        return std::unexpected(sound.error());
    return cluster::WallClockSet{offset};
}

Result<cluster::Event> decode(const Settings& m)
{
    auto settings = from_message(m);
    if (!settings)
        return std::unexpected(settings.error());
    return cluster::Configured{std::move(*settings)};
}

Result<cluster::Event> decode(const RunEnding& m)
{
    auto ending = from_message(m.ending());
    if (!ending)
        return std::unexpected(ending.error());
    return cluster::RunEnding{job_in(m), Incarnation{m.incarnation()}, NodeId{m.node()}, std::move(*ending)};
}

Result<cluster::Event> decode_finished(const NodePart& m)
{
    auto usage = wire::from_message(m.usage());
    if (!usage)
        return std::unexpected(usage.error());
    return cluster::NodeFinished{job_in(m), Incarnation{m.incarnation()}, NodeId{m.node()}, *usage};
}

Result<cluster::Event> decode(const NodeViolation& m)
{
    return cluster::NodeViolation{NodeId{m.node()}, {job_in(m), Incarnation{m.incarnation()}}, m.text(), m.runs()};
}

} // namespace

void encode_event(const cluster::Event& event, Event& message)
{
    std::visit(Encoder{message}, event);
}

Result<cluster::Event> decode_event(const Event& m)
{
    switch (m.body_case()) {
    case Event::kClusterCreated: return decode(m.cluster_created());
    case Event::kControllerStarted: return cluster::ControllerStarted{Epoch{m.controller_started().epoch()}, from_message(m.controller_started().clock())};
    case Event::kWallClockSet: return decode(m.wall_clock_set());
    case Event::kConfigured: return decode(m.configured());
    case Event::kJobSubmitted: return decode(m.job_submitted());
    case Event::kJobHeld: return cluster::JobHeld{job_in(m.job_held()), from_message(m.job_held().hold())};
    case Event::kJobSuspended:
        return cluster::JobSuspended{job_in(m.job_suspended()), m.job_suspended().by(), m.job_suspended().by_operator()};
    case Event::kJobResumed: return cluster::JobResumed{job_in(m.job_resumed())};
    case Event::kJobReleased: return cluster::JobReleased{job_in(m.job_released())};
    case Event::kBeginReached: return cluster::BeginReached{job_in(m.begin_reached())};
    case Event::kJobStarted: return decode(m.job_started());
    case Event::kJobStopRequested:
        return cluster::JobStopRequested{job_in(m.job_stop_requested()), from_message(m.job_stop_requested().stop())};
    case Event::kJobEnded: return decode(m.job_ended());
    case Event::kStepsEnded: return decode(m.steps_ended());
    case Event::kJobRequeued: return decode(m.job_requeued());
    case Event::kJobForgotten: return cluster::JobForgotten{job_in(m.job_forgotten())};
    case Event::kNodeRegistered: return decode(m.node_registered());
    case Event::kNodeLost: return cluster::NodeLost{NodeId{m.node_lost().node()}};
    case Event::kNodeDrained:
        return cluster::NodeDrained{NodeId{m.node_drained().node()}, from_message(m.node_drained().drain())};
    case Event::kNodeResumed: return cluster::NodeResumed{NodeId{m.node_resumed().node()}};
    case Event::kNodePrepared:
        return cluster::NodePrepared{job_in(m.node_prepared()), Incarnation{m.node_prepared().incarnation()}, NodeId{m.node_prepared().node()}};
    case Event::kRunEnding: return decode(m.run_ending());
    case Event::kNodeFinished: return decode_finished(m.node_finished());
    case Event::kNodeDowned: return cluster::NodeDowned{NodeId{m.node_downed().node()}, from_message(m.node_downed().down())};
    case Event::kNodeCleared: return cluster::NodeCleared{NodeId{m.node_cleared().node()}};
    case Event::kNodeViolation: return decode(m.node_violation());
    case Event::kNodeJoined:
        return cluster::NodeJoined{NodeId{m.node_joined().node()}, m.node_joined().name(), m.node_joined().node_class()};
    case Event::kTasksSplit: return decode(m.tasks_split());
    case Event::kTasksEnded: return decode(m.tasks_ended());
    case Event::kDependencyResolved: return decode(m.dependency_resolved());
    case Event::kTasksReleased: return decode(m.tasks_released());
    case Event::kRetryDue: return cluster::RetryDue{job_in(m.retry_due())};
    case Event::BODY_NOT_SET: break;
    }
    return fail(Errc::corrupt, "an event of an unknown kind");
}

} // namespace jarvis::journal
