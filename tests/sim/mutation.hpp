// Switches for the faults of mutations.toml. One of them is on at most: that which the environment variable JARVIS_MUTATION names.
#pragma once

#include <cstdlib>
#include <string_view>

namespace jarvis::sim {

inline bool is_mutated(std::string_view name)
{
    const char* chosen = std::getenv("JARVIS_MUTATION");
    return chosen && name == chosen;
}

} // namespace jarvis::sim
