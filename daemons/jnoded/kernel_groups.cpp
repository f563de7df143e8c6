#include "kernel_groups.hpp"

#include "cgroup/file.hpp"

#include <algorithm>
#include <libcgroup.h>

namespace jarvis::noded {

const KernelController* KernelGroups::find(std::string_view name) const
{
    const auto found = std::ranges::find(controllers, name, &KernelController::name);
    return found == controllers.end() ? nullptr : &*found;
}

// The library says of each controller one mount; of version 2 that is the mount of the whole hierarchy.
KernelGroups read_kernel_groups()
{
    KernelGroups groups;
    const auto add = [&](std::string_view name) -> KernelController& {
        if (const auto* known = groups.find(name))
            return groups.controllers[static_cast<std::size_t>(known - groups.controllers.data())];
        return groups.controllers.emplace_back(KernelController{.name = std::string(name)});
    };
    void* cursor = nullptr;
    controller_data known{};
    for (int left = ::cgroup_get_all_controller_begin(&cursor, &known); left == 0; left = ::cgroup_get_all_controller_next(&cursor, &known))
        add(known.name).enabled = known.enabled != 0;
    (void)::cgroup_get_all_controller_end(&cursor);
    if (const int failed = ::cgroup_init(); failed != 0) {
        groups.trouble = ::cgroup_strerror(failed);
    } else {
        cgroup_mount_point mount{};
        for (int left = ::cgroup_get_controller_begin(&cursor, &mount); left == 0; left = ::cgroup_get_controller_next(&cursor, &mount)) {
            auto& controller = add(mount.name);
            controller.enabled = true;
            controller.mount = mount.path;
        }
        (void)::cgroup_get_controller_end(&cursor);
    }
    std::ranges::sort(groups.controllers, {}, &KernelController::name);
    return groups;
}

std::optional<std::string> read_group_value(const std::string& controller, const std::string& group, const std::string& file)
{
    char text[4096] = "";
    void* cursor = nullptr;
    auto name = file; // the library takes it as one that it may change
    if (::cgroup_read_value_begin(controller.c_str(), group.c_str(), name.data(), &cursor, text, sizeof text) != 0)
        return std::nullopt;
    (void)::cgroup_read_value_end(&cursor);
    return std::string(cgroup::first_line(text));
}

} // namespace jarvis::noded
