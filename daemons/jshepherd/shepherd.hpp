// The parent of one job's processes: forked from a template, one for each start of a job. It follows the job to its end
// whatever becomes of jnoded, the launcher and the template, and says how it ended in the exit record.
#pragma once

#include "device_programs.hpp"
#include "runtime_plugin.hpp"
#include "template_protocol.hpp"

#include "shepherd.pb.h"

namespace jarvis::shepherd {

// From the first file to the exit record. The process exits with the result. `devices`: of the job's cgroup.
ShepherdExit run_job(RuntimePlugin& runtime, const wire::LaunchOrder& order, const DeviceProgram& devices);

// After a shepherd died: kills what is left in the cgroup, removes folder and cgroup. Writes no record.
void clean_after_job(const wire::LaunchOrder& order);

} // namespace jarvis::shepherd
