// From the devices that a job was given to the device files that it may open and may not.
#pragma once

#include "model/placement.hpp"
#include "model/topology.hpp"

#include <string>
#include <vector>

namespace jarvis::node {

struct DeviceSettings {
    // Of files that belong to no device of the node: none but those that every program expects.
    bool strict = false;
    // Resources whose files every job may open, whether it asks for them or not: network cards that serve all.
    std::vector<std::string> shared{};
};

struct DeviceFiles {
    std::vector<std::string> given;    // in the order of the devices
    std::vector<std::string> withheld; // of the node's other devices; none with `strict`, which needs no list
    bool strict = false;
    friend bool operator==(const DeviceFiles&, const DeviceFiles&) = default;
};

// A file of several devices (the control files of a driver, which come along with each of its devices) is given with any of them.
DeviceFiles device_files(const NodePlacement& placement, const Topology& topology, const DeviceSettings& settings);

} // namespace jarvis::node
