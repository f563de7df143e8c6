// Resource limits by their names: as getrlimit(2) has them, without RLIMIT_.
#pragma once

#include "model/job_request.hpp"

#include <vector>

namespace jarvis::noded {

// The hard limits that this process cannot raise for a job: its own, or none with CAP_SYS_RESOURCE (which root has, but not
// in every container).
std::vector<ResourceLimit> limit_ceilings();

} // namespace jarvis::noded
