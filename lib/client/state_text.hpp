// States that came by number, from a controller that may know more of them than we do.
#pragma once

#include "client/table.hpp"
#include "model/job_state.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace jarvis::client {

inline std::optional<JobState> state_of(std::uint32_t number)
{
    for (JobState state : all_job_states)
        if (static_cast<std::uint32_t>(state) == number)
            return state;
    return {};
}

inline std::string_view state_name(std::uint32_t number)
{
    const auto state = state_of(number);
    return state ? name(*state) : "UNKNOWN";
}

inline std::string_view short_state_name(std::uint32_t number)
{
    const auto state = state_of(number);
    return state ? short_name(*state) : "?";
}

inline Colour state_colour(std::uint32_t number)
{
    switch (state_of(number).value_or(JobState::failed)) {
    case JobState::running:
        return Colour::green;
    case JobState::pending:
    case JobState::suspended:
    case JobState::completing:
        return Colour::yellow;
    case JobState::completed:
        return Colour::plain;
    case JobState::cancelled:
    case JobState::preempted:
        return Colour::dim;
    default:
        return Colour::red;
    }
}

} // namespace jarvis::client
