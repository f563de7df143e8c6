#include "client/submit_options.hpp"

#include "base/escape.hpp"
#include "base/hostlist.hpp"
#include "base/nearest.hpp"
#include "base/units.hpp"
#include "client/directives.hpp"
#include "client/id_list.hpp"
#include "client/option_values.hpp"
#include "client/placement_options.hpp"
#include "model/constraint.hpp"
#include "model/output_pattern.hpp"
#include "wire/limits.hpp"

#include <algorithm>
#include <array>

namespace jarvis::client {

namespace {

Result<void> store_memory(const std::string& text, std::optional<MemorySize>& place)
{
    auto size = parse_memory_size(text);
    if (size && size->bytes == 0)
        return fail(Errc::invalid, "expected a size above 0, found \"{}\"", escape_for_terminal(text));
    return store(std::move(size), place);
}

Result<void> store_pattern(const std::string& text, InternedText& place)
{
    if (text.empty())
        return fail(Errc::invalid, "the path is empty");
    if (auto good = check_output_pattern(text); !good)
        return good;
    place = text;
    return {};
}

Result<void> store_path(const std::string& text, std::string& place)
{
    if (text.empty())
        return fail(Errc::invalid, "the path is empty");
    place = text;
    return {};
}

// A name stands in lists and mails; the controller refuses the same ones.
Result<void> store_name(const std::string& text, auto& place)
{
    if (text.empty())
        return fail(Errc::invalid, "the name is empty");
    if (std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        return fail(Errc::invalid, "a name has no control characters, found \"{}\"", escape_for_terminal(text));
    place = text;
    return {};
}

// --- one function for each option that needs more than a line ---

// A job's name becomes part of file names too.
Result<void> set_job_name(SubmitOptions& options, const std::string& text, WallTime)
{
    if (!is_utf8(text))
        return fail(Errc::invalid, "a job's name is UTF-8, found \"{}\"", escape_for_terminal(text));
    return store_name(text, options.submitted.request.name);
}

Result<void> set_time(SubmitOptions& options, const std::string& text, WallTime)
{
    const auto limit = parse_time_limit(text);
    if (!limit)
        return std::unexpected(limit.error());
    if (*limit == Duration{})
        return fail(Errc::invalid, "a time limit must be above 0; without any it is \"unlimited\"");
    // Absent means the partition's default, so "unlimited" is asked for as the longest duration there is.
    options.submitted.request.time_limit = limit->value_or(max_duration);
    return {};
}

Result<void> set_open_mode(SubmitOptions& options, const std::string& text, WallTime)
{
    if (text == "append" || text == "a")
        options.submitted.request.open_mode = OpenMode::append;
    else if (text == "truncate" || text == "t")
        options.submitted.request.open_mode = OpenMode::truncate;
    else
        return fail(Errc::invalid, "expected append or truncate, found \"{}\"", escape_for_terminal(text));
    return {};
}

Result<void> set_oom(SubmitOptions& options, const std::string& text, WallTime)
{
    if (text != "kill" && text != "continue")
        return fail(Errc::invalid, "expected kill or continue, found \"{}\"", escape_for_terminal(text));
    options.submitted.request.continue_after_oom = text == "continue";
    return {};
}

// [B:]SIG[@SECONDS]
Result<void> set_signal(SubmitOptions& options, const std::string& text, WallTime)
{
    constexpr std::int64_t default_seconds = 60, most_seconds = 7 * 24 * 3600;
    std::string_view rest(text);
    WarningSignal warning;
    warning.batch_only = rest.starts_with("B:");
    if (warning.batch_only)
        rest.remove_prefix(2);
    const auto at = rest.find('@');
    const auto signal = parse_signal(rest.substr(0, at));
    if (!signal)
        return std::unexpected(signal.error());
    warning.signal = *signal;
    warning.before = std::chrono::seconds(default_seconds);
    if (at != std::string_view::npos) {
        const auto seconds = parse_number(std::string(rest.substr(at + 1)), 1, most_seconds);
        if (!seconds)
            return fail(seconds.error(), "seconds after @");
        warning.before = std::chrono::seconds(*seconds);
    }
    options.submitted.request.warning = warning;
    return {};
}

Result<void> set_mail_type(SubmitOptions& options, const std::string& text, WallTime)
{
    constexpr std::array<std::string_view, 6> known{"NONE", "ALL", "BEGIN", "END", "FAIL", "REQUEUE"};
    const auto parts = split_list(text, "mail type");
    if (!parts)
        return std::unexpected(parts.error());
    std::string types;
    for (const auto& part : *parts) {
        const auto type = upper(part);
        if (std::find(known.begin(), known.end(), type) == known.end())
            return fail(Errc::invalid, "unknown mail type \"{}\"{}; known are {}", escape_for_terminal(part), did_you_mean(type, known),
                        fmt::join(known, " "));
        types += (types.empty() ? "" : ",") + type;
    }
    options.submitted.request.mail_type = types;
    return {};
}

// MIN, or MIN-MAX
Result<void> set_nodes(SubmitOptions& options, const std::string& text, WallTime)
{
    auto& resources = options.submitted.request.resources;
    const auto dash = text.find('-', 1);
    std::uint32_t least = 0, most = 0;
    if (auto ok = set_count(least, text.substr(0, dash), wire::limits::nodes); !ok)
        return ok;
    most = least;
    if (dash != std::string::npos)
        if (auto ok = set_count(most, text.substr(dash + 1), wire::limits::nodes); !ok)
            return ok;
    if (most < least)
        return fail(Errc::invalid, "{}-{} nodes: the first number is the smaller one", least, most);
    resources.nodes_min = least;
    resources.nodes_max = most;
    return {};
}

Result<void> set_constraint(SubmitOptions& options, const std::string& text, WallTime)
{
    const auto constraint = parse_constraint(text);
    if (!constraint)
        return std::unexpected(constraint.error());
    options.submitted.request.constraint = format_constraint(*constraint);
    return {};
}

// 0 takes a directive's back.
Result<void> set_retry(SubmitOptions& options, const std::string& text, WallTime)
{
    auto rule = parse_retry(text);
    if (!rule)
        return std::unexpected(rule.error());
    options.submitted.request.retry.reset();
    if (rule->times != 0)
        options.submitted.request.retry = std::move(*rule);
    return {};
}

// Without --ntasks: one task on each node, or as many as --ntasks-per-node says.
Result<void> count_tasks(SubmitOptions& options)
{
    auto& resources = options.submitted.request.resources;
    if (options.tasks_given)
        return {};
    const auto tasks = std::uint64_t{std::max(resources.nodes_min, 1u)} * std::max(resources.tasks_per_node, 1u);
    if (tasks > wire::limits::tasks)
        return fail(Errc::invalid, "{} nodes with {} tasks each are {} tasks; at most {} are possible", resources.nodes_min,
                    resources.tasks_per_node, tasks, wire::limits::tasks);
    resources.tasks = static_cast<std::uint32_t>(tasks);
    return {};
}

using Options = SubmitOptions&;
using Text = const std::string&;

// Before the options about placement, and after them.
const SubmitOption first_options[] = {
    {{'J', "job-name", "NAME", "name of the job (default: the script's file name)"}, false, set_job_name},
    {{'p', "partition", "NAME", "partition to run in (default: the cluster's default partition)"}, false,
     [](Options o, Text text, WallTime) { return store_name(text, o.submitted.request.partition); }},
    {{'n', "ntasks", "N", "number of tasks (default: 1)"}, false,
     [](Options o, Text text, WallTime) {
         o.tasks_given = true;
         return set_count(o.submitted.request.resources.tasks, text, wire::limits::tasks);
     }, "a number such as 4"},
    {{'N', "nodes", "MIN[-MAX]", "number of nodes, or from MIN to MAX of them (default: as many as the tasks take)"}, false, set_nodes,
     "a number such as 4 or 2-4"},
    {{0, "ntasks-per-node", "N", "at most so many tasks on one node; without -n, so many on each"}, false,
     [](Options o, Text text, WallTime) {
         return set_count(o.submitted.request.resources.tasks_per_node, text, wire::limits::tasks);
     }, "a number such as 2"},
    {{'c', "cpus-per-task", "N", "cores for each task, with all their hardware threads (default: 1)"}, false,
     [](Options o, Text text, WallTime) {
         return set_count(o.submitted.request.resources.cpus_per_task, text, wire::limits::cpus_per_task);
     }, "a number such as 2"},
    {{0, "mem", "SIZE", "memory on each node: 512M, 4G; a plain number is MiB"}, false,
     [](Options o, Text text, WallTime) {
         o.submitted.request.resources.memory_per_cpu.reset();
         return store_memory(text, o.submitted.request.resources.memory_per_node);
     }, "a size such as 4G"},
    {{0, "mem-per-cpu", "SIZE", "memory for each core, instead of --mem"}, false,
     [](Options o, Text text, WallTime) {
         o.submitted.request.resources.memory_per_node.reset();
         return store_memory(text, o.submitted.request.resources.memory_per_cpu);
     }, "a size such as 2G"},
    {{'t', "time", "TIME", "time limit: 30m, 2h, 1d, HH:MM:SS, D-HH:MM; a plain number is minutes; \"unlimited\""}, false, set_time,
     "a time such as 2h"},
    {{'o', "output", "PATTERN", "file for standard output (default: jarvis-%j.out); %j job id, %x job name, %u user, %A array job "
                                "id, %a array index, %N first node, %% a percent sign"}, false,
     [](Options o, Text text, WallTime) { return store_pattern(text, o.submitted.request.output); },
     "a path such as run-%j.out"},
    {{'e', "error", "PATTERN", "file for standard error (default: with standard output)"}, false,
     [](Options o, Text text, WallTime) { return store_pattern(text, o.submitted.request.error); }, "a path such as run-%j.err"},
    {{'i', "input", "PATTERN", "file for standard input (default: /dev/null)"}, false,
     [](Options o, Text text, WallTime) { return store_pattern(text, o.submitted.request.input); }, "a path such as data.txt"},
    {{0, "open-mode", "MODE", "append or truncate the output files (default: truncate at the first start, append after a requeue)"},
     false, set_open_mode, "append or truncate"},
    {{0, "oom", "WHAT", "when memory runs out: kill (default: the job ends as OUT_OF_MEMORY) or continue (without the process that was killed)"},
     false, set_oom, "kill or continue"},
    {{'D', "chdir", "FOLDER", "folder to run in (default: the one that the job is submitted from)"}, false,
     [](Options o, Text text, WallTime) { return store_path(text, o.chdir); }},
    {{0, "export", "LIST", "variables that the job gets: ALL (default), NONE, or NAME[=VALUE],...; ALL can be one of a list"}, false,
     [](Options o, Text text, WallTime) { return store(parse_export(text), o.exported); },
     "a list such as ALL or HOME,PATH"},
    {{0, "propagate", "LIST", "resource limits taken from here: ALL, NONE (default), or names such as NOFILE,STACK"}, false,
     [](Options o, Text text, WallTime) { return store(parse_propagate(text), o.propagated); },
     "a list such as ALL or NOFILE,CORE"},
    {{'H', "hold", "", "wait until jrelease lets the job go"}, false,
     [](Options o, Text, WallTime) -> Result<void> { o.submitted.request.hold = true; return {}; }},
    {{0, "begin", "TIME", "not before: 16:00, tomorrow, now+2h, 2026-11-21T08:00"}, false,
     [](Options o, Text text, WallTime now) { return store(parse_wall_time(text, now), o.submitted.request.begin); },
     "a time such as 16:00"},
    {{0, "nice", "N", "run later than others (N above 0), or sooner (below 0, operators only)"}, false,
     [](Options o, Text text, WallTime) {
         return store(parse_number(text, -wire::limits::nice, wire::limits::nice), o.submitted.request.nice);
     }, "a number such as 10"},
    {{'w', "nodelist", "NODES", "nodes that must be among the job's: n[1-4],n7"}, false,
     [](Options o, Text text, WallTime) { return store(expand_hostlist(text), o.submitted.request.node_list); },
     "a list such as n[1-4],n7"},
    {{'x', "exclude", "NODES", "nodes that must not be among them"}, false,
     [](Options o, Text text, WallTime) { return store(expand_hostlist(text), o.submitted.request.exclude); },
     "a list such as n[1-4],n7"},
    {{'C', "constraint", "FEATURES", "features that each node must have: ib&(rack1|rack2); rack1*2&rack2*4 for so many nodes with each"},
     false, set_constraint, "features such as ib&fast"},
    {{0, "contiguous", "", "nodes that follow each other"}, false,
     [](Options o, Text, WallTime) -> Result<void> { o.submitted.request.resources.contiguous = true; return {}; }},
};
const SubmitOption last_options[] = {
    {{'a', "array", "TASKS", "run the script once for each number: 0-99, 0-99:2, 1,5,9; with %10 behind it at most 10 at once"}, false,
     [](Options o, Text text, WallTime) { return store(parse_array_spec(text), o.submitted.request.array); },
     "numbers such as 0-99"},
    {{'d', "dependency", "LIST", "start after other jobs: afterok:7:8,after:9+10m,singleton; after, afterok, afterany, afternotok, "
                                 "aftercorr; with ? instead of the comma one of them is enough"}, false,
     [](Options o, Text text, WallTime) { return store(parse_dependencies(text), o.submitted.request.dependencies); },
     "a list such as afterok:7"},
    {{0, "kill-on-invalid-dep", "", "cancel the job when its dependency can never be met (default: it waits, and jq says so)"}, false,
     [](Options o, Text, WallTime) -> Result<void> { o.submitted.request.kill_on_invalid_dependency = true; return {}; }},
    {{0, "retry", "N[,backoff=A..B][,on=CAUSES]", "run again after a failure, up to N times, after pauses from A to B (default: 30s..10m); "
                                              "causes: node_fail|timeout|signal|out_of_memory|system|exit:3-5 (default: all failures)"},
     false, set_retry,
     "a number such as 3"},
    {{0, "requeue", "", "run again from the start when a node fails"}, false,
     [](Options o, Text, WallTime) -> Result<void> { o.submitted.requeue = true; return {}; }},
    {{0, "no-requeue", "", "end as NODE_FAIL when a node fails"}, false,
     [](Options o, Text, WallTime) -> Result<void> { o.submitted.requeue = false; return {}; }},
    {{0, "signal", "[B:]SIG[@SECONDS]", "signal to send so long before the time limit (default: 60); with B: to the script's own "
                                        "process alone"}, false, set_signal, "a signal such as USR1@120"},
    {{0, "comment", "TEXT", "text that is kept with the job"}, false,
     [](Options o, Text text, WallTime) -> Result<void> { o.submitted.request.comment = text; return {}; }},
    {{0, "mail-type", "LIST", "what to send mail about: NONE, ALL, BEGIN, END, FAIL, REQUEUE (kept, and told to mail programs)"}, false,
     set_mail_type, "a list such as END,FAIL"},
    {{0, "mail-user", "ADDRESS", "where to send mail"}, false,
     [](Options o, Text text, WallTime) { return store_name(text, o.submitted.request.mail_user); }},
    {{0, "wrap", "CMD", "run this command of /bin/sh instead of a script"}, true,
     [](Options o, Text text, WallTime) -> Result<void> { o.wrap = text; return {}; }},
    {{0, "wait", "", "wait for the job's end and return its exit code"}, true,
     [](Options o, Text, WallTime) -> Result<void> { o.wait = true; return {}; }},
    {{0, "test-only", "", "check the request, and say where it would run or what it would wait for; submit nothing"}, true,
     [](Options o, Text, WallTime) -> Result<void> { o.test_only = true; return {}; }},
    {{0, "json", "", "print JSON (schema jarvis.submit/1)"}, true,
     [](Options o, Text, WallTime) -> Result<void> { o.json = true; return {}; }},
};

const SubmitOption& entry(const Option* option)
{
    return *std::ranges::find(submit_option_table(), option->name, [](const SubmitOption& one) { return one.option.name; });
}

Result<void> check_together(const std::vector<GivenOption>& given)
{
    bool memory = false, memory_per_cpu = false;
    for (const auto& option : given) {
        memory |= option.option->name == "mem";
        memory_per_cpu |= option.option->name == "mem-per-cpu";
    }
    if (memory && memory_per_cpu)
        return fail(Errc::invalid, "--mem and --mem-per-cpu exclude each other");
    return {};
}

// "--wait", "-H", "-n4": what somebody typed who forgot the value of the option before it.
bool looks_like_option(const std::string& word)
{
    if (word.starts_with("--"))
        return word.size() > 2;
    const auto parsed = parse_words(submit_option_list(), std::span(&word, 1)); // "-HUP" and "-5" are none
    return parsed ? !parsed->options.empty() : parsed.error().kind == WrongUsage::Kind::missing_value;
}

Result<void> apply_one(SubmitOptions& options, const GivenOption& given, WallTime now)
{
    if (given.value.find('\0') != std::string::npos)
        return fail(Errc::invalid, "the value has a NUL byte");
    const auto& option = entry(given.option);
    auto applied = option.apply(options, given.value, now);
    if (!applied && looks_like_option(given.value))
        return fail(Errc::invalid, "\"{}\" is an option; --{} needs {}", escape_for_terminal(given.value), option.option.name,
                    option.needs);
    return applied;
}

Result<void> apply_directives(SubmitOptions& options, std::string_view script, std::string_view name, WallTime now)
{
    const auto directives = parse_directives(script, name);
    if (!directives)
        return std::unexpected(directives.error());
    std::vector<GivenOption> all;
    for (const auto& directive : *directives) {
        const auto place = fmt::format("{}:{}", escape_for_terminal(name), directive.line);
        const auto parsed = parse_words(submit_option_list(), directive.words);
        if (!parsed)
            return fail(Errc::invalid, "{}: {}", place, parsed.error().message);
        if (!parsed->words.empty())
            return fail(Errc::invalid, "{}: expected an option, found \"{}\"", place, escape_for_terminal(parsed->words[0]));
        for (const auto& given : parsed->options) {
            if (entry(given.option).command_line_only)
                return fail(Errc::invalid, "{}: --{} is for the command line only", place, given.option->name);
            if (auto ok = apply_one(options, given, now); !ok)
                return fail(ok.error(), "{}: --{}", place, given.option->name);
            all.push_back(given);
        }
        if (auto ok = check_together(all); !ok)
            return fail(ok.error(), "{}", place);
    }
    return {};
}

// JSUB_REQUEUE=no is --no-requeue; for the other flags "no" is as if the variable were not there.
void apply_switch_off(SubmitOptions& options, const Option& option)
{
    if (option.name == "hold")
        options.submitted.request.hold = false;
    else if (option.name == "exclusive")
        share_nodes(options.submitted.request.resources);
    else if (option.name == "contiguous")
        options.submitted.request.resources.contiguous = false;
    else if (option.name == "kill-on-invalid-dep")
        options.submitted.request.kill_on_invalid_dependency = false;
    else if (option.name == "requeue")
        options.submitted.requeue = false;
}

Result<void> apply_variable(ReadSubmitOptions& read, const std::string& name, const std::string& value, WallTime now,
                            std::vector<GivenOption>& given)
{
    std::vector<std::string> spelled;
    for (const auto& option : submit_option_list()) {
        if (!option.instead.empty() && variable_name(option.name) == name)
            return fail(Errc::invalid, "{}", option.instead);
        if (entry(&option).command_line_only)
            continue;
        spelled.push_back(variable_name(option.name));
        if (spelled.back() != name)
            continue;
        given.push_back({&option, value});
        const auto on = parse_switch(value);
        if (!option.value.empty() && !(option.optional_value && on))
            return apply_one(read.options, given.back(), now);
        if (!on)
            return std::unexpected(on.error());
        if (!*on)
            apply_switch_off(read.options, option);
        return *on ? apply_one(read.options, {&option, {}}, now) : Result<void>();
    }
    const std::vector<std::string_view> known(spelled.begin(), spelled.end());
    read.warnings.push_back(fmt::format("variable {} stands for no option and is ignored{}", escape_for_terminal(name),
                                        did_you_mean(name, known)));
    return {};
}

Result<void> apply_environment(ReadSubmitOptions& read, std::span<const std::string> environment, WallTime now)
{
    std::vector<GivenOption> given;
    for (const auto& variable : environment) {
        const auto equals = variable.find('=');
        const auto name = variable.substr(0, equals);
        if (!name.starts_with("JSUB_") || equals == std::string::npos)
            continue;
        if (auto ok = apply_variable(read, name, variable.substr(equals + 1), now, given); !ok)
            return fail(ok.error(), "{}", escape_for_terminal(name));
    }
    if (auto ok = check_together(given); !ok)
        return fail(ok.error(), "JSUB_MEM, JSUB_MEM_PER_CPU");
    return {};
}

} // namespace

std::span<const SubmitOption> submit_option_table()
{
    static const std::vector<SubmitOption> all = [] {
        std::vector<SubmitOption> options;
        for (const auto part : {std::span<const SubmitOption>(first_options), placement_option_table(),
                                std::span<const SubmitOption>(last_options)})
            options.insert(options.end(), part.begin(), part.end());
        return options;
    }();
    return all;
}

std::span<const Option> submit_option_list()
{
    static const std::vector<Option> list = [] {
        std::vector<Option> options;
        for (const auto& option : submit_option_table())
            options.push_back(option.option);
        return options;
    }();
    return list;
}

std::string variable_name(std::string_view option)
{
    std::string name = "JSUB_" + upper(option);
    for (char& c : name)
        if (c == '-')
            c = '_';
    return name;
}

Result<ReadSubmitOptions> read_submit_options(std::string_view script, std::string_view script_name,
                                              std::span<const std::string> environment, const CommandLine& line, WallTime now)
{
    ReadSubmitOptions read;
    read.options.submitted.request.output = std::string(default_output_pattern);
    if (auto ok = apply_directives(read.options, script, script_name, now); !ok)
        return std::unexpected(ok.error());
    if (auto ok = apply_environment(read, environment, now); !ok)
        return std::unexpected(ok.error());
    for (const auto& given : line.options)
        if (auto ok = apply_one(read.options, given, now); !ok)
            return fail(ok.error(), "--{}", given.option->name);
    if (auto ok = check_together(line.options); !ok)
        return std::unexpected(ok.error());
    if (auto ok = count_tasks(read.options); !ok)
        return std::unexpected(ok.error());
    if (auto ok = check_placement(read.options.submitted.request.resources); !ok)
        return std::unexpected(ok.error());
    return read;
}

} // namespace jarvis::client
