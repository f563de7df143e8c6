// Distinct integer types for the things that have numbers, so that swapping a JobId and a NodeId does not compile.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace jarvis {

template <class Tag, class Rep>
struct Id {
    using rep = Rep;
    Rep value{};

    friend constexpr auto operator<=>(Id, Id) = default;
};

// The number of a job or an array, for what no task is in: half as large as a JobId.
using JobNumber = Id<struct JobNumberTag, std::uint64_t>;

// A job, or a task of a job array: "7", "7_3". The number grows from first_job_id and is never above 2^53 (so that any
// JSON reader keeps it exact); 0 is no job. A task has its array's number; an array comes right before its tasks.
struct JobId {
    static constexpr std::uint32_t no_task = ~std::uint32_t{};

    std::uint64_t value{};
    std::uint32_t task = no_task;

    constexpr bool is_task() const { return task != no_task; }
    // The array that a task belongs to; of any other job, itself.
    constexpr JobId array() const { return {value}; }
    constexpr JobNumber number() const { return {value}; }

    friend constexpr bool operator==(JobId, JobId) = default;
    friend constexpr std::strong_ordering operator<=>(JobId a, JobId b)
    {
        if (auto order = a.value <=> b.value; order != 0)
            return order;
        return a.task + 1 <=> b.task + 1; // no_task wraps to 0
    }
};
// The index of a node in the controller's state; stable for as long as the cluster lives.
using NodeId = Id<struct NodeIdTag, std::uint32_t>;
// Counts the starts of one job that were requeued: the first start is incarnation 1.
using Incarnation = Id<struct IncarnationTag, std::uint32_t>;
// Counts the controller's starts; a node ignores a controller of an earlier epoch.
using Epoch = Id<struct EpochTag, std::uint64_t>;
// The number of an event group in the journal; the first group is 1, 0 is "nothing yet".
using SequenceNumber = Id<struct SequenceNumberTag, std::uint64_t>;

constexpr JobId max_job_id{std::uint64_t{1} << 53};
// The highest index of an array's tasks, and how many of them an array may have.
constexpr std::uint32_t max_array_task = 4'194'303;
constexpr std::uint32_t max_array_size = 1'000'000;

// "7" or "7_3", as they are printed, and nothing else.
std::optional<JobId> job_id_from_text(std::string_view text);

} // namespace jarvis

template <class Tag, class Rep>
struct std::hash<jarvis::Id<Tag, Rep>> {
    std::size_t operator()(jarvis::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};

template <>
struct std::hash<jarvis::JobId> {
    std::size_t operator()(jarvis::JobId id) const noexcept
    {
        return std::hash<std::uint64_t>{}(id.value ^ (std::uint64_t{id.task + 1} << 32));
    }
};

template <class Tag, class Rep>
struct fmt::formatter<jarvis::Id<Tag, Rep>> : fmt::formatter<Rep> {
    auto format(jarvis::Id<Tag, Rep> id, fmt::format_context& context) const
    {
        return fmt::formatter<Rep>::format(id.value, context);
    }
};

template <>
struct fmt::formatter<jarvis::JobId> {
    constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
    auto format(jarvis::JobId id, fmt::format_context& context) const
    {
        return id.is_task() ? fmt::format_to(context.out(), "{}_{}", id.value, id.task) : fmt::format_to(context.out(), "{}", id.value);
    }
};
