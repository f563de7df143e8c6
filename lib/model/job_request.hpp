// What was asked for: one submit, as its owner typed it. Never changed after the submit.
#pragma once

#include "base/box.hpp"
#include "base/interned.hpp"
#include "base/memory_size.hpp"
#include "base/time.hpp"
#include "model/array_spec.hpp"
#include "model/dependency.hpp"
#include "model/placement_wishes.hpp"
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
struct HashAccount {
    std::uint64_t operator()(const Account& account) const noexcept { return keyed_hash(account.user, account.uid); }
};
using InternedAccount = Interned<Account, HashAccount>;

// The SHA-256 of a blob (a script, an environment); the blob itself is in the storage.
using BlobHash = std::array<std::uint8_t, 32>;
struct HashBlobHash {
    std::uint64_t operator()(const BlobHash& hash) const noexcept
    {
        return keyed_hash({reinterpret_cast<const char*>(hash.data()), hash.size()});
    }
};
using InternedHash = Interned<BlobHash, HashBlobHash>;

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
    Wishes wishes{};                             // how to lie inside the nodes
    friend bool operator==(const ResourceRequest&, const ResourceRequest&) = default;
};

struct HashLimits {
    std::uint64_t operator()(const std::vector<ResourceLimit>& limits) const noexcept
    {
        std::uint64_t hash = limits.size();
        for (const auto& limit : limits)
            hash = keyed_hash(limit.name, hash ^ limit.soft);
        return hash;
    }
};

// Text typed by people is bytes: paths, names and arguments need not be UTF-8. A million requests are kept at once, so what many
// have alike is interned, and what few have is in boxes.
struct JobRequest {
    InternedAccount account;
    std::string name;
    InternedText partition;                      // resolved: never empty in a stored request
    ResourceRequest resources;
    std::optional<Duration> time_limit;          // resolved from the partition's default; empty is unlimited
    std::optional<WallTime> begin;
    std::int32_t nice = 0;                       // higher runs later
    bool hold = false;
    bool requeue = false;
    bool kill_on_invalid_dependency = false;     // cancelled once they can never hold; else it waits, and says so
    bool continue_after_oom = false;             // --oom=continue: the kernel kills one process, and the job goes on
    OpenMode open_mode = OpenMode::automatic;
    Box<WarningSignal> warning;
    Interned<ArraySpec, HashArraySpec> array;    // without tasks: no array
    Interned<Dependencies, HashDependencies> dependencies;
    Box<RetryRule> retry;                        // empty: a failed job ends
    InternedText constraint;                     // features, as parse_constraint() reads them; empty: any node
    InternedTexts node_list;                     // all of these must be in; names, expanded
    InternedTexts exclude;                       // none of these

    InternedTexts arguments;                     // of the script
    InternedText working_directory;              // absolute
    InternedText output;                         // patterns, not yet expanded
    InternedText error;                          // empty: joined with the output
    InternedText input;                          // empty: /dev/null
    Interned<std::vector<ResourceLimit>, HashLimits> limits; // propagated ones alone
    InternedText comment;
    InternedText mail_type;
    InternedText mail_user;
    InternedText submit_host;
    InternedText submit_directory;
    InternedHash script;
    std::uint64_t script_size = 0;
    InternedHash environment;                    // a wire Environment message, already filtered by --export
    std::uint32_t umask = 022;

    bool is_array() const { return !array->tasks.empty(); }
    friend bool operator==(const JobRequest&, const JobRequest&) = default;
};

} // namespace jarvis
