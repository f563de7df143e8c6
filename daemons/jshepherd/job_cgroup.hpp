// The cgroup of one job: job_<id>, which holds limits and no process, with a leaf "tasks.0" below it for the script.
// The layout is in daemons/jnoded/README.md.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>

namespace jarvis::shepherd {

class JobCgroup {
    std::string path_;
    Fd leaf_;

    explicit JobCgroup(std::string path) : path_(std::move(path)) {}
    bool remove_leaf() const;

public:
    // Makes the two directories. One that is there already is used (jnoded may have made it to set limits), but not a
    // leaf in which processes live.
    static Result<JobCgroup> make(const std::string& path);
    // One that another shepherd made.
    static JobCgroup existing(const std::string& path) { return JobCgroup(path); }

    const std::string& path() const { return path_; }
    std::string leaf_path() const { return path_ + "/tasks.0"; }
    int leaf() const { return leaf_.get(); } // for clone3(CLONE_INTO_CGROUP)

    // Kills all that lives in it and waits until it is empty; processes that cannot die are waited for. In the usual case,
    // when there is none, this is one rmdir of the leaf, and a look at the steps' groups. Returns whether there was something to kill.
    bool empty();
    // Removes it with everything below. Fails when it stays busy for some seconds.
    Result<void> remove();
};

// Sends SIGKILL to everything in it, at once and not waiting. False where that cannot be done: no such cgroup, or a kernel
// before 5.14.
bool kill_cgroup(const std::string& path);

} // namespace jarvis::shepherd
