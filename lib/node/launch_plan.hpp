// From the controller's order to everything that a shepherd needs: names expanded, cores turned into PUs, limits merged.
#pragma once

#include "base/result.hpp"
#include "model/topology.hpp"
#include "node/confinement.hpp"
#include "node/device_files.hpp"
#include "node/job_environment.hpp"
#include "node/memory_policy.hpp"
#include "node/node_core.hpp"

#include <optional>
#include <string>
#include <vector>

namespace jarvis::node {

// What a node is set up with.
struct LaunchSettings {
    NodeFacts facts;
    std::string runtime = "native";       // plugin
    bool bound = true;                    // false: cores are virtual, and jobs are bound to none
    std::string jobs_folder;              // of the run-time folder
    std::string jobs_cgroup;              // absolute path of <tree>/jobs; empty: confinement level none
    ConfinementSettings confinement;      // what that tree can do
    DeviceSettings devices;               // where that tree can confine them
    bool private_shm = false;             // jobs have a /dev/shm of their own
    std::string temporary_root;           // where JARVIS_TMPDIR folders are made
    std::vector<ResourceLimit> limits;    // of every job, by name as getrlimit(2) has it without RLIMIT_
    std::vector<ResourceLimit> ceilings;  // hard limits that the daemon cannot raise for a job
};

struct LaunchPlan {
    JobKey key;
    Role role = Role::script;
    Account account;
    std::string job_folder;
    std::string runtime;
    std::string script_path;
    std::vector<std::string> arguments;
    std::vector<std::string> environment; // complete
    std::string working_directory;
    std::string output_path;              // expanded
    std::string error_path;               // empty: joined with the output
    std::string input_path;               // empty: /dev/null
    bool append = false;
    std::uint32_t umask = 022;
    std::vector<ResourceLimit> limits;    // complete
    std::vector<std::uint32_t> pus;       // affinity
    std::string cgroup;                   // empty: level none
    std::vector<CgroupValue> cgroup_values; // to be written there
    std::vector<std::uint32_t> numa_nodes;  // by the kernel's numbers, that the job's memory may come from
    bool confined = false;                  // its first process proves that `pus` and `numa_nodes` hold
    std::optional<DeviceFiles> devices{};   // nothing: it may open whatever its user may
    MemoryPolicy memory_policy{};           // of its first process
    std::optional<MemorySize> shm{};        // of its own /dev/shm, 0: the kernel's default; nothing: it shares the node's
    std::string temporary_folder;

    friend bool operator==(const LaunchPlan&, const LaunchPlan&) = default;
};

// "<job>.<incarnation>": the job's folder below the run-time folder's jobs/.
std::string folder_name(const JobKey& key);
// What the names of this node's JARVIS_TMPDIR folders begin with; the rest is folder_name().
std::string temporary_folder_prefix(const std::string& node_name);

// Fails when the placement names cores that this node does not have.
Result<LaunchPlan> plan_launch(const StartOrder& order, const LaunchSettings& settings, const Topology& topology);

// The node's limits, with those of the request in their place, none above a ceiling.
std::vector<ResourceLimit> merge_limits(const std::vector<ResourceLimit>& node, const std::vector<ResourceLimit>& propagated,
                                        const std::vector<ResourceLimit>& ceilings);

} // namespace jarvis::node
