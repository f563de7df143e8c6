// The limits of an IPC namespace, which are settings of a site (sysctl.d(5)); a new namespace begins with the kernel's own.
#pragma once

#include "base/result.hpp"

#include <array>
#include <string>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

namespace jarvis::shm {

// Of most of them the kernel tells by system calls, which cost a tenth of reading their files: it is done for each job.
struct IpcLimits {
    shminfo shared{};
    seminfo semaphores{};
    msginfo queues{};
    std::array<std::string, 6> others; // by file; what this kernel has not is empty
};

// Of the namespace that the caller is in.
IpcLimits read_ipc_limits();
// Gives these to it.
Result<void> set_ipc_limits(const IpcLimits& wanted);

} // namespace jarvis::shm
