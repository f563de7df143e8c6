// The files that a shepherd keeps in the job's run-time folder.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include "shepherd.pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

namespace jarvis::shepherd {

// <job folder>/shepherd.pid: "PID STARTTIME\n" of the shepherd (the start time as field 22 of /proc/<pid>/stat, so that a
// number used again is noticed), and once the job runs a second line with the pid of the script's process.
class PidFile {
    Fd file_;
    std::size_t size_ = 0;

public:
    // Made before anything else is done for the job, and never replaced. Fails with `denied` when there is one: a shepherd
    // was started for this folder before.
    static Result<PidFile> make(const std::string& job_folder);
    void add_script(pid_t pid);
};

std::string pid_file_path(const std::string& job_folder);
// The shepherd that a job folder names; nothing when no shepherd was ever started there.
std::optional<pid_t> read_shepherd_pid(const std::string& job_folder);

// <job folder>/devices: the id of the device program that was attached to the job's cgroup.
Result<void> write_device_program(const std::string& job_folder, std::uint32_t id);

// <job folder>/prepared, of a member: what the job needs on this node is there.
Result<void> write_prepared(const std::string& job_folder);

// <job folder>/exit: whole or not there. A full file system is given half a minute.
Result<void> write_exit_record(const std::string& job_folder, const wire::ExitRecord& record);

} // namespace jarvis::shepherd
