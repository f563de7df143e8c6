#include "client/step_agent.hpp"

#include "client/frame_link.hpp"
#include "client/step_task.hpp"
#include "model/core_set.hpp"
#include "model/job_id_text.hpp"
#include "peer.pb.h"
#include "wire/blocking.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/job_id.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t read_at_once = std::size_t{32} << 10;
// Over this the tasks' output is not read: they wait for whoever reads it in the end.
constexpr std::size_t most_queued = std::size_t{256} << 10;
constexpr auto dial_pause = 200ms;
constexpr int streams = 3;

class Agent {
    struct Task {
        pid_t pid = 0;
        std::optional<int> status;
        bool told = false;
        Fd pipes[streams]; // our ends
        std::string input; // to be written
        bool input_ends = false;
    };

    FrameLink link_;
    OwnState own_;
    Fd signals_;
    std::optional<wire::AgentPlace> place_;
    std::map<std::uint32_t, Task> tasks_; // by rank
    bool started_ = false;

    void refuse(const Error& error)
    {
        wire::FromAgent message;
        *message.mutable_refused() = wire::to_message(error);
        link_.send(message);
    }

    void signal_all(int signal) const
    {
        for (const auto& [rank, task] : tasks_)
            if (task.pid > 0 && !task.status)
                ::kill(-task.pid, signal);
    }

    // Those of the job itself that differ on each node are this one's.
    static std::vector<std::string> environment(const wire::AgentStart& start, const wire::AgentTaskStart& task, const wire::StepTask& place)
    {
        constexpr const char* of_the_node[] = {"JARVIS_TMPDIR", "JARVIS_STEP_SOCKET", "JARVIS_CONF"};
        std::map<std::string, std::string, std::less<>> variables;
        const auto add = [&](const std::string& text) {
            const auto name = text.substr(0, text.find('='));
            variables.insert_or_assign(name, text);
        };
        for (const auto& one : start.environment())
            add(one);
        for (const char* name : of_the_node)
            if (const char* value = std::getenv(name); value && variables.contains(name))
                add(fmt::format("{}={}", name, value));
        for (const auto& one : task.environment())
            add(one);
        if (place.pus_size() > 0) {
            CoreSet pus;
            for (const auto pu : place.pus())
                pus.insert(pu);
            add(fmt::format("JARVIS_CPU_LIST={}", format_list(pus)));
        }
        std::vector<std::string> all;
        for (auto& [name, text] : variables)
            all.push_back(std::move(text));
        return all;
    }

    Result<void> start_one(const wire::AgentStart& start, const wire::AgentTaskStart& wanted, const wire::StepTask& place, TaskStart& how)
    {
        auto& task = tasks_[wanted.rank()];
        Fd theirs[streams];
        for (int stream = 0; stream < streams; ++stream) {
            if (stream == 0 && !wanted.input()) {
                theirs[0] = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
                continue;
            }
            int ends[2];
            if (::pipe2(ends, O_CLOEXEC) != 0)
                return std::unexpected(system_error(errno, "cannot make a pipe"));
            task.pipes[stream] = Fd(ends[stream == 0 ? 1 : 0]);
            theirs[stream] = Fd(ends[stream == 0 ? 0 : 1]);
            ::fcntl(task.pipes[stream].get(), F_SETFL, O_NONBLOCK);
        }
        how.input = theirs[0].get();
        how.output = theirs[1].get();
        how.error = theirs[2].get();
        how.environment = environment(start, wanted, place);
        how.pus.assign(place.pus().begin(), place.pus().end());
        how.numa_nodes.assign(place.numa_nodes().begin(), place.numa_nodes().end());
        how.interleave = start.interleave();
        how.cgroup = place_->cgroup();
        if (!how.cgroup.empty() && place_->tasks_size() > 1)
            how.cgroup += fmt::format("/task_{}", wanted.rank());
        auto pid = start_task(how, own_);
        if (!pid)
            return fail(pid.error(), "task {}", wanted.rank());
        task.pid = *pid;
        return {};
    }

