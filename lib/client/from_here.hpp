// What a job takes with it from where it is submitted, beyond its options.
#pragma once

#include "base/result.hpp"
#include "client/submit_options.hpp"
#include "common.pb.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace jarvis::client {

// Folders, host, umask and limits, as far as they were not asked for.
Result<void> describe_here(SubmitOptions& options);

// The variables that go with it; `warn` is told of those that are not here.
wire::Environment collect_environment(const ExportPolicy& policy, std::span<const std::string> all,
                                      const std::function<void(std::string_view)>& warn);

} // namespace jarvis::client
