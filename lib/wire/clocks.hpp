// The clocks of this machine. Not for the cores: they are told what time it is.
#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <ctime>

namespace jarvis {

inline WallTime wall_now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

// Microseconds of CLOCK_BOOTTIME (clock_gettime(2)): since the boot, suspend included; never moved by anybody.
inline std::int64_t boottime_us()
{
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * std::int64_t{1'000'000} + now.tv_nsec / 1000;
}

} // namespace jarvis
