// Our part of the cgroup2 hierarchy, and the only code here that makes, changes or removes a cgroup:
//
//     <parent>/jarvis_<cluster>_<node>/daemon       this daemon (without a service manager)
//                                     /shepherds    launcher, templates and shepherds
//                                     /jobs/job_<id>/...   what a job started; made by its shepherd
//
// All work is relative to the descriptor of a directory, so a path that is moved meanwhile does no harm.
#pragma once

#include "base/fd.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "controllers.hpp"
#include "model/topology.hpp"
#include "node/confinement.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace jarvis::noded {

struct Cgroup2Mount {
    std::string path;
    bool writable = false;
};
std::vector<Cgroup2Mount> cgroup2_mounts(std::string_view mountinfo);
// Where the first writable cgroup2 file system of /proc/self/mountinfo is mounted: /sys/fs/cgroup, or
// /sys/fs/cgroup/unified beside version 1 hierarchies.
std::optional<std::string> find_cgroup2_mount(std::string_view mountinfo);
// The part of /proc/<pid>/cgroup that is about cgroup2: "/system.slice/x.service".
std::optional<std::string> cgroup2_of(std::string_view proc_cgroup);
// Whether version 1 hierarchies are mounted as well, which have the controllers then.
bool has_version1_mounts(std::string_view mountinfo);

class CgroupTree {
    std::string path_;
    Fd parent_;
    Fd root_;
    Fd shepherds_;
    Fd jobs_;
    std::string name_;
    bool in_daemon_leaf_ = false;

    CgroupTree() = default;
    Result<void> stuck(const std::string& name) const;

public:
    // Makes what is missing, and adopts what is there.
    static Result<CgroupTree> open(const std::string& parent, const std::string& name);

    const std::string& path() const { return path_; }
    std::string jobs_path() const { return path_ + "/jobs"; }
    // What works there, found out by trying it in a group that is made for that and removed.
    TriedCapabilities capabilities() const;
    // False: somebody has removed the groups that we hold open, whatever is called like them now.
    bool is_there() const;

    // Makes the controllers that confinement needs available to the groups of jobs: what the parent offers is switched on in
    // our own groups, and before that in the parent, if that may be touched. No process may be in a group that hands
    // controllers on: this daemon has entered its leaf before. What could not be had is returned in words.
    std::vector<std::string> enable_controllers(bool touch_parent, bool version1) const;
    // Moves what is in the parent itself into `shepherds`: of a service that was delegated to us, the launcher.
    Result<void> adopt_processes_of_parent() const;
    // Of jobs/ itself, so of all jobs together. What could not be set is returned in words.
    std::vector<std::string> limit_jobs(const std::vector<node::CgroupValue>& limits) const;

    // Moves the process into `shepherds`; what it forks from then on is there too.
    Result<void> add_shepherd(pid_t pid) const;
    // For a child that enters `shepherds` before it executes the launcher: writing "0" moves the writer.
    Result<Fd> open_shepherds_procs() const;
    // Moves this process into `daemon`.
    Result<void> enter_daemon_leaf();

    // The numbers of the jobs that have a group here.
    std::vector<JobId> jobs() const;
    // Kills what is in the job's group and removes it. May wait some seconds until the kernel has ended the processes; what
    // does not end is named.
    Result<void> remove_job(JobId job) const;
    // Moves this process back into the parent and removes the tree, which must be empty.
    Result<void> remove();
};

// Of any cgroup2 directory, with those below it: the processes in it. None if it is not there.
std::vector<pid_t> cgroup_processes(const std::string& path);
// Those of them that no signal reaches, with what they wait for: "process 214 (cp) waits in nfs_wait_bit_killable". Empty:
// there are none.
std::string stuck_processes(const std::string& path);
// SIGKILL to everything in it, at once (cgroup.kill). False if it is not there or holds nothing.
bool cgroup_kill(const std::string& path);
// Stops everything in it and all that comes to be there, or lets it go on (cgroup.freeze). False if it is not there.
bool cgroup_freeze(const std::string& path, bool frozen);

} // namespace jarvis::noded
