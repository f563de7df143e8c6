// What happened: what one incarnation of a job used.
#pragma once

#include "base/box.hpp"
#include "base/memory_size.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <optional>

namespace jarvis {

// What only some nodes can tell. Each field is empty where the kernel, or the confinement of the node, does not count it.
struct UsageDetail {
    std::optional<Duration> throttled{};         // held back by a processor quota
    std::optional<Duration> cpu_pressure{};      // some process waited for a processor (PSI "some", and so below)
    std::optional<Duration> memory_pressure{};   // ... for memory
    std::optional<Duration> io_pressure{};       // ... for a disk
    std::optional<std::int64_t> major_faults{};  // pages that had to be read back
    std::optional<MemorySize> read{};            // from block devices
    std::optional<MemorySize> written{};
    std::optional<MemorySize> page_cache{};      // files that were still in memory at the end: part of memory_peak, and not held
    std::optional<MemorySize> largest_process{}; // most memory that one process held at once (resident set)

    friend bool operator==(const UsageDetail&, const UsageDetail&) = default;
};

struct Usage {
    Duration elapsed{};               // from the first process's start to the last one's end
    Duration cpu_user{};              // of all processes that were waited for
    Duration cpu_system{};
    std::optional<MemorySize> memory_peak; // where the node can tell; with its page cache, which the kernel takes back in need
    Box<UsageDetail> detail{};

    friend bool operator==(const Usage&, const Usage&) = default;
};

} // namespace jarvis
