// The limits of a job's cgroup: written before its first process is there, and read back.
#pragma once

#include "base/result.hpp"

#include "shepherd.pb.h"

#include <string>
#include <string_view>

namespace jarvis::shepherd {

// Fails with the first that the kernel does not take, or takes and says otherwise: "cpuset.cpus says 0-3, asked for 0-2".
Result<void> set_limits(const std::string& group, const wire::LaunchOrder& order);

// Whether what the kernel says is what was asked for: it rounds sizes down to whole pages, and writes lists its own way.
bool means_the_same(std::string_view file, std::string_view asked, std::string_view found);

} // namespace jarvis::shepherd
