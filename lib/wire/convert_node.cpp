// Nodes: what they have, and what a job has of them.
#include "wire/convert.hpp"

#include "wire/limits.hpp"

#include <algorithm>
#include <unordered_set>

namespace jarvis::wire {

namespace {

// Shares ascend by NUMA node, so none is there twice, and their sum stays in range.
Result<std::vector<jarvis::NumaShare>> shares_from(const google::protobuf::RepeatedPtrField<NumaShare>& messages)
{
    std::vector<jarvis::NumaShare> shares;
    std::int64_t left = limits::memory;
    for (const auto& message : messages) {
        if (message.numa() >= limits::numa_nodes)
            return fail(Errc::corrupt, "NUMA node {} is out of range", message.numa());
        if (!shares.empty() && message.numa() <= shares.back().numa)
            return fail(Errc::corrupt, "memory of NUMA node {} is out of order", message.numa());
        if (message.memory() < 0 || message.memory() > left)
            return fail(Errc::corrupt, "memory of NUMA node {}: {} bytes is out of range", message.numa(),
                        message.memory());
        left -= message.memory();
        shares.push_back({message.numa(), MemorySize{message.memory()}});
    }
    return shares;
}

Result<jarvis::Core> core_from(const Core& message, std::unordered_set<std::uint32_t>& seen)
{
    if (message.pus_size() < 1 || static_cast<std::size_t>(message.pus_size()) > limits::pus_of_core)
        return fail(Errc::corrupt, "it has {} PUs; from 1 to {} are possible", message.pus_size(), limits::pus_of_core);
    if (message.package() >= limits::cores)
        return fail(Errc::corrupt, "package {} is out of range", message.package());
    for (auto pu : message.pus()) {
        if (pu >= limits::pu)
            return fail(Errc::corrupt, "PU {} is out of range", pu);
        if (!seen.insert(pu).second)
            return fail(Errc::corrupt, "PU {} is there twice", pu);
    }
    for (auto index : {message.die(), message.l3(), message.l2(), message.efficiency()})
        if (index >= limits::cores)
            return fail(Errc::corrupt, "index {} of a die, cache or kind is out of range", index);
    return jarvis::Core{.pus = {message.pus().begin(), message.pus().end()},
                        .package = message.package(),
                        .die = message.die(),
                        .l3 = message.l3(),
                        .l2 = message.l2(),
                        .efficiency = message.efficiency()};
}

// Cores of which all are there.
Result<CoreSet> known_cores_from(const google::protobuf::RepeatedField<std::uint64_t>& words, std::size_t core_count)
{
    auto cores = core_set_from(words);
    if (!cores)
        return cores;
    bool known = true;
    cores->for_each([&](std::uint32_t core) { known = known && core < core_count; });
    if (!known)
        return fail(Errc::corrupt, "its cores {} are not all there", format_list(*cores));
    return cores;
}

Result<jarvis::NumaNode> numa_from(const NumaNode& message, std::size_t core_count)
{
    if (message.os_index() >= limits::cores)
        return fail(Errc::corrupt, "the kernel's number {} is out of range", message.os_index());
    if (message.kind() > static_cast<std::uint32_t>(MemoryKind::slow))
        return fail(Errc::corrupt, "memory of kind {} is not known", message.kind());
    auto cores = known_cores_from(message.core_words(), core_count);
    if (!cores)
        return std::unexpected(std::move(cores.error()));
    return jarvis::NumaNode{message.os_index(), MemorySize{message.memory()}, std::move(*cores), static_cast<MemoryKind>(message.kind())};
}

Result<jarvis::Device> device_from(const Device& message, std::size_t core_count)
{
    for (const auto* text : {&message.resource(), &message.type(), &message.address()})
        if (auto checked = check_text(*text, limits::name, "its name"); !checked)
            return std::unexpected(std::move(checked.error()));
    if (message.resource().empty())
        return fail(Errc::corrupt, "it has no name");
    if (static_cast<std::size_t>(message.paths_size()) > limits::device_paths)
        return fail(Errc::corrupt, "it has {} files; at most {} are possible", message.paths_size(), limits::device_paths);
    for (const auto& path : message.paths())
        if (auto checked = check_text(path, limits::path, "its file"); !checked)
            return std::unexpected(std::move(checked.error()));
    auto near = known_cores_from(message.core_words(), core_count);
    if (!near)
        return std::unexpected(std::move(near.error()));
    return jarvis::Device{message.resource(), message.type(), message.address(), {message.paths().begin(), message.paths().end()},
                          std::move(*near)};
}

Result<std::vector<std::uint32_t>> distances_from(const Topology& message)
{
    const auto nodes = static_cast<std::size_t>(message.numa_nodes_size());
    const auto count = static_cast<std::size_t>(message.distances_size());
    if (count != 0 && (count != nodes * nodes || count > limits::numa_distances))
        return fail(Errc::corrupt, "{} distances between {} NUMA nodes", count, nodes);
    for (auto distance : message.distances())
        if (distance < 1 || distance > limits::distance)
            return fail(Errc::corrupt, "a distance of {} between NUMA nodes is out of range", distance);
    return std::vector<std::uint32_t>(message.distances().begin(), message.distances().end());
}

// Ascending, so none is there twice.
Result<std::vector<std::uint32_t>> indexes_from(const google::protobuf::RepeatedField<std::uint32_t>& messages)
{
    for (int i = 0; i < messages.size(); ++i)
        if (messages[i] >= limits::devices || (i > 0 && messages[i] <= messages[i - 1]))
            return fail(Errc::corrupt, "device {} is out of range or order", messages[i]);
    return std::vector<std::uint32_t>(messages.begin(), messages.end());
}

} // namespace

Result<CoreSet> core_set_from(const google::protobuf::RepeatedField<std::uint64_t>& words)
{
    if (static_cast<std::size_t>(words.size()) > limits::cores / 64)
        return fail(Errc::corrupt, "a set of {} cores is out of range", std::size_t{64} * words.size());
    return CoreSet::from_words({words.begin(), words.end()});
}

void put_core_set(const CoreSet& set, google::protobuf::RepeatedField<std::uint64_t>& words)
{
    words.Assign(set.words().begin(), set.words().end());
}

NumaShare to_message(const jarvis::NumaShare& share)
{
    NumaShare message;
    message.set_numa(share.numa);
    message.set_memory(share.memory.bytes);
    return message;
}

NodePlacement to_message(const jarvis::NodePlacement& placement)
{
    NodePlacement message;
    message.set_node(placement.node.value);
    put_core_set(placement.cores, *message.mutable_core_words());
    for (const auto& share : placement.memory)
        *message.add_memory() = to_message(share);
    message.set_tasks(placement.tasks);
    message.mutable_devices()->Assign(placement.devices.begin(), placement.devices.end());
    return message;
}

Result<jarvis::NodePlacement> from_message(const NodePlacement& message)
{
    if (message.node() >= limits::nodes)
        return fail(Errc::corrupt, "placement: node {} is out of range", message.node());
    auto cores = core_set_from(message.core_words());
    if (!cores)
        return fail(cores.error(), "placement");
    auto memory = shares_from(message.memory());
    if (!memory)
        return fail(memory.error(), "placement");
    if (message.tasks() > limits::tasks)
        return fail(Errc::corrupt, "placement: {} tasks are out of range", message.tasks());
    auto devices = indexes_from(message.devices());
    if (!devices)
        return fail(devices.error(), "placement");
    return jarvis::NodePlacement{NodeId{message.node()}, std::move(*cores), std::move(*memory), message.tasks(), std::move(*devices)};
}

Placement to_message(const jarvis::Placement& placement)
{
    Placement message;
    for (const auto& node : placement.nodes)
        *message.add_nodes() = to_message(node);
    return message;
}

Result<jarvis::Placement> from_message(const Placement& message)
{
    if (static_cast<std::size_t>(message.nodes_size()) > limits::nodes)
        return fail(Errc::corrupt, "placement: {} nodes are out of range", message.nodes_size());
    jarvis::Placement placement;
    std::unordered_set<std::uint32_t> seen;
    for (const auto& node_message : message.nodes()) {
        auto node = from_message(node_message);
        if (!node)
            return std::unexpected(std::move(node.error()));
        if (!seen.insert(node->node.value).second)
            return fail(Errc::corrupt, "placement: node {} is there twice", node->node);
        placement.nodes.push_back(std::move(*node));
    }
    return placement;
}

Topology to_message(const jarvis::Topology& topology)
{
    Topology message;
    for (const auto& core : topology.cores) {
        auto& core_message = *message.add_cores();
        core_message.mutable_pus()->Assign(core.pus.begin(), core.pus.end());
        core_message.set_package(core.package);
        core_message.set_die(core.die);
        core_message.set_l3(core.l3);
        core_message.set_l2(core.l2);
        core_message.set_efficiency(core.efficiency);
    }
    for (const auto& numa : topology.numa_nodes) {
        auto& numa_message = *message.add_numa_nodes();
        numa_message.set_os_index(numa.os_index);
        numa_message.set_memory(numa.memory.bytes);
        put_core_set(numa.cores, *numa_message.mutable_core_words());
        numa_message.set_kind(static_cast<std::uint32_t>(numa.kind));
    }
    if (topology.distances.size() <= limits::numa_distances)
        message.mutable_distances()->Assign(topology.distances.begin(), topology.distances.end());
    for (const auto& device : topology.devices) {
        auto& device_message = *message.add_devices();
        device_message.set_resource(device.resource);
        device_message.set_type(device.type);
        device_message.set_address(device.address);
        for (const auto& path : device.paths)
            device_message.add_paths(path);
        put_core_set(device.near, *device_message.mutable_core_words());
    }
    return message;
}

Result<jarvis::Topology> from_message(const Topology& message)
{
    if (static_cast<std::size_t>(message.cores_size()) > limits::cores)
        return fail(Errc::corrupt, "topology: {} cores; at most {} are possible", message.cores_size(), limits::cores);
    if (static_cast<std::size_t>(message.numa_nodes_size()) > limits::numa_nodes)
        return fail(Errc::corrupt, "topology: {} NUMA nodes; at most {} are possible", message.numa_nodes_size(),
                    limits::numa_nodes);
    jarvis::Topology topology;
    std::unordered_set<std::uint32_t> pus;
    for (const auto& core_message : message.cores()) {
        auto core = core_from(core_message, pus);
        if (!core)
            return fail(core.error(), "topology: core {}", topology.cores.size());
        topology.cores.push_back(std::move(*core));
    }
    std::int64_t left = limits::memory;
    std::unordered_set<std::uint32_t> numbers;
    for (const auto& numa_message : message.numa_nodes()) {
        auto index = topology.numa_nodes.size();
        if (numa_message.memory() < 0 || numa_message.memory() > left)
            return fail(Errc::corrupt, "topology: NUMA node {}: {} bytes is out of range", index, numa_message.memory());
        left -= numa_message.memory();
        auto numa = numa_from(numa_message, topology.cores.size());
        if (!numa)
            return fail(numa.error(), "topology: NUMA node {}", index);
        if (!numbers.insert(numa->os_index).second)
            return fail(Errc::corrupt, "topology: NUMA node {}: the kernel's number {} is there twice", index,
                        numa->os_index);
        topology.numa_nodes.push_back(std::move(*numa));
    }
    auto distances = distances_from(message);
    if (!distances)
        return fail(distances.error(), "topology");
    topology.distances = std::move(*distances);
    if (static_cast<std::size_t>(message.devices_size()) > limits::devices)
        return fail(Errc::corrupt, "topology: {} devices; at most {} are possible", message.devices_size(), limits::devices);
    for (const auto& device_message : message.devices()) {
        auto device = device_from(device_message, topology.cores.size());
        if (!device)
            return fail(device.error(), "topology: device {}", topology.devices.size());
        topology.devices.push_back(std::move(*device));
    }
    return topology;
}

Result<void> check_fits(const jarvis::NodePlacement& placement, const jarvis::Topology& topology)
{
    bool known = true;
    placement.cores.for_each([&](std::uint32_t core) { known = known && core < topology.cores.size(); });
    if (!known)
        return fail(Errc::invalid, "cores {} of a node that has {}", format_list(placement.cores), topology.cores.size());
    for (const auto& share : placement.memory)
        if (share.numa >= topology.numa_nodes.size())
            return fail(Errc::invalid, "NUMA node {} of a node that has {}", share.numa, topology.numa_nodes.size());
    for (auto device : placement.devices)
        if (device >= topology.devices.size())
            return fail(Errc::invalid, "device {} of a node that has {}", device, topology.devices.size());
    return {};
}

} // namespace jarvis::wire
