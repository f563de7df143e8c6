// What a job takes with it from where it was submitted: variables (--export) and resource limits (--propagate).
#pragma once

#include "base/result.hpp"
#include "model/job_request.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jarvis::client {

// --export=ALL|NONE|NAME[=VALUE],...; ALL can be one of a list: ALL,NAME=VALUE.
struct ExportPolicy {
    bool all = true;
    std::vector<std::string> names;                             // taken from the submitter
    std::vector<std::pair<std::string, std::string>> settings;  // set as they stand
};
// A value ends at the next comma.
Result<ExportPolicy> parse_export(std::string_view text);

struct ExportedEnvironment {
    std::vector<std::string> variables; // "NAME=VALUE", by name
    std::vector<std::string> missing;   // names that the policy takes and the submitter does not have
};
// JSUB_* and JARVIS_* never go with a job: they speak of where it was submitted.
ExportedEnvironment export_environment(const ExportPolicy& policy, std::span<const std::string> environment);

// PATH with the folder moved to its end, if it stands first: with our jq first, a job's scripts would get the queue
// where they mean the JSON processor.
std::string path_without_first(std::string_view path, std::string_view folder);
// The folder of the running program if a jq of ours is in it; else empty.
std::string own_folder_with_jq();

// --propagate=ALL|NONE|NAME,...: names as getrlimit(2) has them without RLIMIT_, in either case; in capitals here.
Result<std::vector<std::string>> parse_propagate(std::string_view text);
// The limits that hold in this process.
Result<std::vector<ResourceLimit>> current_limits(std::span<const std::string> names);

// This process's environment.
std::vector<std::string> process_environment();

} // namespace jarvis::client
