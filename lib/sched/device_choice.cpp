#include "sched/device_choice.hpp"

#include <fmt/format.h>

namespace jarvis::sched {

namespace {

bool is_of(const Device& device, const DeviceRequest& request)
{
    return device.resource == request.resource && (request.type.empty() || request.type == device.type);
}

// What names a type is served before what takes any.
std::vector<const DeviceRequest*> in_order(const PlacementWishes& wishes)
{
    std::vector<const DeviceRequest*> order;
    for (bool typed : {true, false})
        for (const auto& request : wishes.devices)
            if (!request.type.empty() == typed)
                order.push_back(&request);
    return order;
}

// Calls none() with a request that there are too few for, and with how many there are.
template <class None>
std::optional<std::vector<std::uint32_t>> serve(const Topology& topology, std::vector<std::uint32_t> left, const PlacementWishes& wishes,
                                                const CoreSet& cores, None none)
{
    std::vector<std::uint32_t> chosen;
    for (const auto* request : in_order(wishes)) {
        auto missing = request->count;
        for (bool near : {true, false})
            std::erase_if(left, [&](std::uint32_t index) {
                const auto& device = topology.devices[index];
                if (missing == 0 || !is_of(device, *request) || (near && !device.near.empty() && !device.near.intersects(cores)))
                    return false;
                chosen.push_back(index);
                --missing;
                return true;
            });
        if (missing > 0) {
            none(*request, request->count - missing);
            return std::nullopt;
        }
    }
    std::ranges::sort(chosen);
    return chosen;
}

} // namespace

std::optional<std::vector<std::uint32_t>> choose_devices(const Topology& topology, const FreeResources& free, const PlacementWishes& wishes,
                                                         const CoreSet& cores, const CoreSet* only)
{
    auto usable = free.devices;
    if (only)
        std::erase_if(usable, [&](std::uint32_t index) {
            const auto& near = topology.devices[index].near;
            return !near.empty() && !(*only - near).empty();
        });
    return serve(topology, std::move(usable), wishes, cores, [](const auto&, std::uint32_t) {});
}

std::vector<CoreSet> near_sets(const Topology& topology, const NodeLayout& layout)
{
    std::vector<CoreSet> sets;
    for (const auto& device : layout.devices()) {
        const auto& near = topology.devices[device.device].near;
        auto set = near.empty() ? CoreSet::range(0, static_cast<std::uint32_t>(topology.cores.size())) : near;
        if (std::ranges::find(sets, set) == sets.end())
            sets.push_back(std::move(set));
    }
    return sets;
}

DevicesMissing missing_devices(const Topology& topology, const FreeResources& free, const PlacementWishes& wishes)
{
    DevicesMissing missing;
    serve(topology, free.devices, wishes, {}, [&](const DeviceRequest& request, std::uint32_t have) { missing = {&request, have}; });
    return missing;
}

std::string device_text(const DeviceRequest& request)
{
    return fmt::format("{} {}{}{}", request.count, request.resource, request.type.empty() ? "" : ":", request.type);
}

} // namespace jarvis::sched
