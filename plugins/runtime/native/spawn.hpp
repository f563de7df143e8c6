// Makes the process that run_child() runs in.
#pragma once

#include "child.hpp"

#include <sys/types.h>

namespace native {

// The process has executed the job's program when this returns its number. Otherwise it returns -1, nothing of it is
// left, and `failure` says why. Blocks for as long as the child needs to open the user's files.
pid_t spawn(const jarvis_launch& launch, Failure& failure);

} // namespace native
