#include "client/step_rows.hpp"

namespace jarvis::client {

namespace {

// With the job's account and partition, and everything else its own.
wire::JobSummary summary_of(const wire::StepEnd& step, const wire::JobSummary& job)
{
    wire::JobSummary summary;
    summary.set_job_id(job.job_id());
    if (job.has_task())
        summary.set_task(job.task());
    summary.set_uid(job.uid());
    summary.set_user(job.user());
    summary.set_partition(job.partition());
    summary.set_incarnation(job.incarnation());
    summary.set_name(step.name());
    const auto state = static_cast<std::uint32_t>(state_of(step));
    summary.set_state(state);
    summary.set_submitted_us(step.started_us());
    summary.set_started_us(step.started_us());
    summary.set_ended_us(step.ended_us());
    summary.set_cores(step.cores());
    summary.set_nodes(step.node_list());
    summary.set_node_count(step.node_count());
    auto& end = *summary.mutable_end();
    end.set_state(state);
    end.set_exit_code(step.exit_code());
    end.set_signal(step.signal());
    end.set_cause(step.cause());
    *summary.mutable_usage() = step.usage();
    return summary;
}

} // namespace

JobState state_of(const wire::StepEnd& step)
{
    if (!step.cause().empty())
        return JobState::cancelled;
    return step.exit_code() == 0 && step.signal() == 0 ? JobState::completed : JobState::failed;
}

StepRows::StepRows(const Jobs& jobs)
{
    for (const auto& row : rows_of(jobs)) {
        rows_.push_back(row);
        for (const auto& step : row.steps)
            rows_.push_back({&summaries_.emplace_back(summary_of(step, *row.summary)), nullptr, step.step()});
    }
}

} // namespace jarvis::client
