// What is left of a job's processes when the cgroup does not say: found by parentage. A shepherd (and the launcher above
// it) is a child subreaper, so whatever a job leaves behind becomes its child, however it was daemonised.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace jarvis::shepherd {

struct Process {
    pid_t pid = 0;
    pid_t parent = 0;
};

// All processes in /proc, in no order.
std::vector<Process> list_processes();
// Those below `root`, itself not included, parents before children.
std::vector<pid_t> descendants(const std::vector<Process>& processes, pid_t root);

// Reaps the children that have ended. True when there are children that have not.
bool reap_ended_children();

// Kills everything below this process and reaps it; returns when nothing is left. Processes that cannot die (stuck in a
// file system) are waited for: their cores are not free. Returns false when there was nothing to kill.
bool kill_descendants();

// Field 22 of /proc/self/stat: with the pid it names this process for ever. Empty if /proc is not there.
std::string own_start_time();

} // namespace jarvis::shepherd
