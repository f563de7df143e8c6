// Why a job's process could not be started, in words for its owner.
#pragma once

#include "child.hpp"

#include <cstdint>

namespace native {

// Writes the message and returns whose fault it was (enum jarvis_fault).
std::uint32_t explain(const jarvis_launch& launch, const Failure& failure, char* text, std::uint32_t size);

} // namespace native
