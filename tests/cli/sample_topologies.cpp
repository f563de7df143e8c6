#include "sample_topologies.hpp"

#include "wire/convert.hpp"

namespace jarvis::client {

namespace {

constexpr std::int64_t gib = std::int64_t{1} << 30;

wire::NodeView view(const std::string& name, const Topology& topology)
{
    wire::NodeView view;
    view.set_name(name);
    view.set_state("mixed");
    view.set_cores(static_cast<std::uint32_t>(topology.cores.size()));
    view.set_memory(topology.memory().bytes);
    *view.mutable_topology() = wire::to_message(topology);
    return view;
}

void hold(wire::NodeView& view, const std::string& job, const std::string& user, const CoreSet& cores, std::vector<NumaShare> memory,
          std::vector<std::uint32_t> devices = {})
{
    auto& holding = *view.add_holdings();
    holding.set_job(job);
    holding.set_user(user);
    *holding.mutable_placement() = wire::to_message(NodePlacement{NodeId{0}, cores, std::move(memory), 1, std::move(devices)});
}

} // namespace

wire::NodeView laptop()
{
    Topology topology;
    for (std::uint32_t i = 0; i < 4; ++i)
        topology.cores.push_back({.pus = {2 * i, 2 * i + 1}, .l2 = i, .efficiency = 1});
    for (std::uint32_t i = 0; i < 4; ++i)
        topology.cores.push_back({.pus = {8 + i}, .l2 = 4, .efficiency = 0});
    topology.numa_nodes.push_back({0, {16 * gib}, CoreSet::range(0, 8)});
    auto node = view("laptop", topology);
    hold(node, "7", "evil\x1b[2J<b>&\xe9", CoreSet::range(0, 2), {{0, {4 * gib}}});
    hold(node, "11_3", "bob", CoreSet::range(3, 3), {{0, {gib / 2}}});
    return node;
}

wire::NodeView two_packages()
{
    Topology topology;
    for (std::uint32_t i = 0; i < 256; ++i)
        topology.cores.push_back({.pus = {i, 256 + i}, .package = i / 128, .die = i / 128, .l3 = i / 8, .l2 = i});
    for (std::uint32_t i = 0; i < 8; ++i)
        topology.numa_nodes.push_back({i, {128 * gib}, CoreSet::range(32 * i, 32)});
    for (std::uint32_t a = 0; a < 8; ++a)
        for (std::uint32_t b = 0; b < 8; ++b)
            topology.distances.push_back(a == b ? 10 : a / 4 == b / 4 ? 12 : 32);
    for (std::uint32_t i = 0; i < 4; ++i)
        topology.devices.push_back({"gpu", "a100", fmt::format("0000:{}1:00.0", i + 1), {fmt::format("/dev/nvidia{}", i)}, CoreSet::range(64 * i, 32)});
    auto node = view("n1", topology);
    hold(node, "12", "alice", CoreSet::range(0, 32), {{0, {96 * gib}}}, {0});
    hold(node, "13_4", "bob", CoreSet::range(32, 20), {{0, {8 * gib}}, {1, {64 * gib}}});
    for (std::uint32_t i = 0; i < 9; ++i)
        hold(node, fmt::format("{}", 20 + i), "carol", CoreSet::range(128 + 8 * i, 8), {{4 + i / 4, {16 * gib}}});
    hold(node, "1234567_999999", "dave", CoreSet::range(255, 1), {}, {2, 3});
    return node;
}

wire::NodeView with_hbm()
{
    Topology topology;
    for (std::uint32_t i = 0; i < 8; ++i)
        topology.cores.push_back({.pus = {i}, .l3 = i / 4});
    topology.numa_nodes.push_back({0, {64 * gib}, CoreSet::range(0, 8)});
    topology.numa_nodes.push_back({1, {16 * gib}, {}, MemoryKind::hbm});
    topology.numa_nodes.push_back({3, {256 * gib}, {}, MemoryKind::slow});
    topology.distances = {10, 13, 40, 13, 10, 50, 40, 50, 10};
    auto node = view("hbm", topology);
    hold(node, "5", "alice", CoreSet::range(0, 4), {{0, {8 * gib}}, {1, {16 * gib}}});
    return node;
}

wire::NodeView without_numa()
{
    Topology topology;
    for (std::uint32_t i = 0; i < 4; ++i)
        topology.cores.push_back({.pus = {i}, .package = i / 2, .die = i / 2, .l3 = i / 2});
    auto node = view("old", topology);
    node.set_state("idle");
    return node;
}

wire::NodeView shared_memory()
{
    Topology topology;
    for (std::uint32_t i = 0; i < 24; ++i)
        topology.cores.push_back({.pus = {i}, .package = i / 6, .die = i / 3, .l3 = i < 12 ? i / 4 : 3 + (i - 12) / 3});
    topology.numa_nodes.push_back({2, {32 * gib}, CoreSet::range(0, 12)});
    topology.numa_nodes.push_back({5, {32 * gib}, CoreSet::range(12, 6)});
    topology.numa_nodes.push_back({4, {32 * gib}, CoreSet::range(18, 3)});
    topology.numa_nodes.push_back({7, {4 * gib}, CoreSet::range(18, 3), MemoryKind::hbm});
    topology.numa_nodes.push_back({8, {4 * gib}, CoreSet::range(16, 4)}); // across packages: it fits nowhere
    auto node = view("odd", topology);
    hold(node, "1", "alice", CoreSet::range(2, 17), {{2, {gib}}, {4, {gib}}});
    return node;
}

} // namespace jarvis::client
