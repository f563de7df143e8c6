// Whether the kernel killed processes of a job for want of memory, and how its owner is told.
#pragma once

#include "base/result.hpp"
#include "owner.hpp"

#include "shepherd.pb.h"

#include <optional>
#include <string>
#include <string_view>

namespace jarvis::shepherd {

// After the job's last process has ended and before its cgroup is removed. In words, or nothing: it did not.
std::optional<std::string> find_oom(const wire::LaunchOrder& order);

// The words as the last line of the file that the job's errors go to, written as its owner. A file that is gone, or is none
// (a device, a pipe), is left alone.
Result<void> append_to_error_file(const wire::LaunchOrder& order, const Owner& owner, const std::string& words);

// What the kernel's log says of the last process that it killed in this cgroup or below: "python3 (process 214)". `log` is
// its records, one a line; `group` the path of the cgroup, of which the last three names count (a container or a mount may
// show another beginning of it).
std::string killed_process(std::string_view log, std::string_view group);

} // namespace jarvis::shepherd
