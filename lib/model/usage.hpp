// What happened: what one incarnation of a job used.
#pragma once

#include "base/memory_size.hpp"
#include "base/time.hpp"

#include <optional>

namespace jarvis {

struct Usage {
    Duration elapsed{};               // from the first process's start to the last one's end
    Duration cpu_user{};              // of all processes that were waited for
    Duration cpu_system{};
    std::optional<MemorySize> memory_peak; // where the node can tell

    friend bool operator==(const Usage&, const Usage&) = default;
};

} // namespace jarvis
