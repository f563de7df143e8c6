// Resource limits by their names: as getrlimit(2) has them, without RLIMIT_.
#pragma once

#include "model/job_request.hpp"

#include <vector>

namespace jarvis::noded {

// What this process has: an ordinary user cannot give a job a higher hard limit.
std::vector<ResourceLimit> own_hard_limits();

} // namespace jarvis::noded
