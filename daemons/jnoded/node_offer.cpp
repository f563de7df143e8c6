#include "node_offer.hpp"

#include "base/escape.hpp"
#include "base/units.hpp"
#include "capability_trials.hpp"
#include "discovery.hpp"

#include <algorithm>

namespace jarvis::noded {
namespace {

// `part` of `whole` of `amount`, without overflow: sizes have 53 bits at most.
std::int64_t share(std::int64_t amount, std::int64_t part, std::int64_t whole)
{
    return static_cast<std::int64_t>(__extension__ static_cast<__int128>(amount) * part / whole);
}

void keep_cores(Topology& topology, std::uint32_t cores)
{
    const auto dropped = CoreSet::range(cores, static_cast<std::uint32_t>(topology.cores.size()) - cores);
    topology.cores.resize(cores);
    for (auto& numa : topology.numa_nodes)
        numa.cores -= dropped;
    for (auto& device : topology.devices)
        device.near -= dropped;
}

// The first `cores` cores (0: all), and `memory` taken from the NUMA nodes in proportion to their size.
Topology part_of(Topology topology, std::uint32_t cores, std::optional<MemorySize> memory)
{
    if (cores > 0)
        keep_cores(topology, cores);
    const auto all = topology.memory();
    if (!memory || *memory == all)
        return topology;
    auto left = *memory;
    const auto nodes = static_cast<std::int64_t>(topology.numa_nodes.size());
    for (auto& numa : topology.numa_nodes) {
        // Of nodes whose memory nobody knows each has as much.
        numa.memory.bytes = all.bytes > 0 ? share(numa.memory.bytes, memory->bytes, all.bytes) : memory->bytes / nodes;
        left -= numa.memory;
    }
    topology.numa_nodes.front().memory += left; // what rounding left over: fewer bytes than there are nodes
    return topology;
}

// Cores that stand for no core of the machine; each has a PU, since every core has one, and nothing is bound to it.
Topology virtual_shape(std::uint32_t cores, MemorySize memory, std::vector<Device> devices)
{
    Topology topology;
    for (std::uint32_t core = 0; core < cores; ++core)
        topology.cores.push_back({.pus = {core}, .package = 0});
    topology.numa_nodes.push_back({.os_index = 0, .memory = memory, .cores = CoreSet::range(0, cores)});
    for (auto& device : devices)
        device.near = {};
    topology.devices = std::move(devices);
    return topology;
}

// Where all is DRAM, or none, every node gives its part.
std::vector<NumaNode*> reserved_from(Topology& topology)
{
    std::vector<NumaNode*> nodes;
    for (auto& numa : topology.numa_nodes)
        if (numa.kind == MemoryKind::dram)
            nodes.push_back(&numa);
    if (nodes.empty())
        for (auto& numa : topology.numa_nodes)
            nodes.push_back(&numa);
    return nodes;
}

OfferAs offer_as(const config::NodeDaemon& daemon, const Discovery& found)
{
    if (daemon.login)
        return OfferAs::nothing;
    if (daemon.virtual_cores)
        return OfferAs::virtual_cores;
    return found.this_machine ? OfferAs::real_cores : OfferAs::described_cores;
}

Error at_key(const config::Node& node, std::string_view key, const Error& error)
{
    return {error.code, fmt::format("{}:{}: node {}: {}: {}", node.place.file, node.place.line, node.name, key, error.message)};
}

} // namespace

Offer offer(Topology topology, std::uint32_t cores, std::optional<MemorySize> memory, OfferAs as)
{
    if (as == OfferAs::nothing)
        return {.topology = {}, .bound = true, .notes = {"a login node: no job runs here"}};
    const auto there = static_cast<std::uint32_t>(topology.cores.size());
    const auto all = topology.memory();
    const bool too_many = cores > there;
    std::vector<std::string> notes;
    if (too_many)
        notes.push_back(fmt::format("cores are virtual, jobs are not bound: {} are stated, {} are there", cores, there));
    else if (as == OfferAs::virtual_cores)
        notes.emplace_back("cores are virtual, jobs are not bound");
    else if (as == OfferAs::described_cores)
        notes.emplace_back("cores are virtual, jobs are not bound: the configuration describes them");
    if (memory && *memory > all)
        notes.push_back(fmt::format("memory is virtual: {} is stated, {} is there", format_memory_size(*memory),
                                    format_memory_size(all)));
    const bool flat = too_many || as == OfferAs::virtual_cores;
    auto shape = flat ? virtual_shape(cores > 0 ? cores : there, memory.value_or(all), std::move(topology.devices))
                      : part_of(std::move(topology), cores, memory);
    return {.topology = std::move(shape), .bound = !flat && as == OfferAs::real_cores, .notes = std::move(notes)};
}

MemorySize default_reserve(MemorySize memory)
{
    if (memory < mebibytes(2048))
        return {};
    const auto share = mebibytes(memory.bytes / 50 >> 20); // whole MiB
    return std::clamp(share, mebibytes(128), mebibytes(4096));
}

Result<Topology> without_reserve(Topology topology, std::uint32_t cores, MemorySize memory)
{
    const auto there = static_cast<std::uint32_t>(topology.cores.size());
    if (cores >= there && cores > 0)
        return fail(Errc::invalid, "{} cores are kept for the system, and there are {}: none is left for jobs", cores, there);
    if (cores > 0)
        keep_cores(topology, there - cores);
    auto nodes = reserved_from(topology);
    // The smallest first: what one does not have the others give.
    std::ranges::stable_sort(nodes, {}, [](const NumaNode* numa) { return numa->memory; });
    auto left = memory;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const MemorySize part{left.bytes / static_cast<std::int64_t>(nodes.size() - i)};
        const auto taken = std::min(part, nodes[i]->memory);
        nodes[i]->memory -= taken;
        left -= taken;
    }
    if (memory.bytes > 0 && (left.bytes > 0 || topology.memory().bytes == 0))
        return fail(Errc::invalid, "{} of memory are kept for the system: nothing is left for jobs", format_memory_size(memory));
    return topology;
}

