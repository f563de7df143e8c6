// Which devices a demand gets.
#pragma once

#include "sched/node_layout.hpp"

namespace jarvis::sched {

// Of each kind that is asked for as many as that from the free ones, near the chosen cores first, the lowest of equals. With `only`:
// those that all of these cores are near to. Ascending; empty optional: there are too few.
std::optional<std::vector<std::uint32_t>> choose_devices(const Topology& topology, const FreeResources& free, const PlacementWishes& wishes,
                                                         const CoreSet& cores, const CoreSet* only = nullptr);

// The sets of cores to which some free device that is asked for is near. Devices that are near alike count once.
std::vector<CoreSet> near_sets(const Topology& topology, const NodeLayout& layout);

// The first kind of which there are fewer than asked for: "2 gpu:a100", and how many there are; null: there are enough.
struct DevicesMissing {
    const DeviceRequest* request = nullptr;
    std::uint32_t have = 0;
};
DevicesMissing missing_devices(const Topology& topology, const FreeResources& free, const PlacementWishes& wishes);
std::string device_text(const DeviceRequest& request);

} // namespace jarvis::sched
