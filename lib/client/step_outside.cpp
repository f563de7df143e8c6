#include "client/step_outside.hpp"

#include "base/escape.hpp"
#include "client/exit_codes.hpp"
#include "client/find_socket.hpp"
#include "client/frame_link.hpp"
#include "client/job_watch.hpp"
#include "client/placement_options.hpp"
#include "client/step_caller.hpp"
#include "client/step_meeting.hpp"
#include "client/step_submit.hpp"
#include "client/submit.hpp"

#include <csignal>
#include <cstdlib>

namespace jarvis::client {
namespace {

// Before the job waits for its turn in vain. It is not refused: nobody knows yet where it will run.
void warn_without_daemon(const Talk& talk)
{
    const auto path = find_step_socket();
    const auto link = path ? FrameLink::connect(*path) : std::unexpected(path.error());
    if (!link)
        talk(fmt::format("warning: no answer from a node daemon of this machine ({}): the job will be cancelled if it starts on "
                         "another one",
                         link.error().message));
}

int report_end(const Program& program, std::uint64_t job, const Result<wire::JobDetail>& detail, const Caller& caller)
{
    if (!detail)
        return report(program, fmt::format("waiting for job {}: {}", job, detail.error().message), exit_for(detail.error().code));
    const auto& end = detail->summary().end();
    const bool own_end = end.has_exit_code() && exit_status(end) == end.exit_code();
    if (!own_end || (!caller.has_met() && end.exit_code() != 0)) // else the inner jrun has said it
        report(program, end_text(job, end), Exit::done);
    if (caller.has_given_up())
        return static_cast<int>(Exit::no_answer);
    if (!caller.lost().empty()) {
        report(program, caller.lost() + "; its tasks were ended", Exit::done);
        return exit_status(end) != 0 ? exit_status(end) : exit_of_signal + SIGKILL;
    }
    if (!caller.has_met() && own_end)
        report(program, fmt::format("job {} ended before this jrun could reach it", job), Exit::done);
    return exit_status(end);
}

// Task 0 or another one reads what we do, unless all read files or nothing.
bool reads_input(const StepOptions& options) { return options.input.find_first_not_of("0123456789") == std::string::npos; }

} // namespace

int run_outside(const Program& program, const CommandLine& line, const StepOptions& options)
{
    if (auto good = check_placement(options.job.submitted.request.resources); !good)
        return report(program, good.error().message, Exit::usage);
    const auto limits = retry_limits_from_environment();
    if (!limits)
        return report(program, limits.error().message, Exit::usage);
    Meeting meeting;
    if (auto opened = meeting.open(); !opened)
        return report(program, opened.error());
    const auto submit = make_step_submit(program, line, options.job, meeting.place());
    if (!submit)
        return report(program, submit.error());
    const auto talk = [&](std::string_view text) { report(program, text, Exit::done); };
    warn_without_daemon(talk);
    auto signals = block_caller_signals();
    const auto reply = client::submit(program.name, *submit, *limits, talk);
    if (!reply)
        return report(program, reply.error());
    for (const auto& warning : reply->submit().warnings())
        talk("warning: " + escape_for_terminal(warning));
    const auto job = reply->submit().job_id();
    JobWatch watch(std::string(program.name), job, talk);
    Caller caller(program, meeting, watch, job, reads_input(options), std::move(signals));
    if (const int signal = caller.serve(); signal != 0) {
        meeting.close();
        std::_Exit(exit_of_signal + signal); // the job's end may be far
    }
    return report_end(program, job, watch.end(), caller);
}

} // namespace jarvis::client
