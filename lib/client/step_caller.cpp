#include "client/step_caller.hpp"

#include "client/query.hpp"

#include <algorithm>
#include <csignal>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace jarvis::client {
namespace {

using namespace std::chrono_literals;

constexpr int cancelling[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr int passed_on[] = {SIGUSR1, SIGUSR2, SIGWINCH};
constexpr auto quiet_wait = 2s;
// The node daemons close the connection when the job's processes are gone, so this is for a network that is cut.
constexpr auto drain_limit = 15s;

} // namespace

Fd block_caller_signals()
{
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : cancelling)
        ::sigaddset(&set, signal);
    for (const int signal : passed_on)
        ::sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Caller::Caller(const Program& program, Meeting& meeting, JobWatch& watch, std::uint64_t job, bool input, Fd signals)
    : program_(program), meeting_(meeting), watch_(watch),
      far_(job, meeting.place().token, input, [this](std::string_view text) { say(text); }), job_(job), signals_(std::move(signals))
{
}

void Caller::cancel()
{
    wire::Request request;
    auto& change = *request.mutable_change_jobs();
    change.set_action(wire::ChangeJobs::CANCEL);
    if (!filter_ids(*change.mutable_filter(), std::vector{fmt::format("{}", job_)}))
        return;
    if (const auto reply = ask_once(program_.name, std::move(request)); !reply)
        say(fmt::format("cannot cancel job {}: {}", job_, reply.error().message));
}

// The signal that ends this process too: the second one of those that cancel.
int Caller::read_signals()
{
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        const int signal = static_cast<int>(info.ssi_signo);
        if (std::ranges::find(cancelling, signal) == std::end(cancelling)) {
            const char byte = static_cast<char>(signal);
            if (near_)
                (void)!::send(near_.get(), &byte, 1, MSG_NOSIGNAL);
            far_.signal(signal);
        } else if (!std::exchange(cancelled_, true)) {
            say(fmt::format("cancelling job {}", job_));
            cancel();
        } else {
            return signal;
        }
    }
    return 0;
}

// A job that is started again after they have met finds nobody.
void Caller::meet()
{
    if (near_)
        far_.drop();
    else
        far_.look_for(watch_.node());
    if (!has_met())
        return;
    meeting_.close();
    watch_.stop_looking();
}

void Caller::give_up()
{
    given_up_ = true;
    say(fmt::format("{}; job {} is cancelled. jrun outside a job needs the node daemon (jnoded) of the machine that it is typed on, or "
                    "the job on that machine; jsub needs neither",
                    far_.hopeless(), job_));
    if (!std::exchange(cancelled_, true))
        cancel();
}

bool Caller::is_over()
{
    if (!watch_.has_ended())
        return false;
    if (!far_.has_met())
        far_.drop();
    if (!drain_)
        drain_ = Clock::now() + drain_limit;
    if (Clock::now() >= *drain_)
        far_.drop();
    return far_.is_over();
}

int Caller::wait_time(std::optional<Clock::time_point> quiet) const
{
    const auto left = [](Clock::time_point end) {
        return static_cast<int>(std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count(), 0));
    };
    int time = near_ ? -1 : far_.wait_time();
    for (const auto& end : {quiet, drain_})
        if (end && left(*end) > 0 && (time < 0 || left(*end) < time))
            time = left(*end);
    return time;
}

int Caller::serve()
{
    std::optional quiet(Clock::now() + quiet_wait);
    std::vector<pollfd> waits;
    while (!is_over()) {
        waits.assign({{watch_.fd(), POLLIN, 0}, {signals_.get(), POLLIN, 0}, {meeting_.fd(), POLLIN, 0}});
        far_.add_to(waits);
        ::poll(waits.data(), waits.size(), wait_time(quiet));
        if (waits[0].revents != 0)
            watch_.clear();
        if (waits[1].revents != 0)
            if (const int signal = read_signals(); signal != 0)
                return signal;
        if (waits[2].revents != 0)
            near_ = meeting_.hand_over();
        far_.handle(waits.data() + 3);
        meet();
        if (!far_.hopeless().empty() && !given_up_ && !has_met())
            give_up();
        if (has_met())
            quiet.reset();
        if (quiet && Clock::now() >= *quiet) {
            quiet.reset();
            if (watch_.node().empty())
                say(fmt::format("waiting for job {} to start", job_));
        }
    }
    return 0;
}

} // namespace jarvis::client
