// The run-time folder: what this daemon and the shepherds must find again after a restart, and nothing else.
//
//     <folder>/lock                       held by the one daemon of this node
//             /cluster                    UUID of the cluster whose jobs are here, 16 bytes
//             /launcher.sock              of jshepherd
//             /steps.sock                 for jrun
//             /jobs/<job>.<incarnation>/order         LaunchOrder, written before the launch
//                                      /script        the job's own copy, executable
//                                      /stop          StopRecord, written before the first signal of a stop
//                                      /suspension    SuspensionRecord, written before the job stands still or goes on
//                                      /shepherd.pid  by the shepherd: its pid and start time; the script's pid
//                                      /prepared      by the shepherd of a member: folder and cgroup are there
//                                      /exit          ExitRecord, written by the shepherd
//                                      /steps         StepRecords, appended (step_log.hpp)
//
// A job's folder stays until the controller has journaled the job's end. Writes are small and go to a tmpfs, so they are
// done on the loop and never synced.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "node/node_core.hpp"
#include "shepherd.pb.h"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace jarvis::noded {

class RunFolder {
    std::string path_;
    Fd root_;
    Fd jobs_;
    Fd lock_;
    bool on_disk_ = false;

    RunFolder() = default;
    Result<void> write_record(const node::JobKey& key, const char* file, const std::string& record) const;

public:
    // The configured folder, or the first of $XDG_RUNTIME_DIR, /run and /dev/shm that is a tmpfs where we may write and
    // execute, else one in the state folder, on disk. Fails when another daemon of this node holds it.
    static Result<RunFolder> open(const config::Config& config, const std::string& node_name);

    const std::string& path() const { return path_; }
    std::string jobs_path() const { return path_ + "/jobs"; }
    std::string launcher_socket() const { return path_ + "/launcher.sock"; }
    std::string step_socket() const { return path_ + "/steps.sock"; }
    bool on_disk() const { return on_disk_; }

    std::string read_cluster() const; // empty: not known
    Result<void> write_cluster(const std::string& uuid) const;

    struct Record {
        node::JobKey key;
        wire::LaunchOrder order;
        std::optional<wire::StopRecord> stop;
        std::optional<wire::SuspensionRecord> suspension;
        std::optional<wire::ExitRecord> exit;
    };
    // Every job with an order. Folders without one (a crash came before the launch, or amid a removal) are removed; what
    // cannot be read is left and logged.
    std::vector<Record> read_jobs() const;

    // Makes the job's folder; the script belongs to the job's owner, who alone may read it.
    Result<void> write_order(const node::JobKey& key, const wire::LaunchOrder& order, const std::string& script) const;
    Result<std::optional<wire::LaunchOrder>> read_order(const node::JobKey& key) const;
    Result<void> write_stop(const node::JobKey& key, const wire::StopRecord& stop) const;
    Result<void> write_suspension(const node::JobKey& key, const wire::SuspensionRecord& suspension) const;
    bool has_exit(const node::JobKey& key) const;
    // Nothing: there is none.
    Result<std::optional<wire::ExitRecord>> read_exit(const node::JobKey& key) const;

    struct Shepherd {
        pid_t pid = 0;
        pid_t script = 0; // 0: not started yet
    };
    // What shepherd.pid says, as long as that very process lives.
    std::optional<Shepherd> living_shepherd(const node::JobKey& key) const;
    // Whether a shepherd ever had the job.
    bool was_taken(const node::JobKey& key) const;
    // Whether a member's shepherd has made what the job needs here.
    bool is_prepared(const node::JobKey& key) const;
    // The device program that was attached to its cgroup; nothing: none was, or not yet.
    std::optional<std::uint32_t> device_program(const node::JobKey& key) const;
    void remove(const node::JobKey& key) const;
};

// A folder for JARVIS_TMPDIR, by its name.
struct LeftFolder {
    node::JobKey key;
    std::string path;
    uid_t uid = 0; // its owner
    gid_t gid = 0;
};
std::vector<LeftFolder> left_temporary_folders(const std::string& root, const std::string& prefix);

} // namespace jarvis::noded