void state_devices(const std::vector<config::StatedDevice>& stated, Topology& topology, std::vector<std::string>& notes)
{
    std::erase_if(topology.devices, [&](const Device& device) {
        return std::ranges::find(stated, device.resource, &config::StatedDevice::name) != stated.end();
    });
    const auto there = CoreSet::range(0, static_cast<std::uint32_t>(topology.cores.size()));
    std::map<std::string, std::uint32_t> numbers;
    for (const auto& device : stated) {
        const auto missing = device.cores - there;
        if (!missing.empty())
            notes.push_back(fmt::format("devices: {} is stated to be near to cores {}, which are not offered", device.name,
                                        format_list(missing)));
        for (std::uint32_t i = 0; i < device.count; ++i) {
            const auto number = numbers[device.name]++;
            topology.devices.push_back({.resource = device.name,
                                        .type = device.type,
                                        .address = device.paths.empty() ? fmt::format("{}{}", device.name, number) : device.paths.front(),
                                        .paths = device.paths,
                                        .near = device.cores - missing});
        }
    }
}

Result<Offer> find_offer(const config::Node& node, const config::NodeDaemon& daemon)
{
    auto found = discover_topology(node.topology, cpus_of_partition(daemon.cgroup));
    if (!found)
        return std::unexpected(node.topology.empty() ? found.error() : at_key(node, "topology", found.error()));
    const auto as = offer_as(daemon, *found);
    if (as != OfferAs::nothing) {
        // What is stated is what is offered; of what only stands in the configuration nobody lives.
        MemorySize memory = node.reserve.memory.value_or(MemorySize{});
        if (!node.reserve.memory && !node.memory && found->this_machine)
            memory = default_reserve(found->topology.memory());
        auto left = without_reserve(std::move(found->topology), node.reserve.cores, memory);
        if (!left)
            return std::unexpected(at_key(node, "reserve", left.error()));
        found->topology = std::move(*left);
    }
    auto offered = offer(std::move(found->topology), node.cores, node.memory, as);
    if (as != OfferAs::nothing)
        state_devices(node.devices, offered.topology, offered.notes);
    offered.notes.insert(offered.notes.begin(), found->notes.begin(), found->notes.end());
    return offered;
}

} // namespace jarvis::noded
