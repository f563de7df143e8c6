#include "node/job_end.hpp"

#include "base/units.hpp"

#include <fmt/format.h>

namespace jarvis::node {
namespace {

// waitpid(2) encodes the signal in the low seven bits and the exit code in the next byte; the macros of <sys/wait.h> read
// the same, and would bring a header of system calls in here.
int ending_signal(std::int32_t wait_status) { return wait_status & 0x7f; }
int exit_code(std::int32_t wait_status) { return wait_status >> 8 & 0xff; }

EndClass class_of_stop(const Stop& stop)
{
    if (stop.verdict == JobState::completed)
        return EndClass::none;
    return stop.verdict == JobState::timeout ? EndClass::resources : EndClass::user;
}

JobEnd judge_launch_failure(const ExitFacts& facts)
{
    if (facts.launch_fault == LaunchFault::node)
        return {.state = JobState::node_fail, .end_class = EndClass::node, .cause = facts.launch_error};
    const bool users_fault = facts.launch_fault == LaunchFault::user;
    return {.state = JobState::failed,
            .end_class = users_fault ? EndClass::user : EndClass::system,
            .cause = facts.launch_error.empty() ? "the script could not be started" : facts.launch_error};
}

JobEnd judge_wait_status(std::int32_t wait_status)
{
    if (const int signal = ending_signal(wait_status); signal != 0)
        return {.state = JobState::failed,
                .end_class = EndClass::user,
                .signal = signal,
                .cause = fmt::format("ended by signal {}", describe_signal(signal))};
    if (const int code = exit_code(wait_status); code != 0)
        return {.state = JobState::failed,
                .end_class = EndClass::user,
                .exit_code = code,
                .cause = fmt::format("exit code {}", code)};
    return {.state = JobState::completed, .end_class = EndClass::none, .exit_code = 0};
}

// Exit code and signal stay beside the verdict.
void put_wait_status(JobEnd& end, const ExitFacts& facts)
{
    if (!facts.wait_status)
        return;
    end.signal = ending_signal(*facts.wait_status);
    if (end.signal == 0)
        end.exit_code = exit_code(*facts.wait_status);
}

} // namespace

std::string describe_signal(int signal)
{
    return fmt::format("{} ({})", signal, signal_name(signal));
}

JobEnd judge_exit(const ExitFacts& facts, const std::optional<Stop>& stop)
{
    JobEnd end;
    if (stop && facts.stop_reached) {
        end = {.state = stop->verdict, .end_class = class_of_stop(*stop), .cause = stop->cause};
        if (!facts.out_of_memory.empty())
            end.cause += "; " + facts.out_of_memory;
    } else if (!facts.out_of_memory.empty()) {
        end = {.state = JobState::out_of_memory, .end_class = EndClass::resources, .cause = facts.out_of_memory};
    } else {
        return facts.wait_status ? judge_wait_status(*facts.wait_status) : judge_launch_failure(facts);
    }
    put_wait_status(end, facts);
    return end;
}

JobEnd judge_member(const ExitFacts& facts, const std::optional<Stop>& stop)
{
    if (stop && (facts.stop_reached || facts.launch_error.empty()))
        return {.state = stop->verdict, .end_class = class_of_stop(*stop), .cause = stop->cause};
    if (!facts.launch_error.empty())
        return judge_launch_failure(facts);
    return {.state = JobState::failed,
            .end_class = EndClass::system,
            .cause = "this node's part of the job ended before it was told to"};
}

JobEnd judge_lost_shepherd(const std::optional<Stop>& stop)
{
    if (stop)
        return {.state = stop->verdict, .end_class = class_of_stop(*stop), .cause = stop->cause};
    return {.state = JobState::failed,
            .end_class = EndClass::system,
            .cause = "the job's shepherd died without an exit record; what was left of the job was killed"};
}

JobEnd judge_reboot()
{
    return {.state = JobState::node_fail, .end_class = EndClass::node, .cause = "the node was started anew while the job ran"};
}

} // namespace jarvis::node
