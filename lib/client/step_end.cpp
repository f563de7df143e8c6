// The part of StepRun that says how a step ended: to its node daemon, to whoever called, and as an exit code.
#include "client/step_run.hpp"

#include "base/units.hpp"
#include "client/exit_codes.hpp"
#include "model/core_set.hpp"

#include <algorithm>

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

namespace jarvis::client {
namespace {

using namespace std::chrono_literals;

// What is left in the step's cgroup is killed before its end is recorded, and that may take its time.
constexpr auto record_limit = 60s;

} // namespace

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
            highest = std::max(highest, WIFEXITED(*task.status) ? WEXITSTATUS(*task.status) : exit_of_signal + WTERMSIG(*task.status));
    return highest;
}

} // namespace jarvis::client
