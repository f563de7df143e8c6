// An order as the runtime ABI shows it: the message's bytes with pointers to them.
#pragma once

#include "shepherd.pb.h"

#include <jarvis/runtime.h>

#include <string>
#include <vector>

namespace jarvis::shepherd {

class LaunchData {
    std::vector<const char*> argv_;
    std::vector<const char*> envp_;
    std::vector<jarvis_rlimit> limits_;
    std::string cgroup_;
    jarvis_launch launch_{};

public:
    // The order must outlive this. `cgroup` is the leaf, empty without one.
    LaunchData(const wire::LaunchOrder& order, std::string cgroup, int cgroup_fd);
    LaunchData(const LaunchData&) = delete;
    LaunchData& operator=(const LaunchData&) = delete;

    const jarvis_launch& get() const { return launch_; }
};

// The RLIMIT_ number of a name as getrlimit(2) has it, in lower case without RLIMIT_; -1: there is none.
int limit_number(std::string_view name);

} // namespace jarvis::shepherd
