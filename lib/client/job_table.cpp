#include "client/job_table.hpp"

#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "base/units.hpp"
#include "client/id_list.hpp"
#include "client/job_text.hpp"
#include "client/state_text.hpp"
#include "wire/job_id.hpp"

#include <algorithm>
#include <charconv>

namespace jarvis::client {

namespace {

Cell text(std::string_view value) { return {escape_for_terminal(value), Colour::plain}; }
Cell plain(std::string value) { return {std::move(value), Colour::plain}; }
Cell number(auto value) { return plain(fmt::format("{}", value)); }
Cell nothing() { return plain("-"); }

Cell memory(std::int64_t bytes) { return bytes > 0 ? plain(format_memory_size(MemorySize{bytes})) : nothing(); }
Cell time(std::int64_t us) { return plain(format_wall_time(wall_time(us))); }

const wire::JobRequest* request(const JobRow& row)
{
    return row.detail && row.detail->has_request() ? &row.detail->request() : nullptr;
}

Cell from_request(const JobRow& row, const std::string& (wire::JobRequest::*field)() const)
{
    const auto* asked = request(row);
    return asked && !(asked->*field)().empty() ? text((asked->*field)()) : nothing();
}

Cell reason(const JobRow& row)
{
    const auto& why = row.summary->reason();
    if (!row.summary->has_reason())
        return plain("");
    return text(why.text().empty() ? why.code() : why.text());
}

// The nodes of a job that has some, and in brackets, as people know it from other queues, why it waits or went wrong.
Cell place(const JobRow& row)
{
    const auto& end = row.summary->end();
    const bool went_wrong = row.summary->has_end() && end.end_class() != static_cast<std::uint32_t>(EndClass::none);
    auto nodes = text(row.summary->nodes());
    const auto why = went_wrong ? escape_for_terminal(end.cause()) : reason(row).text;
    if (!why.empty())
        nodes.text += fmt::format("{}({})", nodes.text.empty() ? "" : " ", why);
    return nodes;
}

Cell left(const JobRow& row, WallTime now)
{
    const auto elapsed = elapsed_time(row, now);
    const auto& job = *row.summary;
    if (!elapsed || job.has_ended_us() || !job.has_time_limit_us())
        return nothing();
    return plain(format_duration(std::max(Duration(job.time_limit_us()) - *elapsed, Duration::zero())));
}

// An array that has lost tasks here and there would else fill its line with their numbers.
constexpr std::size_t longest_id = 16;

// "7", "7_3"; of a step "7.0".
std::string line_id(const JobRow& row)
{
    auto id = job_line_text(*row.summary, longest_id);
    return row.step ? fmt::format("{}.{}", id, *row.step) : id;
}

using Row = const JobRow&;

const JobColumn columns[] = {
    {"id", "JOB", "job id", Align::right, 0, false, [](Row row, WallTime) { return plain(line_id(row)); }},
    {"array", "ARRAY", "id of the array that it is of, else its own", Align::right, 0, false,
     [](Row row, WallTime) { return plain(array_text(*row.summary)); }},
    {"task", "TASK", "number in its array", Align::right, 0, false,
     [](Row row, WallTime) { return row.summary->has_task() ? number(row.summary->task()) : nothing(); }},
    {"name", "NAME", "name of the job", Align::left, 8, false, [](Row row, WallTime) { return text(row.summary->name()); }},
    {"user", "USER", "its owner", Align::left, 6, false, [](Row row, WallTime) { return text(row.summary->user()); }},
    {"uid", "UID", "its owner's number", Align::right, 0, false, [](Row row, WallTime) { return number(row.summary->uid()); }},
    {"partition", "PARTITION", "partition", Align::left, 6, false, [](Row row, WallTime) { return text(row.summary->partition()); }},
    {"state", "STATE", "state", Align::left, 0, false,
     [](Row row, WallTime) { return Cell{std::string(state_name(row.summary->state())), state_colour(row.summary->state())}; }},
    {"st", "ST", "state, short", Align::left, 0, false,
     [](Row row, WallTime) { return Cell{std::string(short_state_name(row.summary->state())), state_colour(row.summary->state())}; }},
    {"time", "TIME", "how long it has run", Align::right, 0, false,
     [](Row row, WallTime now) {
         const auto elapsed = elapsed_time(row, now);
         return elapsed ? plain(duration_text(*row.summary, *elapsed)) : nothing();
     }},
    {"limit", "LIMIT", "time limit", Align::right, 0, false, [](Row row, WallTime) { return plain(limit_text(*row.summary)); }},
    {"left", "LEFT", "time until the limit", Align::right, 0, false, left},
    {"cores", "CORES", "cores held or asked for", Align::right, 0, false,
     [](Row row, WallTime) { return number(row.summary->cores()); }},
    {"memory", "MEMORY", "memory held or asked for", Align::right, 0, false,
     [](Row row, WallTime) { return memory(row.summary->memory()); }},
    {"nodes", "NODES", "nodes, as a host list", Align::left, 8, false,
     [](Row row, WallTime) { return row.summary->nodes().empty() ? nothing() : text(row.summary->nodes()); }},
    {"nnodes", "NNODES", "number of nodes", Align::right, 0, false,
     [](Row row, WallTime) { return number(row.summary->node_count()); }},
    {"where", "NODES (REASON)", "nodes, and why it waits or went wrong", Align::left, 8, false, [](Row row, WallTime) { return place(row); }},
    {"reason", "REASON", "why it waits", Align::left, 8, false, [](Row row, WallTime) { return reason(row); }},
    {"submitted", "SUBMITTED", "when it was submitted", Align::left, 0, false,
     [](Row row, WallTime) { return time(row.summary->submitted_us()); }},
    {"started", "STARTED", "when it started", Align::left, 0, false,
     [](Row row, WallTime) { return row.summary->has_started_us() ? time(row.summary->started_us()) : nothing(); }},
    {"ended", "ENDED", "when it ended", Align::left, 0, false,
     [](Row row, WallTime) { return row.summary->has_ended_us() ? time(row.summary->ended_us()) : nothing(); }},
    {"exit", "EXIT", "exit code, or the signal that ended it", Align::right, 0, false,
     [](Row row, WallTime) { return row.summary->has_end() ? text(exit_text(row.summary->end())) : nothing(); }},
    {"class", "CLASS", "who has to act on its end: user, resources, node, system", Align::left, 0, false,
     [](Row row, WallTime) {
         const auto& end = row.summary->end();
         const bool known = end.end_class() > 0 && end.end_class() <= static_cast<std::uint32_t>(EndClass::system);
         return known ? plain(std::string(name(static_cast<EndClass>(end.end_class())))) : nothing();
     }},
    {"cause", "CAUSE", "why it ended, in words", Align::left, 8, false,
     [](Row row, WallTime) { return row.summary->end().cause().empty() ? nothing() : text(row.summary->end().cause()); }},
    {"cpu_time", "CPU TIME", "processor time used", Align::right, 0, false,
     [](Row row, WallTime) {
         const auto& usage = row.summary->usage();
         return row.summary->has_usage() ? plain(duration_text(*row.summary, Duration(usage.cpu_user_us() + usage.cpu_system_us())))
                                         : nothing();
     }},
    {"memory_peak", "PEAK", "most memory that it held, where known", Align::right, 0, false,
     [](Row row, WallTime) { return memory(row.summary->usage().memory_peak()); }},
    {"priority", "PRIORITY", "higher runs sooner", Align::right, 0, false,
     [](Row row, WallTime) { return number(row.summary->priority()); }},
    {"restarts", "RESTARTS", "how often it was requeued after a start", Align::right, 0, false,
     [](Row row, WallTime) { return number(row.summary->incarnation() > 0 ? row.summary->incarnation() - 1 : 0); }},
    {"tasks", "TASKS", "tasks asked for", Align::right, 0, true,
     [](Row row, WallTime) { return request(row) ? number(request(row)->resources().tasks()) : nothing(); }},
    {"dependency", "DEPENDENCY", "jobs that it still waits for", Align::left, 8, true,
     [](Row row, WallTime) {
         return row.detail && !row.detail->dependency().empty() ? text(row.detail->dependency()) : nothing();
     }},
    {"folder", "FOLDER", "folder that it runs in", Align::left, 8, true,
     [](Row row, WallTime) { return from_request(row, &wire::JobRequest::working_directory); }},
    {"output", "OUTPUT", "file of its standard output", Align::left, 8, true,
     [](Row row, WallTime) {
         return row.detail && !row.detail->output_path().empty() ? text(row.detail->output_path())
                                                                 : from_request(row, &wire::JobRequest::output);
     }},
    {"host", "HOST", "where it was submitted", Align::left, 6, true,
     [](Row row, WallTime) { return from_request(row, &wire::JobRequest::submit_host); }},
    {"comment", "COMMENT", "the comment given at submit", Align::left, 8, true,
     [](Row row, WallTime) { return from_request(row, &wire::JobRequest::comment); }},
};

} // namespace

WallTime wall_time(std::int64_t us) { return WallTime(std::chrono::microseconds(us)); }

std::vector<JobRow> rows_of(const Jobs& jobs)
{
    std::vector<JobRow> rows;
    for (const auto& summary : jobs.summaries)
        rows.push_back({&summary, nullptr});
    for (const auto& detail : jobs.details) {
        auto& row = rows.emplace_back(&detail.summary(), &detail);
        const auto steps = jobs.steps.find({wire::job_id_in(detail.summary()), detail.summary().incarnation()});
        if (steps != jobs.steps.end())
            row.steps = steps->second;
    }
    return rows;
}

std::span<const JobColumn> job_columns() { return columns; }

std::string column_names()
{
    std::vector<std::string_view> names;
    for (const auto& column : columns)
        names.push_back(column.name);
    return fmt::format("{}", fmt::join(names, " "));
}

Result<std::vector<ChosenColumn>> parse_format(std::string_view format)
{
    constexpr std::size_t most_width = 1000;
    const auto parts = split_list(format, "column");
    if (!parts)
        return std::unexpected(parts.error());
    std::vector<std::string_view> known;
    for (const auto& column : columns)
        known.push_back(column.name);
    std::vector<ChosenColumn> chosen;
    for (const auto& part : *parts) {
        const auto colon = part.find(':');
        const auto name = part.substr(0, colon);
        const auto* column = std::find_if(std::begin(columns), std::end(columns), [&](const auto& one) { return one.name == name; });
        if (column == std::end(columns))
            return fail(Errc::invalid, "unknown column \"{}\"{}; known are {}", escape_for_terminal(name), did_you_mean(name, known),
                        column_names());
        std::size_t width = 0;
        if (colon != std::string::npos) {
            const char* end = part.data() + part.size();
            const auto [rest, error] = std::from_chars(part.data() + colon + 1, end, width);
            if (error != std::errc() || rest != end || width == 0 || width > most_width)
                return fail(Errc::invalid, "expected a width from 1 to {} in \"{}\"", most_width, escape_for_terminal(part));
        }
        chosen.push_back({column, width});
    }
    return chosen;
}

bool needs_detail(std::span<const ChosenColumn> chosen)
{
    return std::any_of(chosen.begin(), chosen.end(), [](const auto& one) { return one.column->needs_detail; });
}

JobTable::JobTable(std::span<const ChosenColumn> columns_chosen, WallTime now) : chosen_(columns_chosen), now_(now)
{
    for (const auto& one : chosen_)
        table_.columns.push_back({std::string(one.column->title), one.column->align, one.width, one.width > 0 ? 0 : one.column->least});
}

void JobTable::add(const JobRow& row)
{
    cells_.clear();
    for (const auto& one : chosen_)
        cells_.push_back(one.column->cell(row, now_));
    table_.rows.push_back(cells_);
}

void JobTable::add(const wire::JobList& part)
{
    for (const auto& summary : part.summaries())
        add({&summary, nullptr});
    for (const auto& detail : part.details())
        add({&detail.summary(), &detail});
}

Table job_table(std::span<const JobRow> rows, std::span<const ChosenColumn> chosen, WallTime now)
{
    JobTable table(chosen, now);
    for (const auto& row : rows)
        table.add(row);
    return table.table();
}

std::optional<Duration> elapsed_time(const JobRow& row, WallTime now)
{
    const auto& job = *row.summary;
    if (row.detail && row.detail->elapsed_us() > 0)
        return Duration(row.detail->elapsed_us());
    if (job.has_usage() && job.usage().elapsed_us() > 0)
        return Duration(job.usage().elapsed_us());
    if (!job.has_started_us())
        return {};
    const auto end = job.has_ended_us() ? wall_time(job.ended_us()) : now;
    return std::max(Duration(end - wall_time(job.started_us())), Duration::zero()); // clocks may differ
}

std::string duration_text(const wire::JobSummary& job, Duration duration)
{
    constexpr std::chrono::milliseconds half_a_second{500};
    return format_duration(job.has_ended_us() ? duration + half_a_second : duration);
}

std::string exit_text(const wire::JobEnd& end)
{
    if (end.has_exit_code())
        return fmt::format("{}", end.exit_code());
    return end.signal() > 0 ? signal_name(end.signal()) : "-";
}

std::string limit_text(const wire::JobSummary& summary)
{
    if (!summary.has_time_limit_us() || Duration(summary.time_limit_us()) >= max_duration)
        return format_time_limit({});
    return format_duration(Duration(summary.time_limit_us()));
}

} // namespace jarvis::client
