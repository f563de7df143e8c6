// What a cgroup has used so far, as far as the kernel counts it.
#pragma once

#include "common.pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jarvis::cgroup {

// What the wire takes of one number; a cluster's worth of disks comes near it.
std::int64_t bounded(std::int64_t value);

// Takes what the group's files say into `usage`. Times and faults that it knows more of already, from processes that were waited for,
// stay. The elapsed time is not touched.
void add_usage(const std::string& group, wire::Usage& usage);

// How many of the last ten seconds some process waited, in hundredths of a percent ("cpu.pressure" and so on); nothing without PSI.
std::optional<std::uint32_t> recent_pressure(const std::string& group, std::string_view file);

} // namespace jarvis::cgroup
