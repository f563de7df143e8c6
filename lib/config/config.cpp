#include "config/config.hpp"

#include <algorithm>

namespace jarvis::config {

std::string to_string(const Problem& problem)
{
    const auto& place = problem.place;
    if (place.line == 0)
        return fmt::format("{}: {}", place.file, problem.message);
    return fmt::format("{}:{}:{}: {}", place.file, place.line, place.column, problem.message);
}

std::string Problems::text() const
{
    std::string lines;
    for (const auto& problem : list)
        lines += (lines.empty() ? "" : "\n") + to_string(problem);
    return lines;
}

Error Problems::error() const { return {Errc::invalid, text()}; }

const PluginSection* Config::plugin_section(std::string_view kind, std::string_view name) const
{
    auto found = std::ranges::find_if(plugins.sections,
                                      [&](const PluginSection& s) { return s.kind == kind && s.name == name; });
    return found == plugins.sections.end() ? nullptr : &*found;
}

std::optional<Node> settings_of_node(const Config& config, std::string_view name)
{
    if (auto found = std::ranges::find(config.nodes, name, &Node::name); found != config.nodes.end())
        return *found;
    for (const auto& node_class : config.node_classes)
        if (node_class.accept || std::ranges::find(node_class.names, name) != node_class.names.end())
            return Node{.name = std::string(name),
                        .vouch = node_class.vouch,
                        .features = node_class.features,
                        .topology = node_class.topology,
                        .reserve = node_class.reserve,
                        .devices = node_class.devices,
                        .expect = node_class.expect,
                        .place = node_class.place};
    return std::nullopt;
}

const Partition* Config::partition(std::string_view name) const
{
    auto found = std::ranges::find(partitions, name, &Partition::name);
    return found == partitions.end() ? nullptr : &*found;
}

const Partition* Config::default_partition() const
{
    auto found = std::ranges::find(partitions, true, &Partition::is_default);
    return found == partitions.end() ? nullptr : &*found;
}

} // namespace jarvis::config
