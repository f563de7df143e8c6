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
    return jarvis::Core{{message.pus().begin(), message.pus().end()}, message.package()};
}

Result<jarvis::NumaNode> numa_from(const NumaNode& message, std::size_t core_count)
{
    if (message.os_index() >= limits::cores)
        return fail(Errc::corrupt, "the kernel's number {} is out of range", message.os_index());
    auto cores = core_set_from(message.core_words());
    if (!cores)
        return std::unexpected(std::move(cores.error()));
    bool known = true;
    cores->for_each([&](std::uint32_t core) { known = known && core < core_count; });
    if (!known)
        return fail(Errc::corrupt, "its cores {} are not all there", format_list(*cores));
    return jarvis::NumaNode{message.os_index(), MemorySize{message.memory()}, std::move(*cores)};
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
    return jarvis::NodePlacement{NodeId{message.node()}, std::move(*cores), std::move(*memory), message.tasks()};
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
    }
    for (const auto& numa : topology.numa_nodes) {
        auto& numa_message = *message.add_numa_nodes();
        numa_message.set_os_index(numa.os_index);
        numa_message.set_memory(numa.memory.bytes);
        put_core_set(numa.cores, *numa_message.mutable_core_words());
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
    return {};
}

} // namespace jarvis::wire
