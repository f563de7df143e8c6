// --dependency=afterok:5:6,after:7+10m,singleton: what must have happened to other jobs before a job may start.
#pragma once

#include "base/ids.hpp"
#include "base/keyed_hash.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis {

// Stored in the journal by number: never renumber.
enum class DependencyKind : std::uint8_t {
    after = 1,      // it started (and so long ago), or will never start
    afterok = 2,    // it ended well
    afterany = 3,   // it ended
    afternotok = 4, // it ended otherwise than well
    aftercorr = 5,  // of an array: the task of the same number ended well
    singleton = 6,  // no earlier job of the same owner and name is pending or running
};
std::string_view name(DependencyKind kind);

struct Dependency {
    DependencyKind kind = DependencyKind::afterok;
    JobId job;        // singleton: none
    Duration delay{}; // of after, from the start on
    friend bool operator==(const Dependency&, const Dependency&) = default;
};

struct Dependencies {
    bool any = false; // one of them is enough; else all must hold. False where there are fewer than two
    std::vector<Dependency> list;
    bool empty() const { return list.empty(); }
    friend bool operator==(const Dependencies&, const Dependencies&) = default;
};
struct HashDependencies {
    std::uint64_t operator()(const Dependencies& dependencies) const noexcept
    {
        std::uint64_t hash = dependencies.any;
        for (const auto& [kind, job, delay] : dependencies.list) {
            hash = keyed_hash({}, hash ^ job.value << 8 ^ static_cast<std::uint64_t>(kind));
            hash = keyed_hash({}, hash ^ std::uint64_t{job.task} << 32 ^ static_cast<std::uint64_t>(delay.count()));
        }
        return keyed_hash({}, hash);
    }
};

constexpr std::size_t max_dependencies = 10'000;

// Parts joined by ',' (all) or by '?' (any), in the order written; what is named twice is kept once.
Result<Dependencies> parse_dependencies(std::string_view text);
// "afterok:5:6,after:7+10m,singleton"; read back by parse_dependencies to the same.
std::string format_dependencies(const Dependencies& dependencies);

} // namespace jarvis
