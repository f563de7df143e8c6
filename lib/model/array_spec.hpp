// --array=0-99:2%10,200: the tasks of an array and how many of them may run at once.
#pragma once

#include "base/index_set.hpp"
#include "base/keyed_hash.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace jarvis {

struct ArraySpec {
    IndexSet tasks;             // empty: not an array
    std::uint32_t throttle = 0; // at most so many at once; 0: no limit
    friend bool operator==(const ArraySpec&, const ArraySpec&) = default;
};
struct HashArraySpec {
    std::uint64_t operator()(const ArraySpec& spec) const noexcept
    {
        std::uint64_t hash = spec.throttle;
        for (const auto& [first, last] : spec.tasks.ranges())
            hash = keyed_hash({}, hash ^ std::uint64_t{first} << 32 ^ last);
        return keyed_hash({}, hash);
    }
};

// The %N stands behind any part and holds for the whole array. At least one task.
Result<ArraySpec> parse_array_spec(std::string_view text);
// "0-98:2,200%10".
std::string format_array_spec(const ArraySpec& spec);

// JARVIS_ARRAY_TASK_STEP: the distance from task to task where all have the same one, else 1.
std::uint32_t array_step(const IndexSet& tasks);

// What a task's environment says of its array.
struct ArrayShape {
    std::uint32_t min = 0, max = 0, step = 1, count = 0;
    friend bool operator==(const ArrayShape&, const ArrayShape&) = default;
};
// Of at least one task.
ArrayShape shape_of(const IndexSet& tasks);

} // namespace jarvis
