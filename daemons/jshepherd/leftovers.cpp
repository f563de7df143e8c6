// The launcher's part that deals with what dead shepherds leave behind.
//
// Every live shepherd is a subreaper, so no process of its job can become a child of the launcher. A child that the launcher
// does not know is therefore what a dead shepherd's job left, and is killed, unless it is a shepherd whose number the
// template has not told yet: those run our own program.
#include "launcher.hpp"
#include "processes.hpp"

#include <csignal>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

bool runs_our_program(pid_t pid)
{
    struct stat ours {};
    struct stat theirs {};
    return ::stat("/proc/self/exe", &ours) == 0 && ::stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &theirs) == 0
           && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

} // namespace

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
