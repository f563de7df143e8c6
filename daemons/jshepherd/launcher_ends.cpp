// The launcher's part that deals with the ends of processes: shepherds, and what dead shepherds leave behind.
//
// Every live shepherd is a subreaper, so no process of its job can become a child of the launcher. A child that the launcher
// does not know is therefore what a dead shepherd's job left, and is killed, unless it is a shepherd whose number the
// template has not told yet: those run our own program.
#include "launcher.hpp"

#include "job_cgroup.hpp"
#include "log.hpp"
#include "processes.hpp"

#include <algorithm>
#include <csignal>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

std::string describe_status(int status)
{
    return WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                               : fmt::format("exit code {}", WEXITSTATUS(status));
}

bool exited_with(int status, ShepherdExit code)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(code);
}

bool runs_our_program(pid_t pid)
{
    struct stat ours {};
    struct stat theirs {};
    return ::stat("/proc/self/exe", &ours) == 0 && ::stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &theirs) == 0
           && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

} // namespace

void Launcher::on_signals()
{
    // One of each kind at most is pending.
    signalfd_siginfo infos[4];
    const ssize_t size = ::read(signals_.get(), infos, sizeof infos);
    for (std::size_t i = 0; size > 0 && i < static_cast<std::size_t>(size) / sizeof infos[0]; ++i) {
        const auto number = static_cast<int>(infos[i].ssi_signo);
        if (number == SIGHUP)
            reopen_log();
        if (number == SIGTERM || number == SIGINT)
            stop();
    }
    reap();
}

void Launcher::reap()
{
    for (int status = 0;;) {
        const pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        on_ended(pid, status);
    }
}

void Launcher::on_ended(pid_t pid, int status)
{
    const auto known = by_pid_.find(pid);
    if (known == by_pid_.end()) {
        if (answers_due())
            strays_[pid] = status; // else a template, which its socket tells of, or what some job left behind
        return;
    }
    const JobKey key = known->second;
    by_pid_.erase(known);
    Shepherd& shepherd = shepherds_.at(key);
    if (pid == shepherd.cleaner)
        shepherd.phase = Shepherd::Phase::cleaned;
    else
        on_shepherd_ended(key, shepherd, status);
}

void Launcher::on_shepherd_ended(const JobKey& key, Shepherd& shepherd, int status)
{
    if (exited_with(status, ShepherdExit::done) || exited_with(status, ShepherdExit::no_record)
        || exited_with(status, ShepherdExit::started_before))
        return report_gone(key, status);
    log_error("job {}: its shepherd {} died ({}); what is left of the job is killed", key.job, shepherd.pid,
              describe_status(status));
    shepherd.wait_status = status;
    shepherd.phase = Shepherd::Phase::dead;
    clean_after(key, shepherd);
}

// Without a cgroup the processes are our children since the shepherd's death, and tick() finds them. With one they are too, and
// the kernel is quicker. Folder and cgroup are removed by a child of the template, since that may block.
void Launcher::clean_after(const JobKey& key, Shepherd& shepherd)
{
    leftovers_ = true;
    if (!shepherd.cgroup.empty())
        kill_cgroup(shepherd.cgroup);
    Runtime& runtime = *find_runtime(shepherd.runtime);
    runtime.link.add({key, RequestKind::clean, shepherd.cleaning, {}});
    if (!runtime.link.alive() && !runtime.uncertain)
        restart(runtime);
}

// Only when nothing of the job is left: its cores are given to the next one then.
void Launcher::report_cleaned()
{
    std::vector<std::pair<JobKey, int>> gone;
    for (const auto& [key, shepherd] : shepherds_)
        if (shepherd.phase == Shepherd::Phase::cleaned)
            gone.emplace_back(key, shepherd.wait_status);
    for (const auto& [key, status] : gone)
        report_gone(key, status);
}

std::vector<pid_t> Launcher::unknown_children(bool with_our_program) const
{
    std::vector<pid_t> result;
    for (const Process& process : list_processes()) {
        const bool is_template = std::ranges::any_of(
            runtimes_, [&](const Runtime& runtime) { return runtime.link.pid() == process.pid; });
        if (process.parent == ::getpid() && !is_template && !by_pid_.contains(process.pid)
            && (!with_our_program || runs_our_program(process.pid)))
            result.push_back(process.pid);
    }
    return result;
}

void Launcher::kill_leftovers()
{
    reap();
    const std::vector<Process> processes = list_processes();
    bool found = false;
    for (const pid_t child : unknown_children(false)) {
        found = true;
        if (answers_due() && runs_our_program(child))
            continue;
        for (const pid_t below : descendants(processes, child))
            ::kill(below, SIGKILL);
        ::kill(child, SIGKILL);
    }
    if (found)
        return; // the next tick reaps them and looks again
    report_cleaned();
    leftovers_ = std::ranges::any_of(shepherds_, [](const auto& entry) {
        return entry.second.phase == Shepherd::Phase::dead || entry.second.phase == Shepherd::Phase::cleaned;
    });
}

} // namespace jarvis::shepherd
