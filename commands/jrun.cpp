// jrun: starts tasks inside a job, or makes a job for them.
#include "base/escape.hpp"
#include "client/step_inner.hpp"
#include "client/step_options.hpp"
#include "client/step_outside.hpp"
#include "client/step_run.hpp"
#include "model/job_id_text.hpp"
#include "wire/clocks.hpp"
#include "wire/job_id.hpp"

#include <cerrno>
#include <cstdlib>

#include <sys/random.h>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::client;

namespace {

// As shells have it.
constexpr int not_executable = 126, not_found = 127;

std::string variable(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}

// What says which job it is always goes along, whatever --export says.
std::vector<std::string> task_environment(const Program& program, const StepOptions& options)
{
    const auto all = process_environment();
    if (options.all_variables)
        return all;
    auto exported = export_environment(options.job.exported, all);
    for (const auto& name : exported.missing)
        report(program, fmt::format("warning: --export: {} is not set here", name), Exit::done);
    for (const auto& one : all)
        if (one.starts_with("JARVIS_"))
            exported.variables.push_back(one);
    return std::move(exported.variables);
}

int run_inside(const Program& program, const CommandLine& line, const StepOptions& options, const std::string& socket)
{
    const auto job = parse_job_id(variable("JARVIS_JOB_ID"));
    if (!job)
        return report(program, fmt::format("JARVIS_JOB_ID: {}", job.error().message), Exit::usage);
    Fd caller;
    if (const auto text = variable(caller_variable); !text.empty()) {
        ::unsetenv(caller_variable);
        const auto place = parse_caller_place(text);
        auto met = place ? meet_caller(*place, socket, *job) : std::unexpected(place.error());
        if (!met)
            return report(program, met.error());
        caller = std::move(*met);
    }
    if (options.new_job_only)
        return report(program, fmt::format("--{} is for a new job, and this is inside job {}", *options.new_job_only, *job), Exit::usage);
    if (!options.job.chdir.empty() && ::chdir(options.job.chdir.c_str()) != 0)
        return report(program, system_error(errno, fmt::format("cannot enter {}", escape_for_terminal(options.job.chdir))).message, Exit::failed);
    auto path = find_program(line.words[0], std::getenv("PATH"));
    if (!path) {
        report(program, path.error().message, Exit::failed);
        return path.error().code == Errc::not_found ? not_found : not_executable;
    }
    auto request = step_request(options, line.words[0]);
    wire::put_job_id(*job, request);
    std::uint64_t token = 0;
    if (::getrandom(&token, sizeof token, 0) != sizeof token)
        return report(program, system_error(errno, "cannot make a token").message, Exit::failed);
    request.set_token(token);
    const StepCommand command{.path = std::move(*path),
                              .arguments = line.words,
                              .environment = task_environment(program, options),
                              .job = fmt::format("{}", *job)};
    StepRun step(options, command, socket, std::move(request), [&](std::string_view text) { report(program, text, Exit::done); },
                 std::move(caller));
    const auto code = step.run();
    return code ? *code : report(program, code.error());
}

int run(const Program& program, const CommandLine& line)
{
    if (line.words.empty())
        return usage_error(program, "no command given");
    const auto socket = variable("JARVIS_STEP_SOCKET");
    const bool inside = !socket.empty() && !variable("JARVIS_JOB_ID").empty();
    const auto options = read_step_options(
        line, inside ? JobDefaults{variable("JARVIS_NTASKS"), variable("JARVIS_CPUS_PER_TASK")} : JobDefaults{}, wall_now());
    if (!options)
        return report(program, options.error().message, Exit::usage);
    return inside ? run_inside(program, line, *options, socket) : run_outside(program, line, *options);
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jrun",
        .summary = "Run a command as the tasks of a step: inside a job, or in a new job that is made for it.",
        .usage = {"[OPTION]... CMD [ARG]..."},
        .options = step_option_list(),
        .options_end_at_first_word = true,
        .notes = "It returns the highest exit code of its tasks, 128 and the signal for one that a signal ended.",
    };
    return run_program(program, argc, argv, run);
}
