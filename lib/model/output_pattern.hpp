// The patterns of output, error and input paths: "jarvis-%j.out".
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace jarvis {

// What the places of a pattern stand for. Outside arrays %A is as %j and %a is 0.
struct OutputPatternValues {
    std::string job;               // %j: "7", or "7_3" in an array
    std::string name;              // %x: the job's name, a slash in it as '_'
    std::string user;              // %u
    std::string array_job;         // %A; empty: as job
    std::string array_index = "0"; // %a
    std::string node;              // %N: the first node's name
};

constexpr std::string_view default_output_pattern = "jarvis-%j.out";

// Fails for an unknown place, naming its column (from 1) and the known ones, for a lone % and for a NUL byte.
Result<void> check_output_pattern(std::string_view pattern);

// The pattern must have been checked: what is unknown stays as it is.
std::string expand_output_pattern(std::string_view pattern, const OutputPatternValues& values);

} // namespace jarvis
