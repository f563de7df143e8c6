// jacct: what jobs did and used, long after their end too.
#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/job_table.hpp"
#include "client/json.hpp"
#include "client/query.hpp"
#include "client/step_rows.hpp"
#include "wire/clocks.hpp"

#include <unistd.h>

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr std::string_view default_columns = "id,name,user,state,exit,started,time,cores,cpu_time,memory_peak,nodes,cause";

constexpr Option options[] = {
    {'j', "jobs", "IDS", "these jobs only: 7,9-12, tasks of arrays 7_3 or 7_[1-4]"},
    {'u', "user", "USERS", "jobs of these users only (default, without -j: your own)"},
    {'a', "all-users", "", "jobs of all users"},
    {'S', "since", "TIME", "jobs that ended after this time or have not ended (default, without -j: today's midnight)"},
    {'E', "until", "TIME", "jobs that were submitted before this time"},
    {'s', "states", "STATES", "jobs in these states only: COMPLETED or CD, FAILED or F, ..."},
    {0, "steps", "", "also the steps that jrun started in these jobs, as 7.0"},
    {0, "format", "COLUMNS", "columns to show, each with a width if it is to be cut: id,name:20,state"},
    {0, "json", "", "print JSON (schema jarvis.jobs/1)"},
};

// A time of day is the last one here: the history lies behind us, while the parser's "08:00" lies ahead.
Result<WallTime> parse_past_time(const std::string& text, WallTime now)
{
    const bool time_of_day = text == "noon" || text == "midnight" || (text.find(':') != std::string::npos && text.find('-') == std::string::npos &&
                                                                      text.find_first_not_of("0123456789:") == std::string::npos);
    return parse_wall_time(text, time_of_day ? now - std::chrono::days(1) : now);
}

Result<void> fill_times(wire::QueryHistory& query, const CommandLine& line, WallTime now)
{
    std::optional<std::string> since = line.last("since");
    if (!since && !line.has("jobs"))
        since = "today";
    if (since) {
        const auto time = parse_past_time(*since, now);
        if (!time)
            return fail(time.error(), "--since");
        query.set_since_us(time->time_since_epoch().count());
    }
    if (const auto until = line.last("until")) {
        const auto time = parse_past_time(*until, now);
        if (!time)
            return fail(time.error(), "--until");
        query.set_until_us(time->time_since_epoch().count());
    }
    if (query.has_since_us() && query.has_until_us() && query.until_us() <= query.since_us())
        return fail(Errc::invalid, "--until is not after --since");
    return {};
}

Result<void> fill_query(wire::QueryHistory& query, const CommandLine& line)
{
    auto& filter = *query.mutable_filter();
    bool ended = false;
    if (line.has("user") && line.has("all-users"))
        return fail(Errc::invalid, "--user and --all-users exclude each other");
    if (auto ok = filter_ids(filter, line.all("jobs")); !ok)
        return ok;
    if (auto ok = filter_users(filter, line.all("user")); !ok)
        return ok;
    if (!line.has("jobs") && !line.has("user") && !line.has("all-users"))
        filter.add_uids(::getuid());
    if (auto ok = filter_states(filter, line.all("states"), ended); !ok)
        return ok;
    query.set_steps(line.has("steps"));
    return fill_times(query, line, wall_now());
}

// What is not in the answer. While the history cannot be read, an id that nobody knows may still be in it.
Exit report_missing(const Program& program, const Jobs& jobs)
{
    if (jobs.history_missing.empty())
        return report_unknown(program, jobs);
    report(program, fmt::format("the accounting history cannot be read ({}); only jobs that the controller still knows are shown", jobs.history_missing),
           Exit::no_answer);
    if (!jobs.has_unknown())
        return Exit::done;
    report(program, fmt::format("not known without the history: {}", unknown_text(jobs)), Exit::no_answer);
    return Exit::no_answer;
}

int run(const Program& program, const CommandLine& line)
{
    if (!line.words.empty())
        return usage_error(program, fmt::format("\"{}\" is one word too many; jobs are chosen with -j", escape_for_terminal(line.words[0])));
    if (line.has("format") && line.has("json"))
        return usage_error(program, "--format chooses the columns of a table, --json has them all");
    const auto columns = parse_format(line.last("format").value_or(std::string(default_columns)));
    if (!columns)
        return usage_error(program, "--format: " + columns.error().message);
    wire::Request request;
    if (auto ok = fill_query(*request.mutable_query_history(), line); !ok)
        return report_filter_error(program, ok.error());
    const auto jobs = ask_jobs(program.name, std::move(request));
    if (!jobs)
        return report(program, jobs.error());
    if (line.has("json"))
        fmt::print("{}", jobs_json(*jobs, wall_now()));
    else if (!jobs->details.empty() || !jobs->has_unknown())
        fmt::print("{}", render(job_table(StepRows(*jobs).rows(), *columns, wall_now()), standard_output_style()));
    return static_cast<int>(report_missing(program, *jobs));
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jacct",
        .summary = "Show what jobs did and used, ended ones too.",
        .usage = {"[OPTION]..."},
        .options = options,
        .notes = "Times are 08:00 (the last), today, 2026-11-21, 2026-11-21T08:00, the last with Z or an offset where it is not the\n"
                 "local time.",
    };
    return run_program(program, argc, argv, run);
}
