#include "client/step_inner.hpp"

#include "base/units.hpp"
#include "client/exit_codes.hpp"
#include "client/frame_link.hpp"
#include "client/step_frames.hpp"
#include "steps.pb.h"
#include "wire/clocks.hpp"
#include "wire/hello.hpp"
#include "wire/job_id.hpp"
#include "wire/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::client {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// A caller that lives has seen by then that the job runs, and the job is not to hold its cores for one that does not.
constexpr auto call_limit = 2min;
constexpr auto dial_pause = 500ms;
constexpr int handled[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};

struct Call {
    FrameLink link;
    bool input = false; // the caller will send some
};

int milliseconds_to(Clock::time_point end)
{
    return static_cast<int>(std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count(), 0));
}

// Nothing: the connection ended, or the time is over.
std::optional<Call> await_start(FrameLink link, Clock::time_point end)
{
    while (true) {
        pollfd ready{link.fd(), POLLIN, 0};
        if (::poll(&ready, 1, milliseconds_to(end)) <= 0 || !link.receive())
            return std::nullopt;
        const auto frame = link.next();
        const auto message = frame && *frame ? wire::parse<wire::ToAgent>(**frame) : wire::ToAgent();
        if (!frame || !message || (*frame && !message->has_start()))
            return std::nullopt;
        if (*frame)
            return Call{std::move(link), message->start().tasks_size() > 0 && message->start().tasks(0).input()};
    }
}

// Over restarts of the node daemon.
std::optional<Call> await_call(const std::string& token, const std::string& socket, JobId job)
{
    const auto end = Clock::now() + call_limit;
    while (Clock::now() < end) {
        if (auto link = FrameLink::connect(socket)) {
            wire::FromRun message;
            auto& inner = *message.mutable_inner();
            *inner.mutable_hello() = wire::make_hello(wire::Hello::CLIENT, "jrun", wall_now());
            wire::put_job_id(job, inner);
            inner.set_token(token);
            link->send(message);
            if (auto call = await_start(std::move(*link), end))
                return call;
        }
        ::poll(nullptr, 0, static_cast<int>(dial_pause / 1ms));
    }
    return std::nullopt;
}

// The process that stays, between the caller and the child that is the jrun of the step.
class Keeper {
    StepFrames frames_;
    pid_t child_;
    Fd to_child_; // a byte is a signal for the tasks
    Fd signals_;
    pid_t daemon_ = 0;
    std::optional<int> status_; // of the child

    void send_signal(int signal) const
    {
        const char byte = static_cast<char>(signal);
        (void)!::send(to_child_.get(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }

    // What the node daemon sends goes to every process of the job: the child has it already.
    void read_signals()
    {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info)
            if (info.ssi_signo != SIGCHLD && (info.ssi_pid == 0 || static_cast<pid_t>(info.ssi_pid) != daemon_))
                send_signal(static_cast<int>(info.ssi_signo));
        int status = 0;
        if (!status_ && ::waitpid(child_, &status, WNOHANG) == child_) {
            status_ = status;
            frames_.ended(child_, status);
        }
    }

public:
    Keeper(FrameLink link, pid_t daemon, pid_t child, TaskPipes pipes, Fd to_child, Fd signals)
        : frames_(std::move(link)), child_(child), to_child_(std::move(to_child)), signals_(std::move(signals)), daemon_(daemon)
    {
        frames_.add(0, child_, std::move(pipes.ours));
    }

    // The connection ends when the caller has heard the end, or is gone; then the child hears that, ends its tasks, and ends.
    int run()
    {
        wire::FromAgent started;
        started.mutable_started();
        frames_.send(started);
        frames_.serve(signals_.get(), [this] { read_signals(); },
                      [this](wire::ToAgent&& message) {
                          if (message.body_case() == wire::ToAgent::kSignal)
                              send_signal(message.signal());
                          return true;
                      });
        frames_.close();
        to_child_ = Fd();
        int status = status_.value_or(0);
        while (!status_ && ::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : exit_of_signal + WTERMSIG(status);
    }
};

// Twice: as the child, with the descriptor that it hears the caller on. The other one does not come back.
Result<Fd> divide(Call call)
{
    auto pipes = make_task_pipes(call.input);
    if (!pipes)
        return std::unexpected(pipes.error());
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return std::unexpected(system_error(errno, "cannot make a pair of sockets"));
    Fd to_child(ends[0]), from_keeper(ends[1]);
    const auto daemon = wire::peer_credentials(call.link.fd());
    sigset_t set, before;
    ::sigemptyset(&set);
    for (const int signal : handled)
        ::sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, &before);
    const auto child = ::fork();
    if (child < 0)
        return std::unexpected(system_error(errno, "cannot fork"));
    if (child > 0) {
        from_keeper = Fd();
        for (auto& end : pipes->theirs)
            end = Fd();
        Keeper keeper(std::move(call.link), daemon ? daemon->pid : 0, child, std::move(*pipes), std::move(to_child),
                      Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)));
        ::_exit(keeper.run());
    }
    for (int stream = 0; stream < standard_streams; ++stream)
        if (::dup2(pipes->theirs[static_cast<std::size_t>(stream)].get(), stream) < 0)
            ::_exit(static_cast<int>(Exit::failed));
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return from_keeper;
}

} // namespace

Result<Fd> meet_caller(const CallerPlace& place, const std::string& socket, JobId job)
{
    auto taken = take_descriptors_of_caller(place);
    if (taken)
        return taken;
    auto call = await_call(place.token, socket, job);
    if (!call)
        return fail(Errc::unavailable, "{}, and its caller did not come within {}", taken.error().message,
                    format_duration_exact(call_limit));
    return divide(std::move(*call));
}

} // namespace jarvis::client
