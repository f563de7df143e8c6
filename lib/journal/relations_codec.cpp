#include "journal/relations_codec.hpp"

#include "journal/value_codec.hpp"
#include "wire/convert.hpp"

namespace jarvis::journal {

namespace {

// Reads several sets and keeps the first failure.
class Sets {
    Result<void> result_;

public:
    IndexSet read(const wire::IndexSet& message)
    {
        auto set = wire::from_message(message);
        if (set)
            return std::move(*set);
        if (result_)
            result_ = std::unexpected(set.error());
        return {};
    }
    const Result<void>& result() const { return result_; }
};

// The array that an event names, as long as it has not ended.
Result<const cluster::ArrayProgress*> open_array(const cluster::State& state, JobId id, const char* event)
{
    const auto job = state.find(id);
    const auto found = state.arrays.find(id.value);
    if (!job || found == state.arrays.end())
        return fail(Errc::corrupt, "{} names array {}, which does not exist", event, id);
    if (is_final(job->state))
        return fail(Errc::corrupt, "{} does not fit array {}, which is {}", event, id, name(job->state));
    return &found->second;
}

Result<void> check_waiting(const cluster::State& state, JobId id, const IndexSet& tasks, const char* event)
{
    auto progress = open_array(state, id, event);
    if (!progress)
        return std::unexpected(progress.error());
    if (!tasks.empty() && (*progress)->waiting.includes(tasks))
        return {};
    return fail(Errc::corrupt, "{} names tasks of array {} that do not wait", event, id);
}

} // namespace

TasksSplit to_message(const cluster::TasksSplit& event)
{
    TasksSplit message;
    message.set_array(event.array.value);
    *message.mutable_tasks() = wire::to_message(event.tasks);
    return message;
}

TasksEnded to_message(const cluster::TasksEnded& event)
{
    TasksEnded message;
    message.set_array(event.array.value);
    *message.mutable_tasks() = wire::to_message(event.tasks);
    *message.mutable_end() = wire::to_message(event.end);
    return message;
}

DependencyResolved to_message(const cluster::DependencyResolved& event)
{
    DependencyResolved message;
    message.set_job(event.job.value);
    message.set_dependency(event.dependency);
    message.set_outcome(static_cast<std::uint32_t>(event.outcome));
    message.set_due_us(microseconds(event.due));
    return message;
}

TasksReleased to_message(const cluster::TasksReleased& event)
{
    TasksReleased message;
    message.set_array(event.array.value);
    message.set_dependency(event.dependency);
    *message.mutable_ok() = wire::to_message(event.ok);
    *message.mutable_never() = wire::to_message(event.never);
    return message;
}

JobRequeued to_message(const cluster::JobRequeued& event)
{
    JobRequeued message;
    put_job(event.job, message);
    message.set_incarnation(event.incarnation.value);
    message.set_cause(event.cause);
    if (event.end) {
        *message.mutable_end() = wire::to_message(*event.end);
        *message.mutable_usage() = wire::to_message(event.usage);
    }
    if (event.not_before)
        message.set_not_before_us(microseconds(*event.not_before));
    message.set_counts_as_retry(event.counts_as_retry);
    return message;
}

Result<cluster::Event> decode(const TasksSplit& m)
{
    auto tasks = wire::from_message(m.tasks());
    if (!tasks)
        return std::unexpected(tasks.error());
    return cluster::TasksSplit{{m.array()}, std::move(*tasks)};
}

Result<cluster::Event> decode(const TasksEnded& m)
{
    auto tasks = wire::from_message(m.tasks());
    auto end = wire::from_message(m.end());
    if (!tasks || !end)
        return std::unexpected(tasks ? end.error() : tasks.error());
    return cluster::TasksEnded{{m.array()}, std::move(*tasks), std::move(*end)};
}

Result<cluster::Event> decode(const DependencyResolved& m)
{
    if (m.outcome() < static_cast<std::uint32_t>(cluster::DependencyOutcome::satisfied) ||
        m.outcome() > static_cast<std::uint32_t>(cluster::DependencyOutcome::delayed))
        return fail(Errc::corrupt, "a dependency comes to {}, which is nothing", m.outcome());
    const auto due = instant(m.due_us());
    if (auto sound = check_times(due, {}); !sound)
        return std::unexpected(sound.error());
    return cluster::DependencyResolved{{m.job()}, m.dependency(), static_cast<cluster::DependencyOutcome>(m.outcome()), due};
}

Result<cluster::Event> decode(const TasksReleased& m)
{
    Sets sets;
    cluster::TasksReleased event{{m.array()}, m.dependency(), sets.read(m.ok()), sets.read(m.never())};
    if (!sets.result())
        return std::unexpected(sets.result().error());
    return event;
}

Result<cluster::Event> decode(const JobRequeued& m)
{
    cluster::JobRequeued event{.job = job_in(m), .incarnation = Incarnation{m.incarnation()}, .cause = m.cause()};
    if (m.has_end()) {
        auto end = wire::from_message(m.end());
        auto usage = wire::from_message(m.usage());
        if (!end || !usage)
            return std::unexpected(end ? usage.error() : end.error());
        event.end = std::move(*end);
        event.usage = *usage;
    }
    if (m.has_not_before_us()) {
        event.not_before = instant(m.not_before_us());
        if (auto sound = check_times(*event.not_before, {}); !sound)
            return std::unexpected(sound.error());
    }
    event.counts_as_retry = m.counts_as_retry();
    return event;
}

Result<void> check(const cluster::State& state, const cluster::TasksSplit& event)
{
    return check_waiting(state, event.array, event.tasks, "a split");
}

Result<void> check(const cluster::State& state, const cluster::TasksEnded& event)
{
    if (!is_final(event.end.state))
        return fail(Errc::corrupt, "an end of tasks of array {} says {}", event.array, name(event.end.state));
    return check_waiting(state, event.array, event.tasks, "an end of tasks");
}

Result<void> check(const cluster::State& state, const cluster::DependencyResolved& event)
{
    const auto job = state.find(event.job);
    if (!job || job->id.is_task() || job->state != JobState::pending)
        return fail(Errc::corrupt, "a dependency of job {}, which does not wait", event.job);
    if (event.dependency >= job->request->dependencies->list.size())
        return fail(Errc::corrupt, "a dependency of job {} has number {} of {}", event.job, event.dependency,
                    job->request->dependencies->list.size());
    return {};
}

Result<void> check(const cluster::State& state, const cluster::TasksReleased& event)
{
    auto progress = open_array(state, event.array, "a dependency of tasks");
    if (!progress)
        return std::unexpected(progress.error());
    const auto& all = state.find(event.array)->request->array->tasks;
    if (!(*progress)->corr.contains(event.dependency) || !all.includes(event.ok) || !all.includes(event.never))
        return fail(Errc::corrupt, "a dependency of tasks does not fit array {}", event.array);
    return {};
}

Ended to_message(const cluster::Ended& ended)
{
    Ended record;
    *record.mutable_end() = wire::to_message(ended.end);
    *record.mutable_usage() = wire::to_message(ended.usage);
    record.set_at_us(microseconds(ended.at));
    record.set_wall_us(microseconds(ended.wall));
    return record;
}

Result<cluster::Ended> from_message(const Ended& record)
{
    auto end = wire::from_message(record.end());
    auto usage = wire::from_message(record.usage());
    if (!end || !usage)
        return std::unexpected(end ? usage.error() : end.error());
    cluster::Ended ended{std::move(*end), *usage, instant(record.at_us()), wall_time(record.wall_us())};
    if (auto sound = check_moment(ended.at, ended.wall); !sound)
        return std::unexpected(sound.error());
    return ended;
}

void fill(ArrayRecord& record, const cluster::ArrayProgress& progress)
{
    *record.mutable_waiting() = wire::to_message(progress.waiting);
    *record.mutable_succeeded() = wire::to_message(progress.succeeded);
    *record.mutable_failed() = wire::to_message(progress.failed);
    *record.mutable_cancelled() = wire::to_message(progress.cancelled);
    for (const auto& unstarted : progress.unstarted) {
        auto& out = *record.add_unstarted();
        *out.mutable_tasks() = wire::to_message(unstarted.tasks);
        *out.mutable_ended() = to_message(cluster::Ended{unstarted.end, {}, unstarted.at, unstarted.wall});
    }
    record.set_highest_exit(progress.highest_exit);
    if (progress.first_start)
        record.set_first_start_us(microseconds(*progress.first_start));
    for (const auto& [dependency, corr] : progress.corr) {
        auto& out = *record.add_corr();
        out.set_dependency(dependency);
        *out.mutable_ok() = wire::to_message(corr.ok);
        *out.mutable_never() = wire::to_message(corr.never);
    }
}

Result<cluster::ArrayProgress> read_array(const ArrayRecord& record, const JobRequest& request)
{
    const auto& all = request.array->tasks;
    Sets sets;
    cluster::ArrayProgress progress;
    progress.waiting = sets.read(record.waiting());
    progress.succeeded = sets.read(record.succeeded());
    progress.failed = sets.read(record.failed());
    progress.cancelled = sets.read(record.cancelled());
    for (const auto& in : record.unstarted()) {
        auto ended = from_message(in.ended());
        if (!ended)
            return std::unexpected(ended.error());
        progress.unstarted.push_back({sets.read(in.tasks()), std::move(ended->end), ended->at, ended->wall});
    }
    progress.highest_exit = record.highest_exit();
    if (record.has_first_start_us())
        progress.first_start = instant(record.first_start_us());
    if (auto sound = check_times(progress.first_start.value_or(Instant{}), {}); !sound)
        return std::unexpected(sound.error());
    for (const auto& in : record.corr()) {
        if (in.dependency() >= request.dependencies->list.size() ||
            request.dependencies->list[in.dependency()].kind != DependencyKind::aftercorr)
            return fail(Errc::corrupt, "it has no aftercorr of number {}", in.dependency());
        progress.corr[in.dependency()] = {sets.read(in.ok()), sets.read(in.never())};
    }
    if (!sets.result())
        return std::unexpected(sets.result().error());
    if (!all.includes(progress.waiting))
        return fail(Errc::corrupt, "tasks wait that it does not have");
    return progress;
}

void fill(Waits& record, const cluster::Waits& waits)
{
    *record.mutable_open() = wire::to_message(waits.open);
    if (waits.never)
        record.set_never(*waits.never);
    for (const auto& [dependency, at] : waits.due) {
        auto& due = *record.add_due();
        due.set_dependency(dependency);
        due.set_at_us(microseconds(at));
    }
}

Result<cluster::Waits> read_waits(const Waits& record, const JobRequest& request)
{
    const auto count = request.dependencies->list.size();
    auto open = wire::from_message(record.open());
    if (!open)
        return std::unexpected(open.error());
    cluster::Waits waits{.open = std::move(*open), .never = {}, .due = {}};
    if (record.has_never())
        waits.never = record.never();
    for (const auto& due : record.due()) {
        if (auto sound = check_times(instant(due.at_us()), {}); !sound)
            return std::unexpected(sound.error());
        waits.due.emplace(due.dependency(), instant(due.at_us()));
    }
    const bool fits = (waits.open.empty() || waits.open.last() < count) && (!waits.never || *waits.never < count) &&
                      std::all_of(waits.due.begin(), waits.due.end(), [&](const auto& due) { return waits.open.contains(due.first); });
    if (!fits)
        return fail(Errc::corrupt, "it waits for dependencies that it does not have");
    return waits;
}

} // namespace jarvis::journal
