#include "base/escape.hpp"
#include "client/topology_view.hpp"

#include <boost/json.hpp>

namespace jarvis::client {

namespace {

namespace json = boost::json;

json::string text(std::string_view bytes) { return json::string(escape_invalid_utf8(bytes)); }

json::value job_of(const NodeTopology& node, const std::optional<std::size_t>& holder)
{
    return holder ? json::value(text(node.holdings[*holder].job)) : json::value(nullptr);
}

json::array cores_array(const NodeTopology& node)
{
    json::array list;
    for (std::size_t i = 0; i < node.topology.cores.size(); ++i) {
        const auto& core = node.topology.cores[i];
        list.push_back(json::object{{"core", i},
                                    {"pus", json::array(core.pus.begin(), core.pus.end())},
                                    {"package", core.package},
                                    {"die", core.die},
                                    {"l3", core.l3},
                                    {"l2", core.l2},
                                    {"efficiency", core.efficiency},
                                    {"job", job_of(node, node.core_holder[i])}});
    }
    return list;
}

json::array numa_array(const NodeTopology& node)
{
    json::array list;
    const auto count = node.topology.numa_nodes.size();
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto& numa = node.topology.numa_nodes[i];
        json::array held, distances;
        for (const auto& [holder, memory] : node.memory_holders(i))
            held.push_back(json::object{{"job", job_of(node, holder)}, {"memory_bytes", memory.bytes}});
        if (!node.topology.distances.empty())
            for (std::uint32_t other = 0; other < count; ++other)
                distances.push_back(node.topology.distance(i, other));
        list.push_back(json::object{{"numa", i},
                                    {"os_index", numa.os_index},
                                    {"kind", name(numa.kind)},
                                    {"cores", format_list(numa.cores)},
                                    {"memory_bytes", numa.memory.bytes},
                                    {"memory_held_bytes", node.memory_held(i).bytes},
                                    {"held_by", std::move(held)},
                                    {"distances", std::move(distances)}});
    }
    return list;
}

json::array devices_array(const NodeTopology& node)
{
    json::array list;
    for (std::size_t i = 0; i < node.topology.devices.size(); ++i) {
        const auto& device = node.topology.devices[i];
        json::array paths;
        for (const auto& path : device.paths)
            paths.push_back(text(path));
        list.push_back(json::object{{"resource", text(device.resource)},
                                    {"type", device.type.empty() ? json::value(nullptr) : json::value(text(device.type))},
                                    {"address", text(device.address)},
                                    {"paths", std::move(paths)},
                                    {"near_cores", format_list(device.near)},
                                    {"job", job_of(node, node.device_holder[i])}});
    }
    return list;
}

json::array jobs_array(const NodeTopology& node)
{
    json::array list;
    for (const auto& holding : node.holdings)
        list.push_back(json::object{{"id", text(holding.job)},
                                    {"user", text(holding.user)},
                                    {"cores", format_list(holding.placement.cores)},
                                    {"pus", node.pus_of(holding.placement.cores)},
                                    {"memory_bytes", holding.placement.total_memory().bytes},
                                    {"devices", json::array(holding.placement.devices.begin(), holding.placement.devices.end())}});
    return list;
}

} // namespace

std::string topology_json(const NodeTopology& node, std::uint64_t sequence)
{
    return json::serialize(json::object{{"schema", "jarvis.topology/1"},
                                        {"sequence", std::to_string(sequence)},
                                        {"node", text(node.name)},
                                        {"state", text(node.state)},
                                        {"jobs", jobs_array(node)},
                                        {"cores", cores_array(node)},
                                        {"numa_nodes", numa_array(node)},
                                        {"devices", devices_array(node)}}) +
           "\n";
}

} // namespace jarvis::client
