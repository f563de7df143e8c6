// The clocks of this machine, and which boot this is.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <string>

namespace jarvis::daemon {

// Microseconds of CLOCK_BOOTTIME: since the boot, suspend included; never moved by anybody.
std::int64_t boottime_us();
WallTime wall_now();

// The kernel's random id of this boot, without its line end. Tests give another file.
Result<std::string> read_boot_id(const std::string& file = "/proc/sys/kernel/random/boot_id");

} // namespace jarvis::daemon
