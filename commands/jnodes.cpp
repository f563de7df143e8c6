// jnodes: shows nodes, and takes them out of use and back.
#include "base/escape.hpp"
#include "base/hostlist.hpp"
#include "client/json.hpp"
#include "client/listing.hpp"
#include "client/node_table.hpp"
#include "client/query.hpp"

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr Option options[] = {
    {'l', "long", "", "everything about each node: NUMA nodes, jobs, features, what it can enforce, violations"},
    {'r', "reason", "TEXT", "drain, down: why; shown to everybody"},
    {0, "confirmed", "", "down: it is known that nothing runs on the nodes any more, so that their jobs can run elsewhere at once"},
    {0, "json", "", "print JSON (schema jarvis.nodes/1, of drain, resume and down jarvis.change/1)"},
};

Result<std::vector<std::string>> node_names(std::span<const std::string> lists)
{
    std::vector<std::string> all;
    for (const auto& list : lists) {
        const auto names = expand_hostlist(list);
        if (!names)
            return fail(names.error(), "{}", escape_for_terminal(list));
        all.insert(all.end(), names->begin(), names->end());
    }
    return all;
}

int show(const Program& program, const CommandLine& line)
{
    const auto names = node_names(line.words);
    if (!names)
        return usage_error(program, names.error().message);
    wire::Request request;
    for (const auto& name : *names)
        request.mutable_query_nodes()->add_names(name);
    request.mutable_query_nodes();
    wire::NodeList nodes;
    std::uint64_t sequence = 0;
    auto session = Session::open(program.name);
    if (!session)
        return report(program, session.error());
    const auto done = session->ask(std::move(request), [&](wire::Reply&& reply) {
        sequence = reply.sequence();
        nodes.MergeFrom(reply.nodes());
    });
    if (!done)
        return report(program, done.error());
    const auto style = standard_output_style();
    if (line.has("json"))
        fmt::print("{}", nodes_json(nodes, sequence));
    else if (line.has("long"))
        for (int i = 0; i < nodes.nodes_size(); ++i)
            fmt::print("{}{}", i ? "\n" : "", node_listing(nodes.nodes(i), style));
    else if (nodes.nodes_size() > 0 || nodes.unknown_names_size() == 0)
        fmt::print("{}", render(node_table(nodes), style));
    for (const auto& name : nodes.unknown_names())
        report(program, "no such node: " + escape_for_terminal(name), Exit::not_found);
    return static_cast<int>(nodes.unknown_names_size() > 0 ? Exit::not_found : Exit::done);
}

int change(const Program& program, const CommandLine& line, wire::ChangeNodes::Action action)
{
    const auto names = node_names(std::span(line.words).subspan(1));
    if (!names)
        return usage_error(program, names.error().message);
    if (names->empty())
        return usage_error(program, fmt::format("{}: which nodes?", line.words[0]));
    const auto reason = line.last("reason").value_or("");
    if (action != wire::ChangeNodes::RESUME && reason.empty())
        return usage_error(program, fmt::format("{}: say why with --reason", line.words[0]));
    if (action != wire::ChangeNodes::DOWN && line.has("confirmed"))
        return usage_error(program, fmt::format("{}: takes no --confirmed", line.words[0]));
    if (action == wire::ChangeNodes::RESUME && line.has("reason"))
        return usage_error(program, "resume: takes no --reason");
    wire::Request request;
    auto& message = *request.mutable_change_nodes();
    message.set_action(action);
    for (const auto& name : *names)
        message.add_nodes(name);
    message.set_reason(reason);
    message.set_confirmed(line.has("confirmed"));
    const auto reply = ask_once(program.name, std::move(request));
    if (!reply)
        return report(program, reply.error());
    if (line.has("json"))
        fmt::print("{}", change_json(reply->change()));
    return static_cast<int>(report_changes(program, reply->change()));
}

int run(const Program& program, const CommandLine& line)
{
    // A node called "drain" is shown by "jnodes -l drain" as little as by this; nodes are not called that.
    const std::string action = line.words.empty() ? "" : line.words[0];
    if (action == "drain")
        return change(program, line, wire::ChangeNodes::DRAIN);
    if (action == "resume")
        return change(program, line, wire::ChangeNodes::RESUME);
    if (action == "down")
        return change(program, line, wire::ChangeNodes::DOWN);
    if (line.has("reason"))
        return usage_error(program, "--reason is for drain and down");
    if (line.has("confirmed"))
        return usage_error(program, "--confirmed is for down");
    return show(program, line);
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jnodes",
        .summary = "Show nodes; take them out of use, and back.",
        .usage = {"[OPTION]... [NODES]...", "drain NODES... --reason TEXT", "resume NODES...", "down NODES... --reason TEXT [--confirmed]"},
        .options = options,
        .notes = "Nodes are given as host lists: n[001-016],login1. A drained node starts no new jobs; its jobs run on. A node that is\n"
                 "down is given up, and its jobs with it.",
    };
    return run_program(program, argc, argv, run);
}
