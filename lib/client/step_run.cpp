#include "client/step_run.hpp"

#include "base/hostlist.hpp"
#include "base/units.hpp"
#include "client/exit_codes.hpp"
#include "client/submit.hpp"
#include "model/core_set.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::client {
namespace {

using namespace std::chrono_literals;

constexpr int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
// Between SIGTERM and SIGKILL, when the step is ended.
constexpr auto kill_grace = 10s;
// Two of them within so long mean it.
constexpr auto interrupt_again = 1s;
constexpr auto quiet_wait = 2s;
// Of a daemon that has something to say.
constexpr auto reply_limit = 5s;

bool ends_the_wait(int signal) { return signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGTERM; }

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
                return exit_of_signal + static_cast<int>(info.ssi_signo);
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

// ---- While they run

void StepRun::signal_all(int signal)
{
    for (const auto& [pid, rank] : ranks_)
        ::kill(-pid, signal);
    for (auto& [node, remote] : remotes_)
        remote.signal(signal);
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
        // What the node daemon sends goes to every process of the job here: the tasks have it already, those elsewhere have not.
        if (info.ssi_pid != 0 && static_cast<pid_t>(info.ssi_pid) == channel_.daemon()) {
            for (auto& [node, remote] : remotes_)
                remote.signal(signal);
            continue;
        }
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

bool StepRun::any_left() const
{
    return !ranks_.empty() || std::ranges::any_of(remotes_, [](const auto& one) { return !one.second.left().empty(); });
}

// Tasks of nodes that are lost have ended as if they were killed; the others are ended.
void StepRun::lose_nodes()
{
    for (auto remote = remotes_.begin(); remote != remotes_.end();) {
        if (remote->second.trouble().empty()) {
            ++remote;
            continue;
        }
        const auto trouble = remote->second.trouble();
        for (const auto rank : remote->second.left())
            tasks_[rank].status = SIGKILL;
        remote = remotes_.erase(remote);
        say_(trouble);
        end_all(trouble);
    }
}

void StepRun::on_end(std::uint32_t rank, int status)
{
    tasks_[rank].status = status;
    const bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (failed && options_.kill_on_bad_exit && any_left() && !kill_) {
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
    while (any_left()) {
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
        const auto first_remote = waits.size();
        for (auto& [node, remote] : remotes_)
            remote.add_to(waits);
        ::poll(waits.data(), waits.size(), wait_time());
        std::size_t at = first_remote;
        for (auto& [node, remote] : remotes_)
            at += remote.handle(&waits[at], [&](std::uint32_t rank, int status) { on_end(rank, status); });
        for (auto& [node, remote] : remotes_)
            for (const auto& place : remote.take_places())
                if (options_.report_bindings && place.rank() < tasks_.size())
                    report_binding(place.rank(), place.task());
        lose_nodes();
        at = 3;
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

// ---- All of it

Result<int> StepRun::run()
{
    take_signals();
    auto ended = await_grant();
    if (!ended)
        return std::unexpected(ended.error());
    if (*ended)
        return **ended;
    nodes_ = expand_hostlist(grant_.node_list()).value_or(std::vector<std::string>());
    for (int rank = 0; options_.report_bindings && rank < grant_.tasks_size(); ++rank)
        if (is_here(static_cast<std::uint32_t>(rank)))
            report_binding(static_cast<std::uint32_t>(rank), grant_.tasks(rank));
    auto started = start_tasks();
    if (!started) {
        say_(started.error().message);
        cause_ = started.error().message;
        signal_all(SIGKILL);
        remotes_.clear(); // which ends their tasks
    }
    run_tasks();
    remotes_.clear();
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
