#include "node/device_files.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace jarvis::node {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// NVIDIA's driver has a file for each GPU, /dev/nvidia0, and one of each of these for all of them.
constexpr std::array<std::string_view, 4> nvidia_control{"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"};
// The connection manager of all RDMA cards.
constexpr std::array<std::string_view, 1> rdma_control{"/dev/infiniband/rdma_cm"};

bool is_nvidia_gpu(std::string_view path)
{
    constexpr std::string_view beginning = "/dev/nvidia";
    return path.starts_with(beginning) && path.size() > beginning.size() && std::ranges::all_of(path.substr(beginning.size()), is_digit);
}

void add_files(const Device& device, std::vector<std::string>& files)
{
    const auto add = [&](const auto& paths) {
        for (const auto& path : paths)
            if (std::ranges::find(files, path) == files.end())
                files.emplace_back(path);
    };
    add(device.paths);
    if (std::ranges::any_of(device.paths, is_nvidia_gpu))
        add(nvidia_control);
    if (std::ranges::any_of(device.paths, [](std::string_view path) { return path.starts_with("/dev/infiniband/"); }))
        add(rdma_control);
}

} // namespace

DeviceFiles device_files(const NodePlacement& placement, const Topology& topology, const DeviceSettings& settings)
{
    DeviceFiles files{.given = {}, .withheld = {}, .strict = settings.strict};
    const auto is_given = [&](std::size_t index) {
        return std::ranges::binary_search(placement.devices, static_cast<std::uint32_t>(index)) ||
               std::ranges::find(settings.shared, topology.devices[index].resource) != settings.shared.end();
    };
    std::vector<std::string> others;
    for (std::size_t i = 0; i < topology.devices.size(); ++i)
        add_files(topology.devices[i], is_given(i) ? files.given : others);
    if (!settings.strict)
        for (auto& path : others)
            if (std::ranges::find(files.given, path) == files.given.end())
                files.withheld.push_back(std::move(path));
    return files;
}

} // namespace jarvis::node
