// Sizes, durations, times of day and signals as people type and read them. One parser for options, scripts and TOML.
#pragma once

#include "base/memory_size.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace jarvis {

// No size that we parse is larger: 1 EiB.
constexpr MemorySize max_memory_size{std::int64_t{1} << 60};

// A plain number is MiB; K M G T are powers of 1024, also as KB or KiB; B is bytes. A fraction ("1.5G") is cut to whole
// bytes. Never negative, at most max_memory_size.
Result<MemorySize> parse_memory_size(std::string_view text);
// For people: at most four significant characters and a unit, rounded to nearest: "3.5G", "512M", "0".
std::string format_memory_size(MemorySize size);
// Read back by parse_memory_size to the same size: "3584M", "1025K", "17B".
std::string format_memory_size_exact(MemorySize size);

// No duration that we parse is longer, so that an instant plus a duration never overflows.
constexpr Duration max_duration = std::chrono::days{36500};

// A plain number is minutes; MM:SS, HH:MM:SS, D-HH[:MM[:SS]]; numbers with units d h m s ms us, largest first ("1h30m").
// Never negative, at most max_duration.
Result<Duration> parse_duration(std::string_view text);
// A duration, or "unlimited" or "infinite" in any case: nothing.
Result<std::optional<Duration>> parse_time_limit(std::string_view text);
// In the clock's form, cut to seconds: "00:00:05", "1-02:03:04".
std::string format_duration(Duration duration);
// Read back by parse_duration to the same duration: "1h30m", "10s", "500ms", "0s".
std::string format_duration_exact(Duration duration);
// "unlimited" for nothing.
std::string format_time_limit(const std::optional<Duration>& limit);

// When to begin: now, now+DURATION; HH:MM[:SS] (today, or tomorrow when that has passed); today, tomorrow (their first
// second), noon, midnight (the next one); YYYY-MM-DD, YYYY-MM-DDTHH:MM[:SS[.FRACTION]], with Z, +HH:MM or nothing for
// the local zone (TZ).
Result<WallTime> parse_wall_time(std::string_view text, WallTime now);
// "2026-11-21T08:54:52+01:00", in the local zone; parts of a second are cut.
std::string format_rfc3339(WallTime time);
// "2026-11-21T08:54:52", in the local zone: for columns that people read.
std::string format_wall_time(WallTime time);

// "TERM", "SIGTERM", "sigterm", "15", "RTMIN+2". Numbers that no program can send are refused.
Result<int> parse_signal(std::string_view text);
// "TERM", "RTMIN+2"; "signal 99" for what has no name.
std::string signal_name(int signal);

} // namespace jarvis
