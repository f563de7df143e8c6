#include "client/step_options.hpp"

#include "base/escape.hpp"
#include "client/option_values.hpp"
#include "wire/limits.hpp"

#include <algorithm>
#include <array>

namespace jarvis::client {

namespace {

using Options = StepOptions&;
using Text = const std::string&;

Result<void> store_task_pattern(Text text, std::string& place)
{
    if (text.empty())
        return fail(Errc::invalid, "the path is empty");
    if (auto good = check_task_pattern(text); !good)
        return good;
    place = text;
    return {};
}

Result<void> set_cpu_binding(Options options, Text text)
{
    constexpr std::array<std::string_view, 3> known{"cores", "numa", "none"};
    constexpr std::array meanings{wire::StepRequest::CORES, wire::StepRequest::NUMA, wire::StepRequest::STEP};
    const auto word = parse_word(text, known);
    if (!word)
        return std::unexpected(word.error());
    options.cpu_binding = meanings[*word];
    return {};
}

Result<void> set_kill(Options options, Text text)
{
    options.kill_on_bad_exit = true;
    return text.empty() ? Result<void>() : store(parse_switch(text), options.kill_on_bad_exit);
}

Result<void> share(Options options, wire::StepRequest::Sharing how)
{
    if (options.sharing != wire::StepRequest::OWN && options.sharing != how)
        return fail(Errc::invalid, "--overlap and --immediate exclude each other: a step that shares cores never waits");
    options.sharing = how;
    return {};
}

enum class Whose : std::uint8_t { jrun, jsub, new_job };

struct StepOption {
    Option option;
    Whose whose; // jsub, new_job: applied by the entry of that name in jsub's table
    Result<void> (*apply)(StepOptions& options, const std::string& value) = nullptr;
};

const StepOption table[] = {
    {{'n', "ntasks", "N", "number of tasks (default: the job's; outside a job 1)"}, Whose::jsub},
    {{'N', "nodes", "MIN[-MAX]", "number of nodes to run on (default: as many as the tasks take)"}, Whose::jsub},
    {{0, "ntasks-per-node", "N", "at most so many tasks on one node; without -n, so many on each"}, Whose::jsub},
    {{'c', "cpus-per-task", "N", "cores for each task, with all their hardware threads (default: the job's; outside a job 1)"}, Whose::jsub},
    {{'w', "nodelist", "NODES", "run on these nodes alone: n[1-4],n7"}, Whose::jsub},
    {{'m', "distribution", "NODES[:INSIDE]", "how tasks follow each other over nodes, and over the NUMA nodes inside: block (default), "
                                             "cyclic, plane=N"}, Whose::jsub},
    {{0, "overlap", "", "on cores that other steps may have; it never waits, and there may be more tasks than cores"}, Whose::jrun,
     [](Options o, Text) { return share(o, wire::StepRequest::OVERLAP); }},
    {{'I', "immediate", "", "fail at once if its cores are not free, instead of waiting for them"}, Whose::jrun,
     [](Options o, Text) { return share(o, wire::StepRequest::IMMEDIATE); }},
    {{0, "cpu-bind", "TO", "bind each task to its cores (default), to those of the step in the same NUMA nodes (numa), or to all of the "
                           "step (none)"}, Whose::jrun, set_cpu_binding},
    {{0, "mem-bind", "WHICH", "memory: as the job's (prefer, none), local: from the NUMA nodes of the task's cores alone, interleave: "
                              "evenly from all of the job's"}, Whose::jsub},
    {{0, "report-bindings", "", "say on standard error which cores each task has"}, Whose::jrun,
     [](Options o, Text) -> Result<void> { o.report_bindings = true; return {}; }},
    {{'i', "input", "FILE", "standard input of each task: a file (%t is the task's number), none, or a task's number, which gets the "
                            "caller's (default: task 0 gets it)"}, Whose::jrun,
     [](Options o, Text text) { return store_task_pattern(text, o.input); }},
    {{'o', "output", "FILE", "file for standard output, or none; %t is the task's number, %n that on its node, %N the node, %s the step, "
                             "%j the job"}, Whose::jrun,
     [](Options o, Text text) { return store_task_pattern(text, o.output); }},
    {{'e', "error", "FILE", "file for standard error, or none (default: with standard output where that is a file)"}, Whose::jrun,
     [](Options o, Text text) { return store_task_pattern(text, o.error); }},
    {{'l', "label", "", "put the task's number before each line"}, Whose::jrun,
     [](Options o, Text) -> Result<void> { o.label = true; return {}; }},
    {{.letter = 'K', .name = "kill-on-bad-exit", .value = "0|1",
      .help = "end all tasks when one of them fails", .optional_value = true}, Whose::jrun, set_kill},
    {{'t', "time", "TIME", "time limit of the step: 30m, 2h, HH:MM:SS; a plain number is minutes"}, Whose::jsub},
    {{'J', "job-name", "NAME", "name of the step (default: the program's)"}, Whose::jsub},
    {{'D', "chdir", "FOLDER", "folder to run in (default: the caller's)"}, Whose::jsub},
    {{0, "export", "LIST", "variables that the tasks get: ALL (default), NONE, or NAME[=VALUE],...; ALL can be one of a list"}, Whose::jsub},
    {{'p', "partition", "NAME", "outside a job: partition to run in"}, Whose::new_job},
    {{0, "mem", "SIZE", "outside a job: memory on each node: 512M, 4G; a plain number is MiB"}, Whose::new_job},
    {{0, "mem-per-cpu", "SIZE", "outside a job: memory for each core"}, Whose::new_job},
    {{'x', "exclude", "NODES", "outside a job: nodes that must not be among its own"}, Whose::new_job},
    {{'C', "constraint", "FEATURES", "outside a job: features that each node must have"}, Whose::new_job},
    {{0, "gres", "NAME[:TYPE][:COUNT],...", "outside a job: devices on each node"}, Whose::new_job},
    {{.letter = 0, .name = "exclusive", .value = "LEVEL", .help = "outside a job: whole nodes, or package, numa, l3",
      .optional_value = true}, Whose::new_job},
    {{0, "comment", "TEXT", "outside a job: text that is kept with it"}, Whose::new_job},
    // What people of other schedulers type for it.
    {{.letter = 0, .name = "mpi", .value = "KIND", .help = {}, .instead = "MPI programs are not wired up by jrun yet: start them with mpirun"}, Whose::jrun},
    {{.letter = 0, .name = "pty", .value = {}, .help = {}, .instead = "jrun gives tasks no terminal of their own yet; task 0 has the caller's"}, Whose::jrun},
};

Result<void> apply_one(StepOptions& options, const GivenOption& given, WallTime now)
{
    if (given.value.find('\0') != std::string::npos)
        return fail(Errc::invalid, "the value has a NUL byte");
    const auto& entry = *std::ranges::find(table, given.option->name, [](const StepOption& one) { return one.option.name; });
    if (entry.whose == Whose::jrun)
        return entry.apply(options, given.value);
    if (entry.whose == Whose::new_job && !options.new_job_only)
        options.new_job_only = std::string(entry.option.name);
    options.cores_given |= entry.option.name == "cpus-per-task";
    options.all_variables &= entry.option.name != "export";
    const auto shared = submit_option_table();
    return std::ranges::find(shared, entry.option.name, [](const SubmitOption& one) { return one.option.name; })
        ->apply(options.job, given.value, now);
}

// Without --ntasks: what the nodes take where those are given, else what the job has.
Result<void> fill_in(StepOptions& options, const JobDefaults& defaults)
{
    auto& resources = options.job.submitted.request.resources;
    if (!options.cores_given && !defaults.cores_per_task.empty())
        if (auto ok = set_count(resources.cpus_per_task, defaults.cores_per_task, wire::limits::cpus_per_task); !ok)
            return fail(ok.error(), "JARVIS_CPUS_PER_TASK");
    if (options.job.tasks_given)
        return {};
    if (resources.nodes_min > 0 || resources.tasks_per_node > 0) {
        const auto tasks = std::uint64_t{std::max(resources.nodes_min, 1u)} * std::max(resources.tasks_per_node, 1u);
        if (tasks > wire::limits::tasks)
            return fail(Errc::invalid, "{} nodes with {} tasks each are {} tasks; at most {} are possible", resources.nodes_min,
                        resources.tasks_per_node, tasks, wire::limits::tasks);
        resources.tasks = static_cast<std::uint32_t>(tasks);
    } else if (!defaults.tasks.empty()) {
        if (auto ok = set_count(resources.tasks, defaults.tasks, wire::limits::tasks); !ok)
            return fail(ok.error(), "JARVIS_NTASKS");
    }
    return {};
}

constexpr std::string_view places = "tnNsj%";

} // namespace

std::span<const Option> step_option_list()
{
    static const std::vector<Option> list = [] {
        std::vector<Option> options;
        for (const auto& one : table)
            options.push_back(one.option);
        return options;
    }();
    return list;
}

Result<StepOptions> read_step_options(const CommandLine& line, const JobDefaults& defaults, WallTime now)
{
    StepOptions options;
    for (const auto& given : line.options)
        if (auto ok = apply_one(options, given, now); !ok)
            return fail(ok.error(), "--{}", given.option->name);
    if (line.has("mem") && line.has("mem-per-cpu"))
        return fail(Errc::invalid, "--mem and --mem-per-cpu exclude each other");
    if (auto ok = fill_in(options, defaults); !ok)
        return std::unexpected(ok.error());
    return options;
}

wire::StepRequest step_request(const StepOptions& options, const std::string& program)
{
    const auto& job = options.job.submitted.request;
    const auto& wishes = *job.resources.wishes;
    wire::StepRequest request;
    request.set_name(job.name.empty() ? program.substr(program.rfind('/') + 1) : std::string(job.name));
    request.set_tasks(job.resources.tasks);
    request.set_cores_per_task(job.resources.cpus_per_task);
    request.set_nodes_min(job.resources.nodes_min);
    request.set_nodes_max(job.resources.nodes_max);
    request.set_tasks_per_node(job.resources.tasks_per_node);
    for (const auto& node : *job.node_list)
        request.add_nodes(node);
    request.set_over_nodes(static_cast<std::uint32_t>(wishes.over_nodes));
    request.set_inside(static_cast<std::uint32_t>(wishes.inside));
    request.set_plane(wishes.plane);
    request.set_sharing(options.sharing);
    request.set_cpu_binding(options.cpu_binding);
    if (wishes.memory == MemoryBinding::local)
        request.set_memory_binding(wire::StepRequest::LOCAL);
    if (wishes.memory == MemoryBinding::interleave)
        request.set_memory_binding(wire::StepRequest::INTERLEAVE);
    return request;
}

Result<void> check_task_pattern(std::string_view pattern)
{
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%')
            continue;
        if (i + 1 == pattern.size())
            return fail(Errc::invalid, "column {}: a lone %; %% is a percent sign", i + 1);
        if (places.find(pattern[++i]) == places.npos)
            return fail(Errc::invalid, "column {}: unknown %{}; known are %t, %n, %N, %s, %j and %%", i,
                        escape_for_terminal(pattern.substr(i, 1)));
    }
    return {};
}

std::string expand_task_pattern(std::string_view pattern, const TaskPlace& place)
{
    std::string path;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%' || i + 1 == pattern.size()) {
            path += pattern[i];
            continue;
        }
        switch (pattern[++i]) {
        case 't':
            path += fmt::format("{}", place.rank);
            break;
        case 'n':
            path += fmt::format("{}", place.local);
            break;
        case 'N':
            path += place.node;
            break;
        case 's':
            path += fmt::format("{}", place.step);
            break;
        case 'j':
            path += place.job;
            break;
        default:
            path += pattern[i];
        }
    }
    return path;
}

bool differs_by_task(std::string_view pattern)
{
    for (std::size_t i = 0; i + 1 < pattern.size(); ++i)
        if (pattern[i] == '%' && (pattern[++i] == 't' || pattern[i] == 'n' || pattern[i] == 'N'))
            return true;
    return false;
}

} // namespace jarvis::client
