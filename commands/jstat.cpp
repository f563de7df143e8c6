// jstat: what a running job uses, as it runs.
#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/job_text.hpp"
#include "client/live_usage.hpp"
#include "client/node_questions.hpp"
#include "client/query.hpp"
#include "client/state_text.hpp"
#include "client/watch.hpp"
#include "wire/clocks.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <thread>

using namespace jarvis;
using namespace jarvis::client;

namespace {

using namespace std::chrono_literals;

constexpr Option options[] = {
    {'i', "interval", "TIME", "the time between samples (default: 2s)"},
    {'n', "count", "N", "end after so many samples"},
    {0, "once", "", "one sample: --count=1"},
    {0, "json", "", "print JSON, a line for each sample (schema jarvis.usage/1)"},
};

// The first figures come after so long, since they are of two samples.
constexpr std::chrono::milliseconds first_pause = 1s;
constexpr std::chrono::milliseconds shortest = 100ms;

struct Settings {
    std::chrono::milliseconds interval = 2s;
    std::uint64_t count = 0; // 0: until the job ends
    bool json = false;
};

// As with sleep(1) and watch(1), a plain number is seconds here, also "0.5".
Result<std::chrono::milliseconds> interval_from(const std::string& text)
{
    constexpr double longest = 86400;
    double seconds = 0;
    const auto* end = text.data() + text.size();
    if (const auto read = std::from_chars(text.data(), end, seconds, std::chars_format::fixed); read.ec == std::errc{} && read.ptr == end) {
        if (!(seconds >= 0 && seconds <= longest))
            return fail(Errc::invalid, "between 0 and a day");
        return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
    }
    const auto interval = parse_duration(text);
    if (!interval)
        return std::unexpected(interval.error());
    return std::chrono::duration_cast<std::chrono::milliseconds>(*interval);
}

Result<Settings> settings_from(const CommandLine& line)
{
    Settings settings{.json = line.has("json")};
    if (const auto text = line.last("interval")) {
        const auto interval = interval_from(*text);
        if (!interval)
            return fail(interval.error(), "--interval");
        settings.interval = *interval;
        if (settings.interval < shortest)
            return fail(Errc::invalid, "--interval: at least {} ms", shortest.count());
    }
    if (line.has("once") && line.has("count"))
        return fail(Errc::invalid, "--once and --count exclude each other");
    if (line.has("once"))
        settings.count = 1;
    if (const auto text = line.last("count")) {
        const auto* end = text->data() + text->size();
        if (std::from_chars(text->data(), end, settings.count).ptr != end || settings.count == 0)
            return fail(Errc::invalid, "--count: expected a number above 0, found \"{}\"", escape_for_terminal(*text));
    }
    return settings;
}

// A job, or a task of an array.
Result<wire::JobFilter> filter_of_one(const std::string& word)
{
    wire::JobFilter filter;
    if (auto read = filter_ids(filter, {&word, 1}); !read)
        return std::unexpected(read.error());
    const bool one_job = filter.ids_size() == 1 && filter.selections_size() == 0;
    const bool one_task = filter.ids_size() == 0 && filter.selections_size() == 1 && filter.selections(0).tasks().first_size() == 1 &&
                          filter.selections(0).tasks().first(0) == filter.selections(0).tasks().last(0);
    if (!one_job && !one_task)
        return fail(Errc::invalid, "\"{}\": one job at a time", escape_for_terminal(word));
    return filter;
}

// The job as it is now. What does not run cannot be looked at.
Result<wire::JobDetail> find_running(Session& session, const wire::JobFilter& filter, const std::string& word)
{
    wire::Request request;
    request.mutable_query_jobs()->set_detail(true);
    *request.mutable_query_jobs()->mutable_filter() = filter;
    auto jobs = ask_jobs(session, std::move(request));
    if (!jobs)
        return std::unexpected(jobs.error());
    if (jobs->details.empty())
        return fail(Errc::not_found, "no such job: {} (ended jobs are in jacct)", escape_for_terminal(word));
    if (jobs->details.size() > 1 || jobs->details.front().request().has_array())
        if (filter.selections_size() == 0) {
            std::string running;
            for (const auto& detail : jobs->details)
                if (holds_resources(state_of(detail.summary().state()).value_or(JobState::failed)))
                    running += (running.empty() ? "" : ",") + job_id_text(detail.summary());
            return fail(Errc::invalid, "{} is an array: name one of its tasks; {}", escape_for_terminal(word),
                        running.empty() ? "none of them is running" : "these are running: " + running);
        }
    auto& job = jobs->details.front();
    if (const auto state = state_of(job.summary().state()); !state || !holds_resources(*state))
        return fail(Errc::invalid, "job {} is not running: it is {}{}", escape_for_terminal(word), state_name(job.summary().state()),
                    state && is_final(*state) ? " (jeff shows what it used)" : "");
    return std::move(job);
}

// Asks and asks again; keeps the sample before.
class Sampler {
    Session& session_;
    wire::JobFilter filter_;
    std::string word_;
    wire::NodeAnswers before_;

public:
    Sampler(Session& session, wire::JobFilter filter, std::string word)
        : session_(session), filter_(std::move(filter)), word_(std::move(word))
    {}

