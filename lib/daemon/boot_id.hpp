#pragma once

#include "base/result.hpp"

#include <string>

namespace jarvis::daemon {

// The kernel's random id of this boot, without its line end. Tests give another file.
Result<std::string> read_boot_id(const std::string& file = "/proc/sys/kernel/random/boot_id");

} // namespace jarvis::daemon
