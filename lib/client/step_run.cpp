#include "client/step_run.hpp"

#include "base/hostlist.hpp"
#include "base/units.hpp"
#include "client/exit_codes.hpp"
#include "client/submit.hpp"
#include "model/core_set.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

using namespace std::chrono_literals;

constexpr int signal_base = 128; // as a shell's $? (POSIX, 2.8.2)
constexpr int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
// Between SIGTERM and SIGKILL, when the step is ended.
constexpr auto kill_grace = 10s;
// Two of them within so long mean it.
constexpr auto interrupt_again = 1s;
constexpr auto reconnect_pause = 200ms;
// After the tasks' end; nobody else is kept waiting by it.
constexpr auto reconnect_limit = 60s;
constexpr auto quiet_wait = 2s;
// What is left in the step's cgroup is killed before its end is recorded, and that may take its time.
constexpr auto record_limit = 60s;
// Of a daemon that has something to say.
constexpr auto reply_limit = 5s;

bool ends_the_wait(int signal) { return signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGTERM; }

std::string list_of(const google::protobuf::RepeatedField<std::uint32_t>& numbers)
{
    CoreSet set;
    for (const auto number : numbers)
        set.insert(number);
    return format_list(set);
}

} // namespace

StepRun::StepRun(const StepOptions& options, const StepCommand& command, std::string socket, wire::StepRequest request, Say say,
                 Fd caller)
    : options_(options), command_(command), say_(std::move(say)), channel_(std::move(socket), std::move(request)),
      caller_(std::move(caller))
{
}

// ---- Until there is a step

// They are read from a descriptor, so that none comes between. SIGPIPE is an error of write(2).
void StepRun::take_signals()
{
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : passed_on)
        ::sigaddset(&set, signal);
    ::sigaddset(&set, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &set, &own_.signals);
    signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    ::signal(SIGPIPE, SIG_IGN);
}

// An exit code: a signal ended the wait.
Result<std::optional<int>> StepRun::await_grant()
{
    const auto limits = retry_limits_from_environment();
    if (!limits)
        return std::unexpected(limits.error());
    const auto begin = Clock::now();
    auto give_up = begin + limits->unreachable;
    std::optional<Error> lost; // why there is no connection
    std::string reason;
    if (auto connected = channel_.connect(); !connected)
        lost = connected.error();
    while (true) {
        if (lost && Clock::now() >= give_up)
            return std::unexpected(*lost);
        pollfd waits[] = {{signals_.get(), POLLIN, 0}, {channel_.fd(), POLLIN, 0}};
        const auto quiet = begin + quiet_wait;
        int time = !channel_.is_open() ? static_cast<int>(reconnect_pause / 1ms) : -1;
        if (time < 0 && !reason.empty())
            time = static_cast<int>(std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(quiet - Clock::now()).count(), 0));
        ::poll(waits, 2, time);
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info)
            if (ends_the_wait(static_cast<int>(info.ssi_signo)))
                return signal_base + static_cast<int>(info.ssi_signo);
        if (!reason.empty() && Clock::now() >= quiet)
            say_("waiting " + std::exchange(reason, {}));
        if (!channel_.is_open()) {
            if (auto connected = channel_.connect(); !connected)
                lost = connected.error();
            continue;
        }
        if (waits[1].revents == 0)
            continue;
        auto message = channel_.receive(wire::deadline_in(reply_limit));
        if (!message) { // the daemon is started anew, and the same request finds its place again
            if (!lost)
                give_up = Clock::now() + std::max<std::chrono::milliseconds>(limits->unreachable, reconnect_limit);
            lost = message.error();
            continue;
        }
        lost.reset();
        if (message->has_refused())
            return std::unexpected(Error{static_cast<Errc>(std::min(message->refused().code(), 4u)), message->refused().message()});
        if (message->has_waits())
            reason = message->waits().reason();
        if (message->has_grant()) {
            grant_ = std::move(*message->mutable_grant());
            return std::nullopt;
        }
    }
}

// ---- Start

