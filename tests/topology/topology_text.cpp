#include "topology_text.hpp"

#include <fmt/ranges.h>

namespace jarvis::test {

namespace {

std::string place_of(const Core& core)
{
    return fmt::format("package {} die {} L3 {} L2 {} efficiency {}", core.package, core.die, core.l3, core.l2, core.efficiency);
}

std::string or_none(const CoreSet& cores) { return cores.empty() ? "none" : format_list(cores); }

} // namespace

std::string topology_text(const Topology& topology)
{
    std::string text;
    const auto& cores = topology.cores;
    for (std::size_t first = 0, next = 0; first < cores.size(); first = next) {
        std::string pus;
        for (next = first; next < cores.size() && place_of(cores[next]) == place_of(cores[first]); ++next)
            pus += fmt::format(" {}", fmt::join(cores[next].pus, "+"));
        text += fmt::format("cores {}-{}: {}; PUs{}\n", first, next - 1, place_of(cores[first]), pus);
    }
    for (std::size_t i = 0; i < topology.numa_nodes.size(); ++i) {
        const auto& numa = topology.numa_nodes[i];
        text += fmt::format("NUMA node {}: kernel's {}, {}, {} MiB, cores {}\n", i, numa.os_index, name(numa.kind),
                            numa.memory.bytes >> 20, or_none(numa.cores));
    }
    const auto nodes = topology.numa_nodes.size();
    for (std::size_t a = 0; a < nodes && !topology.distances.empty(); ++a) {
        text += fmt::format("distances of {}:", a);
        for (std::size_t b = 0; b < nodes; ++b)
            text += fmt::format(" {}", topology.distance(a, b));
        text += '\n';
    }
    for (const auto& device : topology.devices)
        text += fmt::format("{} {} at {}: near cores {}, files [{}]\n", device.resource, device.type.empty() ? "of unknown type" : device.type,
                            device.address, device.near.empty() ? "all" : format_list(device.near), fmt::join(device.paths, " "));
    return text;
}

} // namespace jarvis::test
