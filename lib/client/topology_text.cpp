// jnodes topo: a node as a tree of lines.
#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/topology_view.hpp"

#include <algorithm>

namespace jarvis::client {

namespace {

using Kind = TopologyPart::Kind;

std::string capital(MemoryKind kind)
{
    constexpr std::string_view names[] = {"DRAM", "HBM", "slow memory"};
    return std::string(names[static_cast<std::size_t>(kind)]);
}

class TreeWriter {
    const NodeTopology& node_;
    std::string text_;

    void line(std::size_t depth, std::string_view text) { text_ += fmt::format("{:{}}{}\n", "", depth * 2, text); }

    std::string holder(const std::optional<std::size_t>& index) const
    {
        if (!index)
            return "free";
        const auto& holding = node_.holdings[*index];
        return fmt::format("job {} ({})", escape_for_terminal(holding.job), escape_for_terminal(holding.user));
    }

    std::string cores(const CoreSet& set) const
    {
        return fmt::format("core{} {} (PU {})", set.count() == 1 ? "" : "s", format_list(set), node_.pus_of(set));
    }

    std::string run_text(const CoreRun& run) const
    {
        const auto kind = node_.has_kinds_of_cores() ? fmt::format(", kind {}", run.efficiency) : std::string();
        return fmt::format("{}{}: {}", cores(run.cores), kind, holder(run.holder));
    }

    void numa(std::uint32_t index, std::size_t depth)
    {
        const auto& numa = node_.topology.numa_nodes[index];
        const auto held = node_.memory_held(index);
        const auto kernel = numa.os_index == index ? std::string() : fmt::format(" (the kernel's {})", numa.os_index);
        auto text = fmt::format("NUMA node {}{}: {} {}, {} free", index, kernel, format_memory_size(numa.memory), capital(numa.kind),
                                format_memory_size(held.bytes < numa.memory.bytes ? numa.memory - held : MemorySize{}));
        for (const auto& [who, memory] : node_.memory_holders(index))
            text += fmt::format("; {} {}", holder(who), format_memory_size(memory));
        if (node_.is_memory_only(index))
            text += "; no cores of its own";
        line(depth, text);
    }

    // A cache whose cores are all in the same hands, and so can share a line with its like.
    std::optional<CoreRun> single_run(const TopologyPart& part) const
    {
        if (part.kind != Kind::l3 || !part.children.empty() || !part.numa.empty())
            return {};
        const auto runs = runs_of(node_, part.cores);
        return runs.size() == 1 ? std::optional(runs[0]) : std::nullopt;
    }

    // Takes the following caches too, as long as they are held alike; returns how many it took.
    std::size_t caches(std::span<const TopologyPart> parts, std::size_t depth)
    {
        auto run = *single_run(parts[0]);
        std::size_t taken = 1;
        for (; taken < parts.size() && parts[taken].index == parts[0].index + taken; ++taken) {
            const auto next = single_run(parts[taken]);
            if (!next || next->holder != run.holder || next->efficiency != run.efficiency)
                break;
            run.cores |= next->cores;
        }
        const auto which = taken == 1 ? fmt::format("{}", parts[0].index) : fmt::format("{}-{}", parts[0].index, parts[taken - 1].index);
        line(depth, fmt::format("L3 {}: {}", which, run_text(run)));
        return taken;
    }

    void content(const TopologyPart& part, std::size_t depth)
    {
        CoreSet own = part.cores;
        for (const auto& child : part.children)
            own -= child.cores;
        for (const auto& run : runs_of(node_, own))
            line(depth, run_text(run));
        const std::span<const TopologyPart> children(part.children);
        for (std::size_t i = 0; i < children.size();) {
            if (single_run(children[i])) {
                i += caches(children.subspan(i), depth);
                continue;
            }
            tree(children[i++], depth);
        }
    }

    void tree(const TopologyPart& part, std::size_t depth)
    {
        if (part.kind == Kind::group && !part.numa.empty()) { // it is there for its NUMA nodes, whose lines stand for it
            for (auto index : part.numa)
                numa(index, depth);
            return content(part, depth + 1);
        }
        auto name = part_name(part);
        name[0] = part.kind == Kind::package ? 'P' : part.kind == Kind::die ? 'D' : name[0];
        line(depth, name);
        for (auto index : part.numa)
            numa(index, depth + 1);
        content(part, depth + 1);
    }

    void devices()
    {
        if (node_.topology.devices.empty())
            return;
        line(1, "Devices");
        for (std::size_t i = 0; i < node_.topology.devices.size(); ++i) {
            const auto& device = node_.topology.devices[i];
            auto text = escape_for_terminal(device.resource);
            if (!device.type.empty())
                text += " " + escape_for_terminal(device.type);
            text += fmt::format(" {}: {}", escape_for_terminal(device.address), holder(node_.device_holder[i]));
            if (!device.near.empty())
                text += fmt::format("; near cores {}", format_list(device.near));
            for (const auto& path : device.paths)
                text += "; " + escape_for_terminal(path);
            line(2, text);
        }
    }

    void distances()
    {
        const auto count = node_.topology.numa_nodes.size();
        if (node_.topology.distances.empty() || count < 2)
            return;
        line(1, "Distances between NUMA nodes (10: its own)");
        std::string titles = "    ";
        for (std::size_t i = 0; i < count; ++i)
            titles += fmt::format("{:>5}", i);
        line(2, titles);
        for (std::size_t a = 0; a < count; ++a) {
            auto row = fmt::format("{:>4}", a);
            for (std::size_t b = 0; b < count; ++b)
                row += fmt::format("{:>5}", node_.topology.distance(a, b));
            line(2, row);
        }
    }

public:
    explicit TreeWriter(const NodeTopology& node) : node_(node) {}

    std::string run()
    {
        const auto& topology = node_.topology;
        std::size_t pus = 0;
        for (const auto& core : topology.cores)
            pus += core.pus.size();
        const auto some = [](std::size_t n, std::string_view word) { return fmt::format("{} {}{}", n, word, n == 1 ? "" : "s"); };
        line(0, fmt::format("Node {}: {}, {}, {}, {}", escape_for_terminal(node_.name), escape_for_terminal(node_.state),
                            some(topology.cores.size(), "core"), some(pus, "PU"),
                            topology.numa_nodes.empty() ? "no NUMA node is known"
                                                        : fmt::format("{} in {}", format_memory_size(topology.memory()),
                                                                      some(topology.numa_nodes.size(), "NUMA node"))));
        for (auto index : node_.machine.numa)
            numa(index, 1);
        // What is one with the machine needs no level of its own.
        content(node_.machine, 1);
        devices();
        distances();
        return std::move(text_);
    }
};

} // namespace

std::string topology_text(const NodeTopology& node) { return TreeWriter(node).run(); }

} // namespace jarvis::client
