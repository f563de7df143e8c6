#include "client/step_agent.hpp"

#include "client/frame_link.hpp"
#include "client/step_frames.hpp"
#include "client/step_task.hpp"
#include "model/core_set.hpp"
#include "model/job_id_text.hpp"
#include "peer.pb.h"
#include "wire/blocking.hpp"
#include "wire/clocks.hpp"
#include "wire/job_id.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>
#include <optional>
#include <vector>

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

constexpr auto dial_pause = 200ms;

class Agent {
    StepFrames frames_;
    OwnState own_;
    Fd signals_;
    std::optional<wire::AgentPlace> place_;
    bool started_ = false;

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
        auto pipes = make_task_pipes(wanted.input());
        if (!pipes)
            return std::unexpected(pipes.error());
        how.input = pipes->theirs[0].get();
        how.output = pipes->theirs[1].get();
        how.error = pipes->theirs[2].get();
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
        frames_.add(wanted.rank(), *pid, std::move(pipes->ours));
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
        frames_.send(message);
        return {};
    }

    // False: this is the end.
    bool take(wire::ToAgent&& message)
    {
        if (message.has_place()) {
            place_ = std::move(*message.mutable_place());
        } else if (message.has_start()) {
            if (auto good = start(message.start()); !good) {
                frames_.refuse(good.error());
                return false;
            }
        } else if (message.body_case() == wire::ToAgent::kSignal) {
            frames_.signal_all(message.signal());
        }
        return true;
    }

    void reap()
    {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        }
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
            frames_.ended(pid, status);
    }

public:
    explicit Agent(FrameLink link) : frames_(std::move(link)) {}

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
        frames_.serve(signals_.get(), [this] { reap(); }, [this](wire::ToAgent&& message) { return take(std::move(message)); });
        frames_.signal_all(SIGKILL);
        frames_.flush();
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
