// How often something may happen: a bucket that holds a second's worth and is filled evenly.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace jarvis::daemon {

class RateLimit {
    using Clock = std::chrono::steady_clock;
    Clock::time_point full_at_{}; // when the bucket is full again

public:
    // Whether one more may happen now; it is counted if so. The rate may differ from call to call; 0 is no limit.
    bool take(Clock::time_point now, std::uint64_t per_second)
    {
        if (per_second == 0)
            return true;
        constexpr auto capacity = std::chrono::duration_cast<Clock::duration>(std::chrono::seconds(1));
        const auto full_at = std::max(full_at_, now) + capacity / static_cast<std::int64_t>(per_second);
        if (full_at > now + capacity)
            return false;
        full_at_ = full_at;
        return true;
    }
};

} // namespace jarvis::daemon
