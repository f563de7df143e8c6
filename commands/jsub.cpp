// jsub: submits a batch script and prints the job's id.
#include "base/escape.hpp"
#include "client/from_here.hpp"
#include "client/json.hpp"
#include "client/listing.hpp"
#include "client/query.hpp"
#include "client/script.hpp"
#include "client/submit.hpp"
#include "client/submit_options.hpp"
#include "wire/clocks.hpp"

using namespace jarvis;
using namespace jarvis::client;

namespace {

struct Script {
    std::string text;
    std::string name;     // in messages
    std::string job_name; // unless an option names the job
    std::vector<std::string> arguments;
};

Result<Script> take_script(const CommandLine& line)
{
    if (const auto command = line.last("wrap")) {
        if (!line.words.empty())
            return fail(Errc::invalid, "--wrap takes the place of a script: \"{}\" is one too many", escape_for_terminal(line.words[0]));
        return Script{wrap_command(*command), "--wrap", "wrap", {}};
    }
    if (line.words.empty())
        return fail(Errc::invalid, "no script given (a file, - for standard input, or --wrap CMD)");
    const auto& path = line.words[0];
    auto text = read_script(path);
    if (!text)
        return std::unexpected(text.error());
    const bool input = path == "-";
    return Script{std::move(*text), input ? "standard input" : path, input ? "stdin" : path.substr(path.rfind('/') + 1),
                  {line.words.begin() + 1, line.words.end()}};
}

// Fills in what is not asked for but found here.
Result<void> collect(SubmitOptions& options, const Script& script)
{
    auto& request = options.submitted.request;
    if (request.name.empty())
        request.name = script.job_name;
    request.arguments = script.arguments;
    return describe_here(options);
}

int wait_and_report(const Program& program, const SubmitOptions& options, std::uint64_t job)
{
    const auto ended = wait_for_end(program.name, job, [&](std::string_view text) { report(program, text, Exit::done); });
    if (!ended)
        return report(program, fmt::format("waiting for job {}: {}", job, ended.error().message), exit_for(ended.error().code));
    const auto& end = ended->summary().end();
    if (options.json)
        fmt::print("{}", end_json(*ended, wall_now()));
    if (exit_status(end) != 0)
        report(program, end_text(job, end), Exit::done);
    return exit_status(end);
}

int answer(const Program& program, const SubmitOptions& options, const wire::SubmitReply& reply, std::string_view request_id)
{
    for (const auto& warning : reply.warnings())
        report(program, "warning: " + escape_for_terminal(warning), Exit::done);
    if (options.json)
        fmt::print("{}", submit_json(reply, request_id));
    else if (options.test_only)
        fmt::print("{}", test_text(reply));
    else
        fmt::print("{}\n", reply.job_id());
    if (!options.wait || options.test_only)
        return static_cast<int>(Exit::done);
    std::fflush(stdout); // who reads the id need not wait for the job
    return wait_and_report(program, options, reply.job_id());
}

int run(const Program& program, const CommandLine& line)
{
    auto script = take_script(line);
    if (!script)
        return report(program, script.error().message, Exit::usage);
    if (auto good = check_script(script->text, script->name); !good)
        return report(program, good.error().message, Exit::usage);
    const auto environment = process_environment();
    const auto now = wall_now();
    auto read = read_submit_options(script->text, script->name, environment, line, now);
    if (!read)
        return report(program, read.error().message, Exit::usage);
    for (const auto& warning : read->warnings)
        report(program, "warning: " + warning, Exit::done);
    auto& options = read->options;
    if (auto collected = collect(options, *script); !collected)
        return report(program, collected.error().message, Exit::failed);
    const auto limits = retry_limits_from_environment();
    if (!limits)
        return report(program, limits.error().message, Exit::usage);
    const auto request_id = make_request_id();
    if (!request_id)
        return report(program, request_id.error());

    wire::Submit submit;
    submit.set_request_id(*request_id);
    submit.set_made_us(now.time_since_epoch().count());
    *submit.mutable_job() = wire::to_submit_message(options.submitted);
    submit.set_script(std::move(script->text));
    *submit.mutable_environment() =
        collect_environment(options.exported, environment, [&](std::string_view text) { report(program, text, Exit::done); });
    submit.set_test_only(options.test_only);
    const auto reply =
        client::submit(program.name, submit, *limits, [&](std::string_view text) { report(program, text, Exit::done); });
    if (!reply)
        return report(program, reply.error());
    return answer(program, options, reply->submit(), *request_id);
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jsub",
        .summary = "Submit a batch script; print the job's id.",
        .usage = {"[OPTION]... SCRIPT [ARG]...", "[OPTION]... --wrap CMD", "[OPTION]... - [ARG]..."},
        .options = submit_option_list(),
        .options_end_at_first_word = true,
        .notes = "Options can stand in the script, on lines that begin with #JSUB before the first command, and in the\n"
                 "environment (JSUB_NTASKS for --ntasks). The command line wins over the environment, and that over the script.",
    };
    return run_program(program, argc, argv, run);
}