    struct Sample {
        wire::JobDetail job;
        LiveUsage usage;
    };
    Result<Sample> next()
    {
        auto job = find_running(session_, filter_, word_);
        if (!job)
            return std::unexpected(job.error());
        auto answers = ask_usage(session_, job->summary());
        if (!answers)
            return std::unexpected(answers.error());
        auto usage = live_usage(*job, before_, *answers);
        before_ = std::move(*answers);
        return Sample{std::move(*job), std::move(usage)};
    }
};

bool all_failed(const LiveUsage& usage)
{
    return std::all_of(usage.nodes.begin(), usage.nodes.end(), [](const LiveNode& node) { return !node.error.empty(); });
}

void say_errors(const Program& program, const LiveUsage& usage)
{
    for (const auto& node : usage.nodes)
        if (!node.error.empty())
            report(program, escape_for_terminal(node.error), Exit::no_answer);
}

// What this node cannot tell is said once, apart from the figures.
void say_notes(const Program& program, const LiveUsage& usage)
{
    std::vector<std::string> said;
    for (const auto& node : usage.nodes)
        for (const auto& note : node.notes)
            if (std::find(said.begin(), said.end(), note) == said.end()) {
                said.push_back(note);
                fmt::print(stderr, "{}: note: node {}: {}\n", program.name, escape_for_terminal(node.name), escape_for_terminal(note));
            }
}

int show(const Program& program, const Settings& settings, Sampler& sampler, Sampler::Sample sample)
{
    std::optional<Error> end;
    std::uint64_t shown = 0;
    const auto next = [&] {
        auto got = sampler.next();
        if (!got)
            end = got.error();
        else
            sample = std::move(*got);
        return got.has_value();
    };
    std::this_thread::sleep_for(std::min(first_pause, settings.interval));
    const auto style = standard_output_style();
    int code = 0;
    if (style.terminal && !settings.json && settings.count != 1) {
        code = watch(
            [&](const Style& now) -> std::optional<std::string> {
                if ((settings.count > 0 && shown == settings.count) || !next())
                    return std::nullopt;
                ++shown;
                return live_screen(sample.job, sample.usage, now);
            },
            settings.interval);
    } else {
        while ((settings.count == 0 || shown < settings.count) && next()) {
            if (settings.json)
                fmt::print("{}", live_json(sample.job, sample.usage, wall_now()));
            else if (style.terminal)
                fmt::print("{}", live_screen(sample.job, sample.usage, style));
            else
                fmt::print("{}", live_lines(sample.job, sample.usage, shown == 0));
            if (!settings.json && !style.terminal) {
                say_errors(program, sample.usage);
                if (shown == 0)
                    say_notes(program, sample.usage);
            }
            ++shown;
            if (std::fflush(stdout) != 0)
                return 0;
            if (settings.count == 0 || shown < settings.count)
                std::this_thread::sleep_for(settings.interval);
        }
    }
    // That a job ends while it is watched is no failure.
    if (end && (shown == 0 || end->code != Errc::invalid))
        return report(program, *end);
    if (end)
        fmt::print(stderr, "{}: {}\n", program.name, end->message);
    if (shown > 0 && all_failed(sample.usage))
        return static_cast<int>(Exit::no_answer);
    return code;
}

int run(const Program& program, const CommandLine& line)
{
    if (line.words.size() != 1)
        return usage_error(program, line.words.empty() ? "which job?" : "one job at a time");
    const auto settings = settings_from(line);
    if (!settings)
        return usage_error(program, settings.error().message);
    auto filter = filter_of_one(line.words[0]);
    if (!filter)
        return usage_error(program, filter.error().message);
    auto session = Session::open(program.name);
    if (!session)
        return report(program, session.error());
    Sampler sampler(*session, std::move(*filter), line.words[0]);
    auto first = sampler.next();
    if (!first)
        return report(program, first.error());
    if (all_failed(first->usage)) {
        say_errors(program, first->usage);
        return static_cast<int>(Exit::no_answer);
    }
    return show(program, *settings, sampler, std::move(*first));
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jstat",
        .summary = "Show what a running job uses: processors, memory, disks, and what it waits for.",
        .usage = {"[OPTION]... JOB"},
        .options = options,
        .notes = "JOB is a number, of an array's task 7_3. On a terminal the figures are drawn again and again, until the job ends or\n"
                 "Ctrl-C; elsewhere each sample is a line for each node. jeff shows what a job used that has ended.",
    };
    return run_program(program, argc, argv, run);
}
