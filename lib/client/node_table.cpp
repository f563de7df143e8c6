#include "client/node_table.hpp"

#include "base/escape.hpp"
#include "base/units.hpp"

namespace jarvis::client {

namespace {

Colour colour_of(std::string_view state)
{
    if (state == "down" || state == "unreachable")
        return Colour::red;
    if (state == "draining" || state == "drained")
        return Colour::yellow;
    return state == "mixed" || state == "allocated" ? Colour::green : Colour::plain;
}

std::string share(const std::string& used, const std::string& all) { return fmt::format("{}/{}", used, all); }

} // namespace

Table node_table(const wire::NodeList& nodes)
{
    Table table;
    table.columns = {{"NODE", Align::left, 0, 8},   {"STATE", Align::left, 0, 0},      {"CORES", Align::right, 0, 0},
                     {"MEMORY", Align::right, 0, 0}, {"JOBS", Align::right, 0, 0}, {"PARTITIONS", Align::left, 0, 8},
                     {"REASON", Align::left, 0, 8}};
    for (const auto& node : nodes.nodes()) {
        std::string partitions;
        for (const auto& partition : node.partitions())
            partitions += (partitions.empty() ? "" : ",") + escape_for_terminal(partition);
        table.rows.push_back({
            {escape_for_terminal(node.name()), Colour::plain},
            {escape_for_terminal(node.state()), colour_of(node.state())},
            {share(fmt::format("{}", node.cores_used()), fmt::format("{}", node.cores())), Colour::plain},
            {share(format_memory_size({node.memory_used()}), format_memory_size({node.memory()})), Colour::plain},
            {fmt::format("{}", node.jobs_size()), Colour::plain},
            {partitions, Colour::plain},
            {escape_for_terminal(node.reason()), Colour::plain},
        });
    }
    return table;
}

} // namespace jarvis::client
