// GPUs and network cards as hwloc and sysfs show them. No vendor's library is asked.
#pragma once

#include "hwloc_topology.hpp"
#include "model/topology.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::noded {

// "gpu" and "nic", one for each PCI function in their order, then those on no PCI bus. Files are those of this machine; a
// topology from elsewhere has none.
std::vector<Device> read_devices(hwloc_topology_t topology);

// A short word for a model: "GA100 [A100 SXM4 80GB]" is "a100", "GeForce RTX 2080 Ti" is "geforce_rtx_2080_ti".
std::string model_word(std::string_view model);
// The files in /dev that belong to the PCI device with this address, as the folders of `root` (/) tell: DRM and compute nodes of
// GPUs, verbs and management of InfiniBand cards.
std::vector<std::string> device_files(const std::filesystem::path& root, const std::string& address);

} // namespace jarvis::noded
