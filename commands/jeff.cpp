// jeff: how well jobs used what they held.
#include "base/escape.hpp"
#include "client/efficiency.hpp"
#include "client/job_text.hpp"
#include "client/node_questions.hpp"
#include "client/query.hpp"
#include "client/state_text.hpp"

#include <algorithm>

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr Option options[] = {
    {0, "json", "", "print JSON (schema jarvis.efficiency/1)"},
};

// Of several nodes: amounts add up; of times that some process waited and of what is on one node the most counts.
void add_detail(wire::UsageDetail& sum, const wire::UsageDetail& node)
{
    if (node.has_throttled_us())
        sum.set_throttled_us(sum.throttled_us() + node.throttled_us());
    if (node.has_major_faults())
        sum.set_major_faults(sum.major_faults() + node.major_faults());
    if (node.has_read())
        sum.set_read(sum.read() + node.read());
    if (node.has_written())
        sum.set_written(sum.written() + node.written());
    if (node.has_cpu_pressure_us())
        sum.set_cpu_pressure_us(std::max(sum.cpu_pressure_us(), node.cpu_pressure_us()));
    if (node.has_memory_pressure_us())
        sum.set_memory_pressure_us(std::max(sum.memory_pressure_us(), node.memory_pressure_us()));
    if (node.has_io_pressure_us())
        sum.set_io_pressure_us(std::max(sum.io_pressure_us(), node.io_pressure_us()));
    if (node.has_page_cache())
        sum.set_page_cache(std::max(sum.page_cache(), node.page_cache()));
    if (node.has_largest_process())
        sum.set_largest_process(std::max(sum.largest_process(), node.largest_process()));
}

// What a job that runs has used so far, of all of its nodes. Of a node that does not answer nothing is known, and the figures would
// be too low: then it says so.
Result<void> add_live_usage(Session& session, wire::JobDetail& job)
{
    const auto answers = ask_usage(session, job.summary());
    if (!answers)
        return std::unexpected(answers.error());
    wire::Usage sum;
    for (const auto& item : answers->items()) {
        if (!item.has_usage())
            return fail(Errc::unavailable, "job {}: {}", job_id_text(job.summary()), escape_for_terminal(item.error().message()));
        const auto& usage = item.usage().usage();
        sum.set_cpu_user_us(sum.cpu_user_us() + usage.cpu_user_us());
        sum.set_cpu_system_us(sum.cpu_system_us() + usage.cpu_system_us());
        if (usage.has_memory_peak())
            sum.set_memory_peak(std::max(sum.memory_peak(), usage.memory_peak()));
        add_detail(*sum.mutable_detail(), usage.detail());
    }
    sum.set_elapsed_us(job.elapsed_us());
    *job.mutable_summary()->mutable_usage() = std::move(sum);
    return {};
}

// A record that stands for tasks which have not started used nothing.
bool counts(const wire::JobDetail& job)
{
    return job.summary().has_started_us() && job.summary().pending_tasks().first_size() == 0 &&
           (job.summary().has_usage() || !is_final(state_of(job.summary().state()).value_or(JobState::failed)));
}

// Jobs, and the tasks of an array that was named whole together; in the order of their ids.
std::vector<Efficiency> sums_of(const std::vector<wire::JobDetail>& jobs, const std::vector<std::uint64_t>& whole)
{
    std::vector<Efficiency> sums;
    std::vector<const wire::JobDetail*> group;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const auto& summary = jobs[i].summary();
        const bool together = summary.has_task() && std::find(whole.begin(), whole.end(), summary.job_id()) != whole.end();
        group.push_back(&jobs[i]);
        if (together && i + 1 < jobs.size() && jobs[i + 1].summary().job_id() == summary.job_id())
            continue;
        sums.push_back(efficiency_of(group, together ? array_text(summary) : job_id_text(summary)));
        group.clear();
    }
    return sums;
}

int run(const Program& program, const CommandLine& line)
{
    if (line.words.empty())
        return usage_error(program, "which jobs?");
    wire::Request request;
    auto& filter = *request.mutable_query_history()->mutable_filter();
    if (auto read = filter_ids(filter, line.words); !read)
        return usage_error(program, read.error().message);
    const std::vector<std::uint64_t> whole(filter.ids().begin(), filter.ids().end());
    auto session = Session::open(program.name);
    if (!session)
        return report(program, session.error());
    auto jobs = ask_jobs(*session, std::move(request));
    if (!jobs)
        return report(program, jobs.error());
    auto worst = Exit::done;
    std::vector<wire::JobDetail> counted;
    std::vector<std::string> waiting;
    for (auto& job : jobs->details) {
        if (!counts(job)) {
            waiting.push_back(job_id_text(job.summary()));
            continue;
        }
        if (!job.summary().has_usage())
            if (auto added = add_live_usage(*session, job); !added) {
                report(program, added.error());
                worst = worse(worst, exit_for(added.error().code));
                continue;
            }
        counted.push_back(std::move(job));
    }
    const auto sums = sums_of(counted, whole);
    if (line.has("json")) {
        std::vector<std::string> unknown;
        if (jobs->has_unknown())
            unknown.push_back(unknown_text(*jobs));
        fmt::print("{}", efficiency_json(sums, unknown));
    } else {
        const auto style = standard_output_style();
        for (std::size_t i = 0; i < sums.size(); ++i)
            fmt::print("{}{}", i > 0 ? "\n" : "", efficiency_text(sums[i], style));
    }
    // Of an array whose first tasks have run the others may wait.
    for (const auto& id : waiting)
        if (std::none_of(sums.begin(), sums.end(), [&](const Efficiency& sum) { return sum.id == id; }))
            worst = worse(worst, static_cast<Exit>(report(program, fmt::format("job {} has not run", id), Exit::failed)));
    if (!jobs->history_missing.empty()) {
        report(program,
               fmt::format("the accounting history cannot be read ({}); only jobs that the controller still knows are shown",
                           jobs->history_missing),
               Exit::no_answer);
        if (jobs->has_unknown())
            worst = worse(worst, Exit::no_answer);
        return static_cast<int>(worst);
    }
    return static_cast<int>(worse(worst, report_unknown(program, *jobs)));
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jeff",
        .summary = "Show how well jobs used the cores, memory and time that they held, and what they could do with less.",
        .usage = {"[--json] JOB..."},
        .options = options,
        .notes = "JOB is 7, 9-12, of an array's task 7_3; the tasks of a whole array are counted together. Of a job that runs the figures\n"
                 "are those so far; jstat shows them as they change.",
    };
    return run_program(program, argc, argv, run);
}
