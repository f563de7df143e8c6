// The options of jsub: one table for the command line, the environment (JSUB_*), the directives of a script, --help and
// the test of the man page.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "client/command_line.hpp"
#include "client/environment.hpp"
#include "wire/convert.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::client {

struct SubmitOptions {
    wire::SubmittedRequest submitted; // request and requeue, as far as options say it
    ExportPolicy exported;
    std::vector<std::string> propagated; // names of resource limits
    bool tasks_given = false;            // else as many as the nodes take
    std::string chdir;                   // as typed; empty: not given
    std::optional<std::string> wrap;
    bool wait = false;
    bool test_only = false;
    bool json = false;
};

struct SubmitOption {
    Option option;
    bool command_line_only; // not in the environment, not in a script
    Result<void> (*apply)(SubmitOptions& options, const std::string& value, WallTime now);
    std::string_view needs = "a value"; // said where another option was typed in its place
};
std::span<const SubmitOption> submit_option_table();
// The same as parse_words and --help take it.
std::span<const Option> submit_option_list();

// "JSUB_CPUS_PER_TASK" for "cpus-per-task".
std::string variable_name(std::string_view option);

struct ReadSubmitOptions {
    SubmitOptions options;
    std::vector<std::string> warnings;
};
// Directives, then the environment, then the command line, each over the ones before. All failures are of what was typed
// (Exit::usage) and say where: "run.sh:3: --tme: ...", "JSUB_NTASKS: ...", "--ntasks: ...".
Result<ReadSubmitOptions> read_submit_options(std::string_view script, std::string_view script_name,
                                              std::span<const std::string> environment, const CommandLine& line, WallTime now);

} // namespace jarvis::client
