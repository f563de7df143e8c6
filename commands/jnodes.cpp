// jnodes: shows nodes, and takes them out of use and back.
#include "base/escape.hpp"
#include "base/hostlist.hpp"
#include "client/json.hpp"
#include "client/listing.hpp"
#include "client/node_table.hpp"
#include "client/query.hpp"
#include "client/topology_view.hpp"

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr Option options[] = {
    {'l', "long", "", "everything about each node: NUMA nodes, jobs, features, what it can enforce, violations"},
    {'r', "reason", "TEXT", "drain, down: why; shown to everybody"},
    {0, "confirmed", "", "down: it is known that nothing runs on the nodes any more, so that their jobs can run elsewhere at once"},
    {0, "svg", "", "topo: print a picture, as a standalone SVG file"},
    {0, "xml", "", "topo: print the topology as hwloc 2 writes it, for lstopo and others"},
    {0, "json", "", "print JSON (schema jarvis.nodes/1, of topo jarvis.topology/1, of drain, resume and down jarvis.change/1)"},
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

struct Answer {
    wire::NodeList nodes;
    std::uint64_t sequence = 0;
};

Result<Answer> ask(const Program& program, std::span<const std::string> names, bool holdings)
{
    wire::Request request;
    auto& query = *request.mutable_query_nodes();
    for (const auto& name : names)
        query.add_names(name);
    query.set_holdings(holdings);
    Answer answer;
    auto session = Session::open(program.name);
    if (!session)
        return std::unexpected(session.error());
    const auto done = session->ask(std::move(request), [&](wire::Reply&& reply) {
        answer.sequence = reply.sequence();
        answer.nodes.MergeFrom(reply.nodes());
    });
    if (!done)
        return std::unexpected(done.error());
    return answer;
}

Exit report_unknown_nodes(const Program& program, const wire::NodeList& nodes)
{
    for (const auto& name : nodes.unknown_names())
        report(program, "no such node: " + escape_for_terminal(name), Exit::not_found);
    return nodes.unknown_names_size() > 0 ? Exit::not_found : Exit::done;
}

int show(const Program& program, const CommandLine& line)
{
    const auto names = node_names(line.words);
    if (!names)
        return usage_error(program, names.error().message);
    const auto answer = ask(program, *names, false);
    if (!answer)
        return report(program, answer.error());
    const auto& nodes = answer->nodes;
    const auto style = standard_output_style();
    if (line.has("json"))
        fmt::print("{}", nodes_json(nodes, answer->sequence));
    else if (line.has("long"))
        for (int i = 0; i < nodes.nodes_size(); ++i)
            fmt::print("{}{}", i ? "\n" : "", node_listing(nodes.nodes(i), style));
    else if (nodes.nodes_size() > 0 || nodes.unknown_names_size() == 0)
        fmt::print("{}", render(node_table(nodes), style));
    return static_cast<int>(report_unknown_nodes(program, nodes));
}

int topo(const Program& program, const CommandLine& line)
{
    if (line.has("long"))
        return usage_error(program, "topo: takes no --long");
    if (line.has("svg") + line.has("xml") + line.has("json") > 1)
        return usage_error(program, "topo: --svg, --xml and --json exclude each other");
    const auto names = node_names(std::span(line.words).subspan(1));
    if (!names)
        return usage_error(program, names.error().message);
    const bool whole_file = line.has("svg") || line.has("xml");
    if (whole_file && names->size() != 1)
        return usage_error(program, fmt::format("topo: a file is of one node, not of {}", names->size()));
    const auto answer = ask(program, *names, true);
    if (!answer)
        return report(program, answer.error());
    auto worst = Exit::done;
    bool first = true;
    for (const auto& view : answer->nodes.nodes()) {
        const auto node = read_topology(view);
        if (!node) {
            worst = worse(worst, exit_for(node.error().code));
            report(program, node.error());
            continue;
        }
        if (line.has("svg"))
            fmt::print("{}", topology_svg(*node));
        else if (line.has("xml"))
            fmt::print("{}", topology_xml(*node));
        else if (line.has("json"))
            fmt::print("{}", topology_json(*node, answer->sequence));
        else
            fmt::print("{}{}", first ? "" : "\n", topology_text(*node));
        first = false;
    }
    return static_cast<int>(worse(worst, report_unknown_nodes(program, answer->nodes)));
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
    // A node that is called "topo" is shown by "jnodes topo", and its topology by "jnodes topo topo".
    if (action == "topo" && line.words.size() > 1 && !line.has("reason") && !line.has("confirmed"))
        return topo(program, line);
    if (line.has("svg") || line.has("xml"))
        return usage_error(program, "--svg and --xml are for topo NODE");
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
        .usage = {"[OPTION]... [NODES]...", "topo NODES... [--svg|--xml|--json]", "drain NODES... --reason TEXT", "resume NODES...",
                  "down NODES... --reason TEXT [--confirmed]"},
        .options = options,
        .notes = "Nodes are given as host lists: n[001-016],login1. topo shows a node's packages, NUMA nodes, caches, cores and devices, and\n"
                 "which jobs hold them. A drained node starts no new jobs; its jobs run on. A node that is down is given up, and its\n"
                 "jobs with it.",
    };
    return run_program(program, argc, argv, run);
}
