// A part of the accounting history: steps of one incarnation that were journaled together.
#pragma once

#include "base/result.hpp"
#include "model/step.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::journal {

std::string encode_steps(std::span<const StepEnd> steps);
Result<std::vector<StepEnd>> decode_steps(std::string_view bytes);

} // namespace jarvis::journal
