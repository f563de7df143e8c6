// The part of StepRun that starts the tasks: their files, environments and processes, here and on other nodes.
#include "client/step_run.hpp"

#include "model/core_set.hpp"
#include "wire/clocks.hpp"
#include "wire/hello.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::client {
namespace {

std::string list_of(const google::protobuf::RepeatedField<std::uint32_t>& numbers)
{
    CoreSet set;
    for (const auto number : numbers)
        set.insert(number);
    return format_list(set);
}

} // namespace

TaskPlace StepRun::place_of(std::uint32_t rank) const
{
    const auto& task = grant_.tasks(static_cast<int>(rank));
    return {.rank = rank,
            .local = task.local(),
            .node = task.node() < nodes_.size() ? nodes_[task.node()] : std::string(),
            .step = grant_.step(),
            .job = command_.job};
}

// What is this task's own in the place of what was the job's.
std::vector<std::pair<std::string, std::string>> StepRun::own_variables(std::uint32_t rank) const
{
    const auto& task = grant_.tasks(static_cast<int>(rank));
    std::string tasks_per_node;
    for (const auto tasks : grant_.tasks_per_node())
        tasks_per_node += fmt::format("{}{}", tasks_per_node.empty() ? "" : ",", tasks);
    std::vector<std::pair<std::string, std::string>> own{
        {"JARVIS_PROCID", fmt::format("{}", rank)},
        {"JARVIS_LOCALID", fmt::format("{}", task.local())},
        {"JARVIS_NODEID", fmt::format("{}", task.node())},
        {"JARVIS_NODENAME", place_of(rank).node},
        {"JARVIS_STEP_ID", fmt::format("{}", grant_.step())},
        {"JARVIS_STEP_NUM_TASKS", fmt::format("{}", grant_.tasks_size())},
        {"JARVIS_STEP_NUM_NODES", fmt::format("{}", grant_.tasks_per_node_size())},
        {"JARVIS_STEP_NODELIST", grant_.node_list()},
        {"JARVIS_STEP_TASKS_PER_NODE", tasks_per_node},
        {"JARVIS_CPUS_PER_TASK", fmt::format("{}", options_.job.submitted.request.resources.cpus_per_task)},
    };
    if (task.pus_size() > 0)
        own.emplace_back("JARVIS_CPU_LIST", list_of(task.pus()));
    return own;
}

// The caller's, with those.
std::vector<std::string> StepRun::environment_of(std::uint32_t rank) const
{
    const auto own = own_variables(rank);
    std::vector<std::string> environment;
    for (const auto& variable : command_.environment) {
        const auto name = std::string_view(variable).substr(0, variable.find('='));
        if (std::ranges::find(own, name, [](const auto& one) { return std::string_view(one.first); }) == own.end())
            environment.push_back(variable);
    }
    for (const auto& [name, value] : own)
        environment.push_back(fmt::format("{}={}", name, value));
    return environment;
}

void StepRun::report_binding(std::uint32_t rank, const wire::StepTask& task) const
{
    say_(fmt::format("task {} on {}: cores {}, {}{}", rank, place_of(rank).node, list_of(task.cores()),
                     task.pus_size() > 0 ? fmt::format("CPUs {}", list_of(task.pus())) : std::string("not bound"),
                     task.numa_nodes_size() > 0 ? fmt::format(", memory of NUMA nodes {}", list_of(task.numa_nodes())) : std::string()));
}

// A file that is the same for all tasks is opened once, and they share it.
Result<int> StepRun::open_file(const std::string& pattern, std::uint32_t rank, bool for_input)
{
    const auto path = pattern == "none" ? std::string("/dev/null") : expand_task_pattern(pattern, place_of(rank));
    const auto key = fmt::format("{}{}", for_input ? '<' : '>', path);
    if (const auto found = shared_.find(key); found != shared_.end())
        return found->second;
    Fd file(::open(path.c_str(), (for_input ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC | O_APPEND) | O_CLOEXEC, 0666));
    if (!file)
        return std::unexpected(system_error(errno, fmt::format("cannot open {}", path)));
    files_.push_back(std::move(file));
    return shared_[key] = files_.back().get();
}

