// The options of jrun. Those that jsub has too mean the same and are applied by jsub's table; outside a job they describe the
// job that is made for the command.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "client/command_line.hpp"
#include "client/submit_options.hpp"
#include "steps.pb.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace jarvis::client {

struct StepOptions {
    SubmitOptions job; // tasks, cores, nodes, distribution, memory binding, time, name, folder, variables
    bool cores_given = false;
    std::optional<std::string> new_job_only; // the first option that only a new job can have
    wire::StepRequest::Sharing sharing = wire::StepRequest::OWN;
    wire::StepRequest::CpuBinding cpu_binding = wire::StepRequest::CORES;
    bool label = false;
    bool report_bindings = false;
    bool kill_on_bad_exit = false;
    bool all_variables = true;  // of the caller's; false: see job.exported
    std::string input;          // empty: the caller's, for task 0
    std::string output;         // empty: the caller's
    std::string error;          // empty: the caller's, or with the output where that is a file
};

std::span<const Option> step_option_list();

// What the job says where the command line does not: JARVIS_NTASKS, JARVIS_CPUS_PER_TASK. Empty: outside a job.
struct JobDefaults {
    std::string tasks;
    std::string cores_per_task;
};
// Failures are of what was typed (Exit::usage).
Result<StepOptions> read_step_options(const CommandLine& line, const JobDefaults& defaults, WallTime now);

// Without hello, job and token.
wire::StepRequest step_request(const StepOptions& options, const std::string& program);

// Files of single tasks: "out.%t". %t rank, %n number on its node, %N node, %s step, %j job, %% a percent sign.
struct TaskPlace {
    std::uint32_t rank = 0;
    std::uint32_t local = 0;
    std::string node;
    std::uint32_t step = 0;
    std::string job;
};
Result<void> check_task_pattern(std::string_view pattern);
std::string expand_task_pattern(std::string_view pattern, const TaskPlace& place);
// Whether tasks of one step may have different files by it.
bool differs_by_task(std::string_view pattern);

} // namespace jarvis::client
