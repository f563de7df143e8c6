#include "client/step_submit.hpp"

#include "client/from_here.hpp"
#include "client/submit.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

namespace jarvis::client {
namespace {

// The job's script: this program if it is there, else the one of the node.
std::string script()
{
    std::error_code error;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", error).string();
    std::string quoted;
    for (const char c : own)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return fmt::format("#!/bin/sh\nif [ -x '{0}' ]; then exec '{0}' \"$@\"; fi\nexec jrun \"$@\"\n", quoted);
}

// What the inner jrun is called with: the same, without what has become the job's own.
std::vector<std::string> inner_arguments(const CommandLine& line)
{
    constexpr std::array<std::string_view, 12> of_the_job{"partition", "mem", "mem-per-cpu", "exclude", "constraint", "gres", "exclusive",
                                                          "comment", "time", "chdir", "export", "nodelist"};
    std::vector<std::string> arguments;
    for (const auto& given : line.options)
        if (std::ranges::find(of_the_job, given.option->name) == of_the_job.end())
            arguments.push_back(given.option->value.empty() || (given.option->optional_value && given.value.empty())
                                    ? fmt::format("--{}", given.option->name)
                                    : fmt::format("--{}={}", given.option->name, given.value));
    arguments.emplace_back("--");
    arguments.insert(arguments.end(), line.words.begin(), line.words.end());
    return arguments;
}

} // namespace

Result<wire::Submit> make_step_submit(const Program& program, const CommandLine& line, SubmitOptions options, const CallerPlace& caller)
{
    auto& request = options.submitted.request;
    if (request.name.empty())
        request.name = line.words[0].substr(line.words[0].rfind('/') + 1);
    request.arguments = inner_arguments(line);
    request.output = "/dev/null"; // until it has the caller's descriptors
    request.error = "/dev/null";
    if (auto described = describe_here(options); !described)
        return std::unexpected(described.error());
    const auto request_id = make_request_id();
    if (!request_id)
        return std::unexpected(request_id.error());
    wire::Submit submit;
    submit.set_request_id(*request_id);
    submit.set_made_us(wall_now().time_since_epoch().count());
    options.submitted.requeue = false; // its caller would not see a second start
    *submit.mutable_job() = wire::to_submit_message(options.submitted);
    submit.set_script(script());
    *submit.mutable_environment() = collect_environment(options.exported, process_environment(),
                                                        [&](std::string_view text) { report(program, text, Exit::done); });
    submit.mutable_environment()->add_variables(fmt::format("{}={}", caller_variable, format_caller_place(caller)));
    return submit;
}

} // namespace jarvis::client
