// What libcgroup finds of control groups on this machine: which controllers the kernel has, where they are mounted, and values. It
// reads alone; making and changing groups is CgroupTree's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::noded {

struct KernelController {
    std::string name;
    bool enabled = false; // else switched off at the boot
    std::string mount;    // of version 1 or 2; empty: nowhere
};

struct KernelGroups {
    std::vector<KernelController> controllers; // by name
    std::string trouble;                       // why there is nothing of it; empty: there is

    const KernelController* find(std::string_view name) const;
};
KernelGroups read_kernel_groups();

// The first line of a file of a group below the mount point of this controller ("memory", "/jarvis_x/jobs", "memory.max"). After
// read_kernel_groups(), in the same thread.
std::optional<std::string> read_group_value(const std::string& controller, const std::string& group, const std::string& file);

} // namespace jarvis::noded