// The caller's for one task, and /dev/null for the others: what one has read is not there for the next.
Result<int> StepRun::input_of(std::uint32_t rank)
{
    const auto& input = options_.input;
    if (!input.empty() && input.find_first_not_of("0123456789") != std::string::npos)
        return open_file(input, rank, true);
    const auto reader = input.empty() ? std::string("0") : input;
    return reader == fmt::format("{}", rank) ? Result<int>(STDIN_FILENO) : open_file("none", rank, true);
}

// Where a task's output goes: descriptors of ours.
Result<void> StepRun::open_outputs(std::uint32_t rank, int& output, int& error)
{
    output = STDOUT_FILENO;
    error = STDERR_FILENO;
    const auto& error_pattern = options_.error.empty() ? options_.output : options_.error;
    for (const auto& [pattern, place] : {std::pair(&options_.output, &output), {&error_pattern, &error}}) {
        if (pattern->empty())
            continue;
        auto file = open_file(*pattern, rank, false);
        if (!file)
            return std::unexpected(file.error());
        *place = *file;
    }
    return {};
}

bool StepRun::is_labelled(std::uint32_t stream) const
{
    const auto& pattern = stream == 1 || options_.error.empty() ? options_.output : options_.error;
    return options_.label && pattern != "none" && !differs_by_task(pattern);
}

Result<void> StepRun::open_streams(std::uint32_t rank, TaskStart& start)
{
    auto input = input_of(rank);
    if (!input)
        return std::unexpected(input.error());
    start.input = *input;
    if (auto opened = open_outputs(rank, start.output, start.error); !opened)
        return opened;
    for (const auto& [stream, place] : {std::pair(1u, &start.output), {2u, &start.error}}) {
        if (!is_labelled(stream))
            continue;
        auto& sink = sinks_.try_emplace(*place, *place).first->second;
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0)
            return std::unexpected(system_error(errno, "cannot make a pipe"));
        ends_.emplace_back(ends[1]);
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
        *place = ends[1];
        tasks_[rank].streams.push_back({Fd(ends[0]), LineLabels(rank, static_cast<std::uint32_t>(grant_.tasks_size())), &sink});
    }
    return {};
}

// Files are opened here, on whatever node a task is.
Result<void> StepRun::open_streams_elsewhere(std::uint32_t rank, StepRemote& remote, wire::AgentTaskStart& start)
{
    auto input = input_of(rank);
    if (!input)
        return std::unexpected(input.error());
    const auto nothing = shared_.find("</dev/null");
    start.set_input(nothing == shared_.end() || nothing->second != *input);
    if (start.input())
        remote.add_input(rank, *input);
    int places[2];
    if (auto opened = open_outputs(rank, places[0], places[1]); !opened)
        return opened;
    for (const std::uint32_t stream : {1u, 2u}) {
        auto& sink = sinks_.try_emplace(places[stream - 1], places[stream - 1]).first->second;
        remote.add_output(rank, stream,
                          is_labelled(stream) ? std::optional(LineLabels(rank, static_cast<std::uint32_t>(grant_.tasks_size()))) : std::nullopt,
                          sink);
    }
    return {};
}

bool StepRun::is_here(std::uint32_t rank) const { return grant_.tasks(static_cast<int>(rank)).node() == grant_.here(); }