    Result<void> start(const wire::AgentStart& start)
    {
        if (!place_ || started_)
            return fail(Errc::invalid, "it is not the time to start tasks");
        started_ = true;
        if (::chdir(start.folder().c_str()) != 0)
            return std::unexpected(system_error(errno, fmt::format("cannot enter {}", start.folder())));
        ::umask(start.umask() & 0777);
        std::string path;
        for (const auto& variable : start.environment())
            if (variable.starts_with("PATH="))
                path = variable.substr(5);
        const auto program = find_program(start.program(), path.empty() ? nullptr : path.c_str());
        if (!program)
            return std::unexpected(program.error());
        std::vector<char*> arguments;
        for (const auto& argument : start.arguments())
            arguments.push_back(const_cast<char*>(argument.c_str()));
        arguments.push_back(nullptr);
        TaskStart how{.program = program->c_str(), .arguments = arguments.data()};
        for (const auto& wanted : start.tasks()) {
            const auto place = std::ranges::find(place_->tasks(), wanted.rank(), &wire::AgentTask::rank);
            if (place == place_->tasks().end())
                return fail(Errc::invalid, "task {} is not for this node", wanted.rank());
            if (auto good = start_one(start, wanted, place->task(), how); !good)
                return good;
        }
        wire::FromAgent message;
        *message.mutable_started() = *place_;
        link_.send(message);
        return {};
    }

    // False: this is the end.
    bool take(const std::string& frame)
    {
        auto message = wire::parse<wire::ToAgent>(frame);
        if (!message)
            return false;
        if (message->has_place()) {
            place_ = std::move(*message->mutable_place());
        } else if (message->has_start()) {
            if (auto good = start(message->start()); !good) {
                refuse(good.error());
                return false;
            }
        } else if (message->body_case() == wire::ToAgent::kSignal) {
            signal_all(message->signal());
        } else if (message->has_input()) {
            if (const auto task = tasks_.find(message->input().rank()); task != tasks_.end()) {
                task->second.input += message->input().data();
                task->second.input_ends |= message->input().data().empty();
                write_input(task->first, task->second);
            }
        } else if (message->has_shut()) {
            const auto stream = message->shut().stream();
            if (const auto task = tasks_.find(message->shut().rank()); task != tasks_.end() && (stream == 1 || stream == 2))
                task->second.pipes[stream] = Fd();
        }
        return true;
    }

    void write_input(std::uint32_t rank, Task& task)
    {
        std::size_t written = 0;
        while (task.pipes[0] && written < task.input.size()) {
            const auto size = ::write(task.pipes[0].get(), task.input.data() + written, task.input.size() - written);
            if (size < 0 && errno == EINTR)
                continue;
            if (size < 0 && errno == EAGAIN)
                break;
            if (size < 0)
                task.pipes[0] = Fd();
            else
                written += static_cast<std::size_t>(size);
        }
        if (!task.pipes[0])
            written = task.input.size(); // nobody will read it
        task.input.erase(0, written);
        if (task.input_ends && task.input.empty())
            task.pipes[0] = Fd();
        if (written == 0)
            return;
        wire::FromAgent message;
        message.mutable_taken()->set_rank(rank);
        message.mutable_taken()->set_bytes(static_cast<std::uint32_t>(written));
        link_.send(message);
    }

    void read_output(std::uint32_t rank, Task& task, int stream)
    {
        char part[read_at_once];
        const auto size = ::read(task.pipes[stream].get(), part, sizeof part);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0) {
            task.pipes[stream] = Fd();
            return;
        }
        wire::FromAgent message;
        auto& output = *message.mutable_output();
        output.set_rank(rank);
        output.set_stream(static_cast<std::uint32_t>(stream));
        output.set_data(part, static_cast<std::size_t>(size));
        link_.send(message);
    }

    void reap()
    {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        }
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
            for (auto& [rank, task] : tasks_)
                if (task.pid == pid)
                    task.status = status;
    }

    // Its output first: what is in its pipes now. A process that it left behind may hold them open for ever.
    bool say_ends()
    {
        bool all = started_;
        for (auto& [rank, task] : tasks_) {
            if (!task.status || task.told) {
                all = all && task.told;
                continue;
            }
            bool drained = true;
            for (int stream = 1; stream < streams; ++stream) {
                pollfd ready{task.pipes[stream].get(), POLLIN, 0};
                while (task.pipes[stream] && link_.queued() < most_queued && ::poll(&ready, 1, 0) > 0)
                    read_output(rank, task, stream);
                drained = drained && (!task.pipes[stream] || ::poll(&ready, 1, 0) <= 0);
            }
            all = all && drained;
            if (!drained)
                continue;
            task.told = true;
            for (auto& pipe : task.pipes)
                pipe = Fd();
            wire::FromAgent message;
            message.mutable_ended()->set_rank(rank);
            message.mutable_ended()->set_status(*task.status);
            link_.send(message);
        }
        return all;
    }

