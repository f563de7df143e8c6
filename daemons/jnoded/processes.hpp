// Processes found through /proc, and signals that reach only who was meant: each is sent through a pidfd that was opened
// before the process was looked at again, so a number that was given to another process meanwhile is never hit.
#pragma once

#include "base/fd.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace jarvis::noded {

struct Process {
    pid_t pid = 0;
    pid_t parent = 0;
    char state = 0;               // as proc(5) has it: 'Z' is a zombie
    std::uint64_t start_time = 0; // clock ticks since the boot: with the pid it names a process for good
};
std::optional<Process> read_process(pid_t pid);

// All that descend from this process, without itself and without zombies. A subreaper keeps daemonised ones.
std::vector<pid_t> descendants(pid_t ancestor);

// Sends to those that `members` names twice, before and after their pidfds were opened; the answer counts them. Those
// whose pid cannot be signalled (another user's) are left out.
std::size_t signal_members(const std::function<std::vector<pid_t>()>& members, int signal);

// Refers to the process as long as it is open, also after the process's end; readable once it has ended.
Fd open_process(pid_t pid);
bool send_signal(const Fd& process, int signal);

} // namespace jarvis::noded
