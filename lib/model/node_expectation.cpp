#include "model/node_expectation.hpp"

#include "base/units.hpp"

#include <algorithm>
#include <set>

namespace jarvis {

namespace {

void add(std::string& text, std::string_view expected, std::string_view found)
{
    text += fmt::format("{}expected {}, found {}", text.empty() ? "" : "; ", expected, found);
}

void compare(std::string& text, std::uint32_t expected, std::size_t found, std::string_view what)
{
    if (found < expected)
        add(text, fmt::format("{} {}", expected, what), fmt::format("{}", found));
}

std::size_t threads_of_least(const Topology& topology)
{
    const auto least = std::ranges::min_element(topology.cores, {}, [](const Core& core) { return core.pus.size(); });
    return least == topology.cores.end() ? 0 : least->pus.size();
}

std::size_t count_devices(const Topology& topology, std::string_view wanted)
{
    const auto colon = wanted.find(':');
    const auto resource = wanted.substr(0, colon);
    return static_cast<std::size_t>(std::ranges::count_if(topology.devices, [&](const Device& device) {
        return device.resource == resource && (colon == std::string_view::npos || device.type == wanted.substr(colon + 1));
    }));
}

} // namespace

std::string shortfall(const NodeExpectation& expected, const Topology& found)
{
    std::string text;
    std::set<std::uint32_t> packages;
    for (const auto& core : found.cores)
        packages.insert(core.package);
    compare(text, expected.packages, packages.size(), "packages");
    compare(text, expected.numa_nodes, found.numa_nodes.size(), "NUMA nodes");
    compare(text, expected.cores, found.cores.size(), "cores");
    compare(text, expected.threads_per_core, threads_of_least(found), "threads in each core");
    if (found.memory() < expected.memory)
        add(text, format_memory_size(expected.memory) + " of memory", format_memory_size(found.memory()));
    for (const auto& [device, count] : expected.devices)
        compare(text, count, count_devices(found, device), device);
    return text;
}

} // namespace jarvis
