// jadmin: what administrators ask of the controller, and what they do without it (jadmin_pki.cpp).
#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "client/json.hpp"
#include "client/query.hpp"
#include "jadmin_events.hpp"
#include "jadmin_node.hpp"
#include "jadmin_pki.hpp"

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr Option options[] = {
    {0, "for", "VERSION", "snapshot: refuse unless this older version can go on from it"},
    {0, "json", "", "print JSON (schemas jarvis.admin/1, jarvis.events/1, jarvis.node_check/1, jarvis.pki/1)"},
    {0, "from", "N", "events: begin with this group of events"},
    {0, "last", "N", "events: begin with so many of the newest groups (default: 20)"},
    {'f', "follow", "", "events: go on with what happens from now on"},
    {0, "dir", "DIR", "pki: the folder with the certificates (default: /etc/jarvis/pki)"},
    {0, "name", "CLUSTER", "pki init: the cluster's name, as in the configuration (default: jarvis)"},
    {0, "uuid", "UUID", "pki init: the UUID of a cluster that exists already (default: a new one)"},
    {0, "days", "N", "pki: how long a certificate is valid (default: 365, an authority's 3650)"},
    {0, "not-before", "TIME", "pki: when it begins to be valid (default: a little before now)"},
    {0, "not-after", "TIME", "pki: when it ends to be valid (default: as --days says)"},
};

struct Action {
    std::vector<std::string> words;
    wire::Admin::Action action;
};

const std::vector<Action>& actions()
{
    static const std::vector<Action> all{
        {{"ping"}, wire::Admin::PING},         {{"reconfigure"}, wire::Admin::RECONFIGURE}, {{"config", "diff"}, wire::Admin::CONFIG_DIFF},
        {{"snapshot"}, wire::Admin::SNAPSHOT}, {{"shutdown"}, wire::Admin::SHUTDOWN},
    };
    return all;
}

Result<wire::Admin::Action> find_action(std::span<const std::string> words)
{
    std::vector<std::string> spelled;
    const auto typed = fmt::format("{}", fmt::join(words, " "));
    for (const auto& one : actions()) {
        spelled.push_back(fmt::format("{}", fmt::join(one.words, " ")));
        if (spelled.back() == typed)
            return one.action;
    }
    std::vector<std::string_view> known(spelled.begin(), spelled.end());
    known.push_back("events");
    known.push_back("node check");
    known.push_back("pki");
    if (words.empty())
        return fail(Errc::invalid, "what to do? One of: {}", fmt::join(known, ", "));
    return fail(Errc::invalid, "unknown action \"{}\"{}; known are: {}", escape_for_terminal(typed), did_you_mean(typed, known),
                fmt::join(known, ", "));
}

int run(const Program& program, const CommandLine& line)
{
    if (line.has("for") && (line.words.empty() || line.words[0] != "snapshot"))
        return usage_error(program, "--for is for jadmin snapshot");
    if (!line.words.empty() && line.words[0] == "pki") {
        for (const auto option : events_options)
            if (line.has(option))
                return usage_error(program, fmt::format("--{} is for jadmin events", option));
        return run_pki(program, line);
    }
    for (const auto option : pki_options)
        if (line.has(option))
            return usage_error(program, fmt::format("--{} is for jadmin pki", option));
    if (!line.words.empty() && line.words[0] == "events")
        return run_events(program, line);
    for (const auto option : events_options)
        if (line.has(option))
            return usage_error(program, fmt::format("--{} is for jadmin events", option));
    if (!line.words.empty() && line.words[0] == "node")
        return run_node(program, line);
    const auto action = find_action(line.words);
    if (!action)
        return usage_error(program, action.error().message);
    wire::Request request;
    request.mutable_admin()->set_action(*action);
    request.mutable_admin()->set_for_version(line.last("for").value_or(""));
    const auto reply = ask_once(program.name, std::move(request));
    if (!reply)
        return report(program, reply.error());
    if (line.has("json"))
        fmt::print("{}", admin_json(fmt::format("{}", fmt::join(line.words, " ")), reply->admin()));
    else
        fmt::print("{}", safe_lines(reply->admin().text()));
    return static_cast<int>(Exit::done);
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jadmin",
        .summary = "Administer the controller.",
        .usage = {"ping", "reconfigure", "config diff", "snapshot", "shutdown", "events [--from N] [--follow]", "node check NODES...",
                  "pki init|node|renew|show [NAME]..."},
        .options = options,
        .notes = "ping         say whether the controller answers, and its state\n"
                 "reconfigure  read the configuration again and use it, whole or not at all\n"
                 "config diff  what reconfigure would change, and what needs a restart\n"
                 "snapshot     write a snapshot of the state now; with --for, for the way back to an older version\n"
                 "shutdown     stop the controller in order; jobs run on\n"
                 "events       what happened, each event with the command that led to it\n"
                 "node check   what nodes can enforce, and what it takes to enforce the rest\n"
                 "pki          make, renew and show the cluster's certificates; this asks no controller",
    };
    return run_program(program, argc, argv, run);
}
