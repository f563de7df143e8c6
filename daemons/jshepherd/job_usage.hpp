// What a job used, as far as the kernel counted it.
#pragma once

#include "shepherd.pb.h"

#include <string>

namespace jarvis::shepherd {

// Of the job's cgroup (empty: it has none) and of this process's children, all of which were waited for. After the last process of the
// job has ended and before its group is removed. The elapsed time is not touched.
void add_usage(const std::string& group, wire::Usage& usage);

} // namespace jarvis::shepherd
