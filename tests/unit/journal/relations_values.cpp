#include "values.hpp"

namespace jarvis::journal::test {

using namespace jarvis::cluster;

namespace {

std::shared_ptr<const JobRequest> request_with(ArraySpec array, Dependencies dependencies, RetryRule retry = {})
{
    auto request = plain_request();
    request.partition = "batch";
    request.array = std::move(array);
    request.dependencies = std::move(dependencies);
    if (retry.times != 0)
        request.retry = std::move(retry);
    return std::make_shared<const JobRequest>(std::move(request));
}

JobSubmitted submit(std::uint64_t job, std::shared_ptr<const JobRequest> request)
{
    return {.job = JobId{job}, .request = std::move(request), .request_id = {7, {static_cast<std::uint8_t>(job)}}, .digest = {}, .priority = 1};
}

JobEnd end_as(JobState state, std::string cause)
{
    return {.state = state, .end_class = EndClass::user, .exit_code = 3, .signal = 0, .cause = std::move(cause)};
}

JobStarted start(JobId job, std::uint32_t incarnation = 1)
{
    return {job, Incarnation{incarnation}, {{{.node = NodeId{1}, .cores = {}, .memory = {}}}}};
}

} // namespace

std::vector<NamedEvent> relations()
{
    const JobId array{20}, follower{21}, waiter{22}, retrier{23}, never{24};
    RetryRule rule;
    rule.times = 3;
    rule.exits = {{3, 5}};
    const Usage usage{.elapsed = 5s, .cpu_user = 4s, .cpu_system = 1s, .memory_peak = mebibytes(7)};
    return {
        {"array_submitted", submit(20, request_with({IndexSet::range(0, 9) | IndexSet{200}, 4}, {}))},
        {"follower_submitted", submit(21, request_with({IndexSet::range(0, 3), 0}, {false, {{DependencyKind::aftercorr, array, {}}}}))},
        {"waiter_submitted",
         submit(22, request_with({}, {true, {{DependencyKind::after, array, 60s}, {DependencyKind::afterok, {20, 200}, {}}, {DependencyKind::singleton, {}, {}}}}))},
        {"retrier_submitted", submit(23, request_with({}, {}, rule))},
        {"never_submitted", submit(24, request_with({}, {false, {{DependencyKind::afterok, {20, 2}, {}}}}))},
        {"tasks_split", TasksSplit{array, {0, 1, 2, 7}}},
        {"task_held", JobHeld{{20, 7}, {"alice", false}}},
        {"task_started", start({20, 0})},
        {"task_started_2", start({20, 2})},
        {"task_started_1", start({20, 1})},
        {"dependency_delayed", DependencyResolved{waiter, 0, DependencyOutcome::delayed, Instant(500s)}},
        {"task_ended", JobEnded{{20, 0}, Incarnation{1}, {.state = JobState::completed}, usage}},
        {"task_failed", JobEnded{{20, 2}, Incarnation{1}, end_as(JobState::failed, "exit code 3"), usage}},
        {"tasks_released", TasksReleased{follower, 0, {0}, {2}}},
        {"dependency_never", DependencyResolved{never, 0, DependencyOutcome::never, {}}},
        {"tasks_ended", TasksEnded{array, {4, 5, 200}, end_as(JobState::cancelled, "cancelled by caf\xe9")}},
        {"dependency_of_any", DependencyResolved{waiter, 1, DependencyOutcome::never, {}}},
        {"retrier_started", start(retrier)},
        {"retrier_requeued", JobRequeued{.job = retrier, .incarnation = Incarnation{1}, .cause = "exit code 3", .end = end_as(JobState::failed, "exit code 3"),
                                         .usage = usage, .not_before = Instant(1000s), .counts_as_retry = true}},
        {"retry_due", RetryDue{retrier}},
        {"retrier_started_again", start(retrier, 2)},
        {"retrier_requeued_again", JobRequeued{.job = retrier, .incarnation = Incarnation{2}, .cause = "exit code 4",
                                               .end = end_as(JobState::failed, "exit code 4"), .usage = usage, .not_before = Instant(2000s), .counts_as_retry = true}},
        {"task_stopped", JobStopRequested{{20, 1}, {.by = "alice", .cause = "requeued by alice", .requeue = true}}},
        {"ended_task_requeued", JobRequeued{.job = {20, 0}, .incarnation = Incarnation{1}, .cause = "requeued by alice"}},
    };
}

} // namespace jarvis::journal::test