public:
    explicit Agent(FrameLink link) : link_(std::move(link)) {}

    // Until the connection ends; then so do the tasks.
    void run()
    {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1); // without cgroups the node daemon finds below us what tasks leave behind
        sigset_t set;
        ::sigemptyset(&set);
        ::sigprocmask(SIG_SETMASK, nullptr, &own_.signals);
        ::sigaddset(&set, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &set, nullptr);
        signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
        ::signal(SIGPIPE, SIG_IGN);
        ::getrlimit(RLIMIT_NOFILE, &own_.files);
        const rlimit most{own_.files.rlim_max, own_.files.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &most); // pipes of each task
        serve();
        signal_all(SIGKILL);
        while (link_.wants_to_write()) {
            pollfd ready{link_.fd(), POLLOUT, 0};
            if (::poll(&ready, 1, 5000) <= 0 || (ready.revents & POLLHUP) != 0)
                break;
            link_.flush();
        }
    }

private:
    struct Wait {
        std::uint32_t rank;
        int stream;
    };

    void serve()
    {
        std::vector<pollfd> waits;
        std::vector<Wait> pipes;
        while (true) {
            const bool may_read = link_.queued() < most_queued;
            waits.assign({{signals_.get(), POLLIN, 0}, {link_.fd(), static_cast<short>(POLLIN | (link_.wants_to_write() ? POLLOUT : 0)), 0}});
            pipes.clear();
            for (const auto& [rank, task] : tasks_)
                for (int stream = 0; stream < streams; ++stream) {
                    if (!task.pipes[stream] || (stream == 0 ? task.input.empty() : !may_read))
                        continue;
                    waits.push_back({task.pipes[stream].get(), static_cast<short>(stream == 0 ? POLLOUT : POLLIN), 0});
                    pipes.push_back({rank, stream});
                }
            ::poll(waits.data(), waits.size(), -1);
            if ((waits[1].revents & POLLOUT) != 0)
                link_.flush();
            for (std::size_t i = 0; i < pipes.size(); ++i) {
                if (waits[i + 2].revents == 0)
                    continue;
                auto& task = tasks_[pipes[i].rank];
                if (pipes[i].stream == 0)
                    write_input(pipes[i].rank, task);
                else if (task.pipes[pipes[i].stream])
                    read_output(pipes[i].rank, task, pipes[i].stream);
            }
            if ((waits[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
                if (!link_.receive())
                    return;
                while (true) {
                    auto frame = link_.next();
                    if (!frame || (*frame && !take(**frame)))
                        return;
                    if (!*frame)
                        break;
                }
            }
            reap();
            (void)say_ends();
        }
    }
};

wire::FromRun introduction(JobId job, std::uint64_t token)
{
    wire::FromRun message;
    auto& agent = *message.mutable_agent();
    *agent.mutable_hello() = wire::make_hello(wire::Hello::CLIENT, "jagent", wall_now());
    wire::put_job_id(job, agent);
    agent.set_token(token);
    return message;
}

[[noreturn]] void serve_step(const std::string& socket, JobId job, std::uint64_t token)
{
    auto link = FrameLink::connect(socket);
    if (!link)
        ::_exit(1);
    link->send(introduction(job, token));
    Agent(std::move(*link)).run();
    ::_exit(0);
}

} // namespace

int run_agent(const std::string& socket, const std::string& job_text)
{
    const auto job = parse_job_id(job_text);
    if (!job)
        return 2;
    while (true) {
        auto connection = wire::BlockingConnection::connect(socket, 5s);
        if (connection && connection->send(introduction(*job, 0), wire::deadline_in(5s)))
            while (auto message = connection->receive<wire::ToRun>(wire::no_deadline)) {
                while (::waitpid(-1, nullptr, WNOHANG) > 0) {
                }
                if (!message->has_fork() || ::fork() != 0)
                    continue;
                ::close(connection->fd()); // its end is to say that the one that waits is gone
                serve_step(socket, *job, message->fork().token());
            }
        ::poll(nullptr, 0, static_cast<int>(dial_pause / 1ms)); // the node daemon is started anew
    }
}

} // namespace jarvis::client
