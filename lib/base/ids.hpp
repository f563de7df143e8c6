// Distinct integer types for the things that have numbers, so that swapping a JobId and a NodeId does not compile.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include <fmt/format.h>

namespace jarvis {

template <class Tag, class Rep>
struct Id {
    using rep = Rep;
    Rep value{};

    friend constexpr auto operator<=>(Id, Id) = default;
};

// Growing, from first_job_id, never above 2^53 (so that any JSON reader keeps it exact); 0 is no job.
using JobId = Id<struct JobIdTag, std::uint64_t>;
// The index of a node in the controller's state; stable for as long as the cluster lives.
using NodeId = Id<struct NodeIdTag, std::uint32_t>;
// Counts the starts of one job that were requeued: the first start is incarnation 1.
using Incarnation = Id<struct IncarnationTag, std::uint32_t>;
// Counts the controller's starts; a node ignores a controller of an earlier epoch.
using Epoch = Id<struct EpochTag, std::uint64_t>;
// The number of an event group in the journal; the first group is 1, 0 is "nothing yet".
using SequenceNumber = Id<struct SequenceNumberTag, std::uint64_t>;

constexpr JobId max_job_id{std::uint64_t{1} << 53};

} // namespace jarvis

template <class Tag, class Rep>
struct std::hash<jarvis::Id<Tag, Rep>> {
    std::size_t operator()(jarvis::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};

template <class Tag, class Rep>
struct fmt::formatter<jarvis::Id<Tag, Rep>> : fmt::formatter<Rep> {
    auto format(jarvis::Id<Tag, Rep> id, fmt::format_context& context) const
    {
        return fmt::formatter<Rep>::format(id.value, context);
    }
};
