// What was asked for: one submit, as its owner typed it. Never changed after the submit.
#pragma once

#include "base/memory_size.hpp"
#include "base/time.hpp"
#include "model/array_spec.hpp"
#include "model/dependency.hpp"
#include "model/retry.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace jarvis {

// Who the job runs as: looked up once, at submit, and used by the node as it stands.
struct Account {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups; // supplementary, without gid, ascending
    std::string user;
    std::string group;
    std::string home;
    std::string shell;

    friend bool operator==(const Account&, const Account&) = default;
};

// The SHA-256 of a blob (a script, an environment); the blob itself is in the storage.
using BlobHash = std::array<std::uint8_t, 32>;

enum class OpenMode : std::uint8_t {
    automatic = 0, // truncate at the first start, append after a requeue
    truncate = 1,
    append = 2,
};

// --signal=[B:]SIG[@SECONDS]: a warning before the time limit.
struct WarningSignal {
    std::int32_t signal = 0;
    Duration before{};        // before the time limit
    bool batch_only = false;  // B: the script's own process alone
    friend bool operator==(const WarningSignal&, const WarningSignal&) = default;
};

// A resource limit that --propagate takes from the submitter: name as in getrlimit(2) without RLIMIT_ ("NOFILE").
struct ResourceLimit {
    std::string name;
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
    friend bool operator==(const ResourceLimit&, const ResourceLimit&) = default;
};

// What the scheduler looks at.
struct ResourceRequest {
    std::uint32_t tasks = 1;
    std::uint32_t cpus_per_task = 1;             // a CPU is a core
    std::optional<MemorySize> memory_per_node;   // --mem; at most one of the two is set
    std::optional<MemorySize> memory_per_cpu;    // --mem-per-cpu; neither: the partition's default
    bool exclusive = false;                      // whole nodes
    std::uint32_t nodes_min = 0;                 // --nodes=MIN-MAX (one number is both); 0: as many as it takes
    std::uint32_t nodes_max = 0;                 // 0: no limit
    std::uint32_t tasks_per_node = 0;            // at most; 0: no limit
    bool contiguous = false;                     // neighbours in the cluster's order of nodes
    friend bool operator==(const ResourceRequest&, const ResourceRequest&) = default;
};

// Text typed by people is bytes: paths, names and arguments need not be UTF-8.
struct JobRequest {
    Account account;
    std::string name;
    std::string partition;                       // resolved: never empty in a stored request
    ResourceRequest resources;
    std::optional<Duration> time_limit;          // resolved from the partition's default; empty is unlimited
    bool hold = false;
    std::optional<WallTime> begin;
    std::int32_t nice = 0;                       // higher runs later
    bool requeue = false;
    std::optional<WarningSignal> warning;
    ArraySpec array;                             // without tasks: no array
    Dependencies dependencies;
    bool kill_on_invalid_dependency = false;     // cancelled once they can never hold; else it waits, and says so
    RetryRule retry;
    std::string constraint;                      // features, as parse_constraint() reads them; empty: any node
    std::vector<std::string> node_list;          // all of these must be in; names, expanded
    std::vector<std::string> exclude;            // none of these

    std::vector<std::string> arguments;          // of the script
    std::string working_directory;               // absolute
    std::string output;                          // patterns, not yet expanded
    std::string error;                           // empty: joined with the output
    std::string input;                           // empty: /dev/null
    OpenMode open_mode = OpenMode::automatic;
    std::uint32_t umask = 022;
    std::vector<ResourceLimit> limits;           // propagated ones alone
    std::string comment;
    std::string mail_type;
    std::string mail_user;
    std::string submit_host;
    std::string submit_directory;
    BlobHash script{};
    std::uint64_t script_size = 0;
    BlobHash environment{};                      // a wire Environment message, already filtered by --export

    bool is_array() const { return !array.tasks.empty(); }
    friend bool operator==(const JobRequest&, const JobRequest&) = default;
};

} // namespace jarvis