TaskPlace StepRun::place_of(std::uint32_t rank) const
{
    const auto& task = grant_.tasks(static_cast<int>(rank));
    return {.rank = rank,
            .local = task.local(),
            .node = task.node() < nodes_.size() ? nodes_[task.node()] : std::string(),
            .step = grant_.step(),
            .job = command_.job};
}

// The caller's, and what is this task's own in the place of what was the job's.
std::vector<std::string> StepRun::environment_of(std::uint32_t rank) const
{
    const auto& task = grant_.tasks(static_cast<int>(rank));
    std::string tasks_per_node;
    for (const auto tasks : grant_.tasks_per_node())
        tasks_per_node += fmt::format("{}{}", tasks_per_node.empty() ? "" : ",", tasks);
    std::vector<std::pair<std::string_view, std::string>> own{
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
    std::vector<std::string> environment;
    for (const auto& variable : command_.environment) {
        const auto name = std::string_view(variable).substr(0, variable.find('='));
        if (std::ranges::find(own, name, [](const auto& one) { return one.first; }) == own.end())
            environment.push_back(variable);
    }
    for (const auto& [name, value] : own)
        environment.push_back(fmt::format("{}={}", name, value));
    return environment;
}

void StepRun::report_bindings() const
{
    for (int rank = 0; rank < grant_.tasks_size(); ++rank) {
        const auto& task = grant_.tasks(rank);
        say_(fmt::format("task {} on {}: cores {}, {}{}", rank, place_of(static_cast<std::uint32_t>(rank)).node, list_of(task.cores()),
                         task.pus_size() > 0 ? fmt::format("CPUs {}", list_of(task.pus())) : std::string("not bound"),
                         task.numa_nodes_size() > 0 ? fmt::format(", memory of NUMA nodes {}", list_of(task.numa_nodes())) : std::string()));
    }
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

Result<void> StepRun::open_streams(std::uint32_t rank, TaskStart& start)
{
    auto input = input_of(rank);
    if (!input)
        return std::unexpected(input.error());
    start.input = *input;
    start.output = STDOUT_FILENO;
    start.error = STDERR_FILENO;
    const auto& error_pattern = options_.error.empty() ? options_.output : options_.error;
    for (const auto& [pattern, place] : {std::pair(&options_.output, &start.output), {&error_pattern, &start.error}}) {
        if (!pattern->empty()) {
            auto file = open_file(*pattern, rank, false);
            if (!file)
                return std::unexpected(file.error());
            *place = *file;
        }
        if (!options_.label || *pattern == "none" || differs_by_task(*pattern))
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

// Without cgroups the daemon learns of the processes before they do anything, so that it can end what a jrun that is killed leaves
// behind.
Result<void> StepRun::start_tasks()
{
    const auto count = static_cast<std::uint32_t>(grant_.tasks_size());
    tasks_.resize(count);
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
    for (std::uint32_t rank = 0; rank < count; ++rank) {
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

// ---- While they run

void StepRun::signal_all(int signal)
{
    for (const auto& [pid, rank] : ranks_)
        ::kill(-pid, signal);
}

// SIGTERM, and SIGKILL to those that are there after a while.
void StepRun::end_all(std::string cause)
{
    if (cause_.empty())
        cause_ = std::move(cause);
    if (kill_)
        return;
    kill_ = Clock::now() + kill_grace;
    signal_all(SIGTERM);
    signal_all(SIGCONT);
}

void StepRun::read_signal()
{
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        const int signal = static_cast<int>(info.ssi_signo);
        if (signal == SIGCHLD) {
            reap();
            continue;
        }
        if (ends_the_wait(signal) && cause_.empty())
            cause_ = fmt::format("SIG{} to its jrun", signal_name(signal));
        // What the node daemon sends goes to every process of the job: the tasks have it already.
        if (info.ssi_pid != 0 && static_cast<pid_t>(info.ssi_pid) == channel_.daemon())
            continue;
        if (signal == SIGINT && Clock::now() - std::exchange(last_interrupt_, Clock::now()) < interrupt_again) {
            say_("interrupted twice: the tasks are killed");
            signal_all(SIGKILL);
            continue;
        }
        signal_all(signal);
    }
}

void StepRun::read_caller()
{
    char signal = 0;
    if (::read(caller_.get(), &signal, 1) == 1)
        return signal_all(signal);
    caller_ = Fd();
    end_all("its caller is gone");
}

void StepRun::reap()
{
    while (true) {
        int status = 0;
        const auto pid = ::waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        const auto found = ranks_.find(pid);
        if (found == ranks_.end())
            continue;
        const auto rank = found->second;
        ranks_.erase(found);
        on_end(rank, status);
    }
}

void StepRun::on_end(std::uint32_t rank, int status)
{
    tasks_[rank].status = status;
    const bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (failed && options_.kill_on_bad_exit && !ranks_.empty() && !kill_) {
        say_(fmt::format("task {} has failed, so all are ended (--kill-on-bad-exit)", rank));
        end_all(fmt::format("task {} failed", rank));
    }
}

void StepRun::read_stream(Stream& stream)
{
    char part[65536];
    const auto size = ::read(stream.pipe.get(), part, sizeof part);
    if (size > 0)
        return stream.labels.take({part, static_cast<std::size_t>(size)}, stream.sink->held());
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    stream.labels.finish(stream.sink->held());
    stream.pipe = Fd();
}

// What is there now; a process that somebody left behind may hold a pipe open for ever.
void StepRun::drain()
{
    for (auto& task : tasks_)
        for (auto& stream : task.streams) {
            pollfd ready{stream.pipe.get(), POLLIN, 0};
            while (stream.pipe && ::poll(&ready, 1, 0) > 0) {
                read_stream(stream);
                if (stream.sink->is_full())
                    stream.sink->write_all();
            }
        }
}

int StepRun::wait_time() const
{
    std::optional<Clock::time_point> next;
    for (const auto& one : {limit_, kill_, reconnect_})
        if (one && (!next || *one < *next))
            next = one;
    if (!next)
        return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

void StepRun::check_deadlines()
{
    const auto now = Clock::now();
    if (limit_ && now >= *limit_) {
        limit_.reset();
        limit_reached_ = true;
        const auto text = fmt::format("time limit of {} reached", format_duration_exact(*options_.job.submitted.request.time_limit));
        say_(text);
        end_all(text);
    }
    if (kill_ && now >= *kill_) {
        kill_ = now + kill_grace;
        signal_all(SIGKILL);
    }
    if (reconnect_ && now >= *reconnect_ && !come_back())
        reconnect_ = Clock::now() + reconnect_pause;
}

// The daemon says nothing while tasks run here; when it closes the connection it is started anew.
void StepRun::check_connection()
{
    if (auto message = channel_.receive(wire::deadline_in(reply_limit)); !message)
        reconnect_ = Clock::now();
}

// Whether there is a connection again on which the daemon knows this step, or it knows it no more.
bool StepRun::come_back()
{
    auto connected = channel_.connect();
    auto message = connected ? channel_.receive(wire::deadline_in(reply_limit)) : std::unexpected(connected.error());
    if (!message)
        return false;
    if (!message->has_grant() || message->grant().step() != grant_.step()) {
        channel_.close();
        daemon_lost_ = true;
    }
    reconnect_.reset();
    return true;
}

void StepRun::run_tasks()
{
    if (const auto& limit = options_.job.submitted.request.time_limit; limit && *limit < max_duration)
        limit_ = Clock::now() + *limit;
    std::vector<pollfd> waits;
    std::vector<Stream*> streams;
    std::vector<Sink*> sinks;
    while (!ranks_.empty()) {
        waits.assign({{signals_.get(), POLLIN, 0}, {channel_.fd(), POLLIN, 0}, {caller_.get(), POLLIN, 0}});
        streams.clear();
        sinks.clear();
        for (auto& [fd, sink] : sinks_)
            if (sink.wants_to_write()) {
                waits.push_back({fd, POLLOUT, 0});
                sinks.push_back(&sink);
            }
        for (auto& task : tasks_)
            for (auto& stream : task.streams) {
                if (stream.sink->is_broken())
                    stream.pipe = Fd(); // its writer is told by SIGPIPE
                if (!stream.pipe || stream.sink->is_full())
                    continue;
                waits.push_back({stream.pipe.get(), POLLIN, 0});
                streams.push_back(&stream);
            }
        ::poll(waits.data(), waits.size(), wait_time());
        std::size_t at = 3;
        for (auto* sink : sinks)
            if (waits[at++].revents != 0)
                sink->write_some();
        for (auto* stream : streams)
            if (waits[at++].revents != 0)
                read_stream(*stream);
        if (waits[1].revents != 0 && channel_.is_open())
            check_connection();
        if (waits[2].revents != 0)
            read_caller();
        if (waits[0].revents != 0)
            read_signal();
        check_deadlines();
    }
}

// ---- The end

// All that is known of it, so that it is recorded and its cores are free when this returns.
Result<void> StepRun::say_over(bool started)
{
    wire::FromRun message;
    auto& over = *message.mutable_over();
    for (const auto& task : tasks_) {
        if (!task.status)
            continue;
        if (WIFEXITED(*task.status))
            over.set_exit_code(std::max(over.exit_code(), WEXITSTATUS(*task.status)));
        else if (over.signal() == 0)
            over.set_signal(WTERMSIG(*task.status));
    }
    if (!started)
        over.set_exit_code(std::max(over.exit_code(), 1));
    over.set_cause(cause_);
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);
    const auto us = [](const timeval& time) { return time.tv_sec * std::int64_t{1'000'000} + time.tv_usec; };
    auto& usage = *over.mutable_usage();
    usage.set_cpu_user_us(us(used.ru_utime));
    usage.set_cpu_system_us(us(used.ru_stime));
    usage.mutable_detail()->set_major_faults(used.ru_majflt);
    usage.mutable_detail()->set_largest_process(used.ru_maxrss * std::int64_t{1024});
    const auto give_up = Clock::now() + reconnect_limit;
    while (!daemon_lost_) {
        if (!channel_.is_open() && !come_back()) {
            if (Clock::now() >= give_up)
                return fail(Errc::unavailable, "no answer from the node daemon");
            ::poll(nullptr, 0, static_cast<int>(reconnect_pause / 1ms));
            continue;
        }
        if (daemon_lost_ || !channel_.send(message))
            continue;
        if (auto recorded = channel_.receive(wire::deadline_in(record_limit)); recorded && recorded->has_recorded())
            return {};
        channel_.close();
    }
    return fail(Errc::unavailable, "the node daemon knows it no more");
}

// Those that failed, by how they did.
void StepRun::say_ends() const
{
    std::map<int, CoreSet> failed;
    for (std::uint32_t rank = 0; rank < tasks_.size(); ++rank)
        if (const auto status = tasks_[rank].status; status && *status != 0)
            failed[*status].insert(rank);
    for (const auto& [status, ranks] : failed)
        say_(fmt::format("task{} {}: {}", ranks.count() == 1 ? "" : "s", format_list(ranks),
                         WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                           : fmt::format("ended by signal {}", signal_name(WTERMSIG(status)))));
}

int StepRun::exit_code() const
{
    if (limit_reached_)
        return exit_without_status;
    int highest = 0;
    for (const auto& task : tasks_)
        if (task.status)
            highest = std::max(highest, WIFEXITED(*task.status) ? WEXITSTATUS(*task.status) : signal_base + WTERMSIG(*task.status));
    return highest;
}

Result<int> StepRun::run()
{
    take_signals();
    auto ended = await_grant();
    if (!ended)
        return std::unexpected(ended.error());
    if (*ended)
        return **ended;
    nodes_ = expand_hostlist(grant_.node_list()).value_or(std::vector<std::string>());
    if (options_.report_bindings)
        report_bindings();
    auto started = start_tasks();
    if (!started) {
        say_(started.error().message);
        cause_ = started.error().message;
        signal_all(SIGKILL);
    }
    run_tasks();
    drain();
    if (auto said = say_over(started.has_value()); !said)
        say_(fmt::format("the end of step {} is not recorded: {}", grant_.step(), said.error().message));
    drain();
    for (auto& task : tasks_)
        for (auto& stream : task.streams)
            stream.labels.finish(stream.sink->held());
    for (auto& [fd, sink] : sinks_)
        sink.write_all();
    say_ends();
    return started ? exit_code() : std::max(exit_code(), 1);
}

} // namespace jarvis::client
