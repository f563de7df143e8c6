// Why a job waits that has to do with other jobs, its own array or its own failures.
#pragma once

#include "cluster/reasons.hpp"

#include <optional>

namespace jarvis::cluster {

std::optional<WaitReason> relation_reason(const State& state, const Job& job);

} // namespace jarvis::cluster
