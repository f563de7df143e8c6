// The programs that say which device files jobs may open. A template keeps them, so that the shepherds that it forks find theirs
// loaded: of a thousand jobs without devices each gets the same one, and making one costs more than a cgroup.
#pragma once

#include "devices/device_access.hpp"

#include "shepherd.pb.h"

#include <map>

namespace jarvis::shepherd {

// Null: the job's device files are not confined.
using DeviceProgram = Result<const devices::Program*>;

class DevicePrograms {
    std::map<std::string, devices::Program> loaded_; // by their instructions

public:
    // Looks at the files anew each time: a driver that was loaded again may have another number. The result is good until
    // the next call.
    DeviceProgram program_for(const wire::LaunchOrder& order);
};

} // namespace jarvis::shepherd
