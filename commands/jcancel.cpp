// jcancel: ends jobs, or sends them a signal.
#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/json.hpp"
#include "client/query.hpp"

#include <unistd.h>

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr Option options[] = {
    {'u', "user", "USERS", "jobs of these users (default, where no ids are given: your own)"},
    {'n', "name", "NAMES", "jobs of these names"},
    {'t', "state", "STATES", "jobs in these states: PENDING or PD, RUNNING or R, ..."},
    {'s', "signal", "[B:]SIG", "send this signal to the jobs' processes instead of ending the jobs; with B: to the script's own process "
                               "alone"},
    {0, "json", "", "print JSON (schema jarvis.change/1)"},
};

Result<void> fill_filter(wire::JobFilter& filter, const CommandLine& line)
{
    bool ended = false;
    if (auto ok = filter_ids(filter, line.words); !ok)
        return ok;
    if (auto ok = filter_users(filter, line.all("user")); !ok)
        return ok;
    if (auto ok = filter_names(filter, line.all("name")); !ok)
        return ok;
    if (auto ok = filter_states(filter, line.all("state"), ended); !ok)
        return ok;
    if (line.words.empty() && line.options.empty())
        return fail(Errc::invalid, "which jobs? Give ids, or -u, -n or -t");
    if (line.words.empty() && !line.has("user") && !line.has("name") && !line.has("state"))
        return fail(Errc::invalid, "which jobs? Give ids, or -u, -n or -t");
    // "jcancel -n test" of an administrator means the administrator's own jobs of that name.
    if (line.words.empty() && !line.has("user"))
        filter.add_uids(::getuid());
    return {};
}

Result<void> fill_signal(wire::ChangeJobs& change, std::string_view text)
{
    change.set_action(wire::ChangeJobs::SIGNAL);
    change.set_batch_only(text.starts_with("B:"));
    if (change.batch_only())
        text.remove_prefix(2);
    const auto signal = parse_signal(text);
    if (!signal)
        return fail(signal.error(), "--signal");
    change.set_signal(*signal);
    return {};
}

int run(const Program& program, const CommandLine& line)
{
    wire::Request request;
    auto& change = *request.mutable_change_jobs();
    change.set_action(wire::ChangeJobs::CANCEL);
    if (auto ok = fill_filter(*change.mutable_filter(), line); !ok)
        return report_filter_error(program, ok.error());
    if (const auto signal = line.last("signal"))
        if (auto ok = fill_signal(change, *signal); !ok)
            return usage_error(program, ok.error().message);
    const auto reply = ask_once(program.name, std::move(request));
    if (!reply)
        return report(program, reply.error());
    if (line.has("json"))
        fmt::print("{}", change_json(reply->change()));
    return static_cast<int>(report_changes(program, reply->change()));
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jcancel",
        .summary = "End jobs: SIGTERM, and after the grace time SIGKILL to everything that they started.",
        .usage = {"[OPTION]... IDS...", "[OPTION]... -u USERS | -n NAMES | -t STATES"},
        .options = options,
        .notes = "Ids are given as 7 or 7,9-12, tasks of arrays as 7_3 or 7_[1-4]. Ids and options together choose what meets all of\n"
                 "them. Cancelling a job that was cancelled already, or has ended, is fine.",
    };
    return run_program(program, argc, argv, run);
}
