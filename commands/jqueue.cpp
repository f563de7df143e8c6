// jqueue, also called jq: shows the queue.
#include "base/escape.hpp"
#include "client/handover.hpp"
#include "client/job_table.hpp"
#include "client/json.hpp"
#include "client/listing.hpp"
#include "client/query.hpp"
#include "client/submit.hpp"
#include "client/watch.hpp"
#include "wire/clocks.hpp"

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr std::string_view default_columns = "id,name,user,partition,st,time,cores,memory,where";

constexpr Option options[] = {
    {'j', "jobs", "IDS", "these jobs only: 7,9-12, tasks of arrays 7_3 or 7_[1-4]; ended ones too, as long as the controller knows them"},
    {'u', "user", "USERS", "jobs of these users only (names or numbers)"},
    {'p', "partition", "NAMES", "jobs in these partitions only"},
    {'t', "states", "STATES", "jobs in these states only: PENDING or PD, R, S, CG, CD, F, CA, TO, OOM, NF, PR; \"all\" shows the ended "
                              "ones too (default: all that have not ended)"},
    {'w', "watch", "", "show it again every two seconds, in place, until interrupted"},
    {'l', "long", "", "everything about each job: placement, reason, request, paths"},
    {0, "format", "COLUMNS", "columns to show, each with a width if it is to be cut: id,name:20,state"},
    {0, "request", "ID", "the job that came of this submit, by the request id that jsub printed"},
    {0, "json", "", "print JSON (schema jarvis.jobs/1); with -l everything about each job"},
};

struct View {
    wire::QueryJobs query;
    std::vector<ChosenColumn> columns;
    bool json = false;
    bool listing = false;
    std::string request_id; // as typed
};

Result<void> fill_filter(View& view, const CommandLine& line)
{
    auto& filter = *view.query.mutable_filter();
    bool ended = false;
    if (auto ok = filter_ids(filter, line.all("jobs")); !ok)
        return ok;
    if (auto ok = filter_users(filter, line.all("user")); !ok)
        return ok;
    if (auto ok = filter_partitions(filter, line.all("partition")); !ok)
        return ok;
    if (auto ok = filter_states(filter, line.all("states"), ended); !ok)
        return ok;
    if (const auto typed = line.last("request")) {
        const auto id = parse_request_id(*typed);
        if (!id)
            return std::unexpected(id.error());
        filter.set_request_id(*id);
        view.request_id = *typed;
        ended = true;
    }
    view.query.set_include_ended(ended || filter.ids_size() > 0 || filter.selections_size() > 0);
    return {};
}

Result<View> read_view(const CommandLine& line)
{
    View view;
    view.json = line.has("json");
    view.listing = line.has("long");
    if (auto ok = fill_filter(view, line); !ok)
        return std::unexpected(ok.error());
    auto columns = parse_format(line.last("format").value_or(std::string(default_columns)));
    if (!columns)
        return fail(columns.error(), "--format");
    view.columns = std::move(*columns);
    view.query.set_detail(view.listing || needs_detail(view.columns));
    return view;
}

// What the controller said, as text, and what of it is left to be reported.
struct Shown {
    std::string text;
    bool nothing = false; // there are no such jobs
    Jobs rest;
};

Result<Shown> show_table(const Program& program, const View& view, wire::Request request, const Style& style)
{
    JobTable table(view.columns, wall_now());
    bool nothing = true;
    auto rest = ask_jobs(program.name, std::move(request), [&](const wire::JobList& part) {
        nothing = nothing && part.summaries().empty() && part.details().empty();
        table.add(part);
    });
    if (!rest)
        return std::unexpected(rest.error());
    return Shown{render(table.table(), style), nothing, std::move(*rest)};
}

Result<Shown> show(const Program& program, const View& view, const Style& style)
{
    wire::Request request;
    *request.mutable_query_jobs() = view.query;
    if (!view.json && !view.listing)
        return show_table(program, view, std::move(request), style);
    auto jobs = ask_jobs(program.name, std::move(request));
    if (!jobs)
        return std::unexpected(jobs.error());
    const auto now = wall_now();
    Shown shown{.text = {}, .nothing = jobs->summaries.empty() && jobs->details.empty(), .rest = {}};
    if (view.json)
        shown.text = jobs_json(*jobs, now);
    else
        for (const auto& job : jobs->details)
            shown.text += (shown.text.empty() ? "" : "\n") + job_listing(job, now, style);
    shown.rest = std::move(*jobs);
    return shown;
}

int show_once(const Program& program, const View& view)
{
    const auto shown = show(program, view, standard_output_style());
    if (!shown)
        return report(program, shown.error());
    const bool not_found = shown->nothing && (!view.request_id.empty() || shown->rest.has_unknown());
    if (!not_found || view.json)
        fmt::print("{}", shown->text);
    if (not_found && !view.request_id.empty())
        return report(program, fmt::format("no job came of request {}", view.request_id), Exit::not_found);
    return static_cast<int>(report_unknown(program, shown->rest));
}

int run(const Program& program, const CommandLine& line)
{
    if (!line.words.empty())
        return usage_error(program, fmt::format("\"{}\" is one word too many; jobs are chosen with -j", escape_for_terminal(line.words[0])));
    if (line.has("format") && (line.has("json") || line.has("long")))
        return usage_error(program, "--format chooses the columns of a table: it goes with neither --json nor --long");
    const auto view = read_view(line);
    if (!view)
        return report_filter_error(program, view.error());
    if (!line.has("watch"))
        return show_once(program, *view);
    if (view->json)
        return usage_error(program, "--watch is for people, --json for programs");
    return watch([&](const Style& style) -> std::string {
        const auto shown = show(program, *view, style);
        return shown ? shown->text : fmt::format("{}: {}\n", program.name, shown.error().message);
    });
}

} // namespace

int main(int argc, char** argv)
{
    const std::string_view called = argc > 0 ? argv[0] : "jqueue";
    const bool as_jq = called.substr(called.rfind('/') + 1) == "jq";
    const Program program{
        .name = as_jq ? "jq" : "jqueue",
        .summary = "Show the jobs that wait and run.",
        .usage = {"[OPTION]..."},
        .options = options,
        .notes = "Called as jq with what only the JSON processor jq understands (a filter such as .a, its options, -j without a\n"
                 "list of job ids), it runs the next jq on PATH. jqueue never does.",
    };
    if (as_jq) {
        const auto all = all_options(program);
        const std::vector<std::string> words(argv + 1, argv + argc);
        if (meant_for_json_processor(all, words))
            return hand_over(argv);
    }
    return run_program(program, argc, argv, run);
}
