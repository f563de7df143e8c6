// The two clocks of the controller, as types that do not mix.
#pragma once

#include <chrono>
#include <cstdint>

namespace jarvis {

// Elapsed time of the cluster: never goes backwards, knows no zones, starts at 0 with the cluster's first event.
// Limits, time-outs and ages are counted in it. It has no now(): the owner of the state passes it in.
struct ElapsedClock {
    using rep = std::int64_t;
    using period = std::micro;
    using duration = std::chrono::microseconds;
    using time_point = std::chrono::time_point<ElapsedClock>;
    static constexpr bool is_steady = true;
};

using Duration = std::chrono::microseconds;
using Instant = ElapsedClock::time_point;

// Microseconds since 1970-01-01 UTC: for printing, --begin and reservations only.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

} // namespace jarvis