Result<void> StepRun::start_elsewhere()
{
    std::map<std::uint32_t, wire::AgentStart> starts;
    for (std::uint32_t rank = 0; rank < tasks_.size(); ++rank) {
        if (is_here(rank))
            continue;
        const auto node = grant_.tasks(static_cast<int>(rank)).node();
        auto remote = remotes_.find(node);
        if (remote == remotes_.end()) {
            auto link = FrameLink::connect(channel_.path());
            if (!link)
                return std::unexpected(link.error());
            remote = remotes_.emplace(node, StepRemote(place_of(rank).node, std::move(*link))).first;
            wire::FromRun first;
            auto& stream = *first.mutable_stream();
            *stream.mutable_hello() = wire::make_hello(wire::Hello::CLIENT, "jrun", wall_now());
            stream.set_job_id(channel_.request().job_id());
            if (channel_.request().has_task())
                stream.set_task(channel_.request().task());
            stream.set_token(channel_.request().token());
            stream.set_node(node);
            remote->second.introduce(first);
        }
        auto& task = *starts[node].add_tasks();
        task.set_rank(rank);
        for (const auto& [name, value] : own_variables(rank))
            task.add_environment(fmt::format("{}={}", name, value));
        remote->second.add_task(rank);
        if (auto opened = open_streams_elsewhere(rank, remote->second, task); !opened)
            return opened;
    }
    if (starts.empty())
        return {};
    wire::AgentStart common;
    common.set_program(command_.arguments.front());
    for (const auto& argument : command_.arguments)
        common.add_arguments(argument);
    for (const auto& variable : command_.environment)
        if (!variable.starts_with("JARVIS_CPU_LIST=")) // it is another one there
            common.add_environment(variable);
    std::error_code error;
    common.set_folder(std::filesystem::current_path(error).string());
    const auto mask = ::umask(0);
    ::umask(mask);
    common.set_umask(mask);
    common.set_interleave(options_.job.submitted.request.resources.wishes->memory == MemoryBinding::interleave);
    for (auto& [node, start] : starts) {
        start.MergeFrom(common);
        remotes_.at(node).start(start);
    }
    return {};
}

Result<void> StepRun::start_tasks()
{
    tasks_.resize(static_cast<std::size_t>(grant_.tasks_size()));
    std::uint32_t here = 0;
    for (std::uint32_t rank = 0; rank < tasks_.size(); ++rank)
        here += is_here(rank) ? 1 : 0;
    if (auto started = start_elsewhere(); !started)
        return started;
    return here > 0 ? start_here(here) : Result<void>();
}

// Without cgroups the daemon learns of the processes before they do anything, so that it can end what a jrun that is killed leaves
// behind.
Result<void> StepRun::start_here(std::uint32_t count)
{
    ::getrlimit(RLIMIT_NOFILE, &own_.files);
    const rlimit most{own_.files.rlim_max, own_.files.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &most); // two pipes for each task
    std::vector<char*> arguments;
    for (const auto& argument : command_.arguments)
        arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    TaskStart start{.program = command_.path.c_str(), .arguments = arguments.data()};
    Fd barrier[2];
    if (grant_.cgroup().empty()) {
        if (::pipe2(start.barrier, O_CLOEXEC) != 0)
            return std::unexpected(system_error(errno, "cannot make a pipe"));
        barrier[0] = Fd(start.barrier[0]);
        barrier[1] = Fd(start.barrier[1]);
    }
    wire::FromRun message;
    for (std::uint32_t rank = 0; rank < tasks_.size(); ++rank) {
        if (!is_here(rank))
            continue;
        const auto& task = grant_.tasks(static_cast<int>(rank));
        if (auto opened = open_streams(rank, start); !opened)
            return opened;
        start.environment = environment_of(rank);
        start.pus.assign(task.pus().begin(), task.pus().end());
        start.numa_nodes.assign(task.numa_nodes().begin(), task.numa_nodes().end());
        start.interleave = options_.job.submitted.request.resources.wishes->memory == MemoryBinding::interleave;
        if (!grant_.cgroup().empty())
            start.cgroup = count == 1 ? grant_.cgroup() : fmt::format("{}/task_{}", grant_.cgroup(), rank);
        auto pid = start_task(start, own_);
        if (!pid)
            return fail(pid.error(), "task {}", rank);
        tasks_[rank].pid = *pid;
        ranks_[*pid] = rank;
        if (grant_.cgroup().empty()) {
            auto& process = *message.mutable_processes()->add_processes();
            process.set_pid(*pid);
            process.set_start_time(start_time_of(*pid));
        }
    }
    ends_.clear();
    if (grant_.cgroup().empty()) {
        if (auto sent = channel_.send(message); !sent)
            return sent;
        const std::string go(count, '\0');
        (void)!::write(barrier[1].get(), go.data(), go.size());
    }
    return {};
}

} // namespace jarvis::client
