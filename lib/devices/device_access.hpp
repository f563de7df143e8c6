// What a cgroup's processes may open of the machine's device files: the policy by paths, and its program in the kernel.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "devices/device_program.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace jarvis::devices {

// What counts of a path is the device it is the file of now. A path that is not there, or is no device file, has no rule.
struct Access {
    std::vector<std::string> given;   // may be opened, also if withheld
    std::vector<std::string> withheld;
    bool strict = false;              // of all others only what every program expects; else whatever they are
};

Policy policy_of(const Access& access);

// A program in the kernel. It lives as long as this descriptor or a group has it.
class Program {
    Fd fd_;
    std::uint32_t id_ = 0;

public:
    // `operation not permitted` for want of CAP_BPF and CAP_NET_ADMIN, as in a nested container.
    static Result<Program> load(const Policy& policy);

    std::uint32_t id() const { return id_; } // not used again before the kernel's numbers wrap around
    // To the group at this path, and looks there whether it is.
    Result<void> attach(const std::string& group) const;
};

// The ids of the programs that were attached to the group itself.
Result<std::vector<std::uint32_t>> attached_programs(const std::string& group);

// In words, when a program that was attached to the group is there no more. Empty when it is, or when the group is gone: nothing
// runs in it then (rmdir of a cgroup fails as long as it has processes, cgroup-v2.rst).
std::string missing_program(const std::string& group, std::uint32_t id);

} // namespace jarvis::devices
