// The checks that need more than one value of the configuration.
#pragma once

#include "config/config.hpp"

#include <vector>

namespace jarvis::config {

// Adds what is wrong to problems. `config` holds what could be read; values that could not have their defaults.
void check(const Config& config, std::vector<Problem>& problems);

} // namespace jarvis::config
