// The cluster's state: exactly what replaying the journal gives. Only apply() changes it.
#pragma once

#include "base/box.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "cluster/array.hpp"
#include "cluster/settings.hpp"
#include "model/job_request.hpp"
#include "model/job_state.hpp"
#include "model/placement.hpp"
#include "model/topology.hpp"
#include "model/usage.hpp"
#include "sched/fit.hpp"
#include "sched/order.hpp"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

namespace jarvis::cluster {

using Uuid = std::array<std::uint8_t, 16>;

// Names one submit: chosen by the client, so that a repeated submit is known as such.
struct RequestId {
    std::uint32_t uid = 0;
    Uuid id{};

    friend auto operator<=>(const RequestId&, const RequestId&) = default;
};
// The first half of the SHA-256 of what was asked: the same id with another digest is another request.
using RequestDigest = std::array<std::uint8_t, 16>;

struct Hold {
    std::string by;
    bool by_operator = false; // then only an operator releases it
    friend bool operator==(const Hold&, const Hold&) = default;
};

// One incarnation of a job.
struct JobRef {
    JobId job;
    Incarnation incarnation;
    friend auto operator<=>(const JobRef&, const JobRef&) = default;
};

// Where a node of a run over several nodes is. Its first node runs the script once the others are prepared, and is never
// `prepared` itself. Stored by number.
enum class MemberState : std::uint8_t { starting = 0, prepared = 1, finished = 2 };

// How a run over several nodes will have ended once all of them are through with it.
struct Ending {
    JobEnd end;
    Usage usage;               // of those that are
    bool may_requeue = false;  // for a NODE_FAIL: it is known that nothing of it runs any more, or the site takes the risk
    friend bool operator==(const Ending&, const Ending&) = default;
};

// A running job stands still: it holds what it has, and its time limit does not come nearer.
struct Suspension {
    std::string by;
    bool by_operator = false; // then only an operator resumes it
    Instant since;
    friend bool operator==(const Suspension&, const Suspension&) = default;
};

// The steps of a run that have ended. What is known of each is in the accounting history.
struct StepCount {
    std::uint64_t through = 0; // ends are numbered from 1; this one was journaled, and all before it
    std::uint32_t failed = 0;  // of them with an exit code or a signal
    friend bool operator==(const StepCount&, const StepCount&) = default;
};

// One incarnation that holds nodes.
struct Run {
    Placement placement;
    Instant started;
    WallTime started_wall;
    std::vector<MemberState> members{}; // by node of the placement; empty: of one node, about which there is nothing to say
    Box<Ending> ending{};
    Box<Suspension> suspension{};       // now
    Duration suspended{};               // by suspensions that are over
    StepCount steps{};
    friend bool operator==(const Run&, const Run&) = default;
};

// A running job was told to end.
struct Stop {
    std::string by;
    std::string cause;    // "cancelled by alice"
    bool requeue = false; // and to start again
    friend bool operator==(const Stop&, const Stop&) = default;
};

// The dependencies of a pending job that are not yet decided.
struct Waits {
    IndexSet open;                        // into JobRequest::dependencies.list
    std::optional<std::uint32_t> never;   // because of this one it can never start
    std::map<std::uint32_t, Instant> due; // of the open ones: they hold from then on
    friend bool operator==(const Waits&, const Waits&) = default;
};

struct Ended {
    JobEnd end;
    Usage usage;
    Instant at;
    WallTime wall;
    friend bool operator==(const Ended&, const Ended&) = default;
};

// Never changed in place: apply() puts a changed copy in its stead. So whoever holds a pointer, on any thread, holds
// one consistent job.
struct Job {
    JobId id;
    std::shared_ptr<const JobRequest> request;
    RequestId request_id;
    RequestDigest digest{};
    std::int64_t priority = 0;
    Instant submitted;
    WallTime submitted_wall;
    JobState state = JobState::pending;
    Incarnation incarnation{1};   // running: of this run; pending: of the next one; ended: of the last
    bool waits_for_begin = false; // --begin lies ahead
    std::uint32_t failed_attempts = 0;   // starts that --retry was used for
    std::optional<Instant> not_before;   // pending: the wait of a retry
    Box<Waits> waits;             // of an array with aftercorr also when only some tasks may start
    Box<Hold> hold;
    Box<Run> run;                 // running: where; ended: where it ran, if it did
    Box<Stop> stop;
    Box<Ended> ended;

    // The record of an array: its tasks are jobs of their own, or indexes in State::arrays.
    bool is_array() const { return request->is_array() && !id.is_task(); }
    bool eligible() const { return state == JobState::pending && !hold && !waits_for_begin && !waits && !not_before; }
    // Tasks are queued as their array is.
    sched::QueueKey queue_key() const { return {priority, id.number()}; }
    friend bool operator==(const Job& a, const Job& b);
};
using JobPtr = std::shared_ptr<const Job>;

// What a node said of itself when it registered.
struct Registration {
    std::string boot_id;
    Topology topology;
    Capabilities capabilities;
    std::string version;
    std::vector<std::string> notes;
    friend bool operator==(const Registration&, const Registration&) = default;
};

struct Drain {
    std::string reason;
    std::string by;         // a user; empty: Jarvis, since the node cannot do what it said
    WallTime since;
    friend bool operator==(const Drain&, const Drain&) = default;
};

// The node is taken to be gone, and its jobs have ended.
struct Down {
    std::string reason;
    std::string by;         // a user; empty: Jarvis, since it was silent for too long
    WallTime since;
    bool confirmed = false; // somebody says that nothing runs there any more
    friend bool operator==(const Down&, const Down&) = default;
};

// Something ran on the node and should not have, or did not and should have.
struct Violation {
    JobRef job;
    std::string text;
    WallTime at;
    friend bool operator==(const Violation&, const Violation&) = default;
};
constexpr std::size_t max_violations = 20; // that are kept of one node

struct Node {
    NodeId id;
    std::string name;
    std::string node_class;       // that it joined by its certificate; empty: it is declared by name
    bool declared = true;         // false: gone from the configuration; gets nothing new
    bool connected = false;
    Instant since;                // when the connection was made or lost
    std::optional<Registration> registration;
    std::optional<Drain> drain;
    std::optional<Down> down;
    // What must not run there any more, and may: it gets nothing new until a complete report shows that it is gone.
    // True: a violation was noted.
    std::map<JobRef, bool> condemned;
    std::vector<Violation> violations; // the newest last
    // Derived from the above, from the settings and from the jobs.
    std::set<JobId> jobs;
    sched::FreeResources free;
    std::vector<std::uint32_t> partitions; // indices into Settings::partitions
    std::uint32_t position = 0;            // in the cluster's order of nodes
    std::vector<std::string> features;
    bool vouches = false;                  // for its local users
    std::string shortfall;                 // what it has less of than the settings expect; empty: nothing

    bool takes_jobs() const { return declared && connected && registration && !drain && !down && condemned.empty() && shortfall.empty(); }
    // Silence counts from `since`.
    bool is_silent() const { return registration && !connected && !down; }
    friend bool operator==(const Node&, const Node&) = default;
};
// "idle", "mixed", "allocated", "draining", "drained", "unreachable", "down"
std::string_view state_name(const Node& node);
// Why it takes no jobs, with who and when where somebody said so. Empty text: no reason.
struct NodeReason {
    std::string text;
    std::string by;
    std::optional<WallTime> since;
};
NodeReason reason_of(const Node& node);

// A job by its owner and name. The request is that of the job in State::jobs, which lives as long as this is kept.
struct NamedJob {
    const JobRequest* request = nullptr;
    JobNumber number;
    std::uint32_t uid = 0;
    std::uint32_t hash = 0; // of the name, so that comparing seldom has to look at it

    NamedJob() = default;
    explicit NamedJob(const Job& job);
    JobId id() const { return {number.value}; }
    friend bool operator==(const NamedJob& a, const NamedJob& b);
};
// By owner, by name in an order of its own, and by id.
struct ByName {
    using is_transparent = void;
    struct Name {
        std::uint32_t uid, hash;
        std::string_view name;
        friend auto operator<=>(const Name&, const Name&) = default;
    };
    static Name name_of(const NamedJob& job) { return {job.uid, job.hash, job.request->name}; }
    bool operator()(const NamedJob& a, const NamedJob& b) const;
    bool operator()(const NamedJob& a, const Name& b) const { return name_of(a) < b; }
    bool operator()(const Name& a, const NamedJob& b) const { return a < name_of(b); }
    bool operator()(const NamedJob& a, std::uint32_t uid) const { return a.uid < uid; }
    bool operator()(std::uint32_t uid, const NamedJob& b) const { return uid < b.uid; }
};

// Kept by apply() for speed, rebuilt by replay, never stored. What has an entry for each of a million jobs is a B-tree: its entries lie side
// by side, so that it takes half of the memory and is copied quickly. It moves them, too: no reference to one outlives a change.
struct Indexes {
    std::vector<sched::JobQueue> queues;                       // by partition
    std::map<std::string, std::uint32_t, std::less<>> partitions; // name to index
    std::map<std::string, NodeId, std::less<>> nodes;
    std::vector<std::vector<NodeId>> members;                  // nodes of each partition, in its order
    std::set<std::pair<Instant, NodeId>> silent;               // nodes that are not heard of, by since when
    std::set<std::pair<WallTime, JobId>> begins;               // jobs that wait for their begin time
    absl::btree_set<std::pair<Instant, JobId>> ended;                 // ended jobs, by when they ended
    absl::btree_map<RequestId, JobNumber> requests;
    std::uint64_t active_jobs = 0;                             // pending or holding resources
    std::set<std::pair<Instant, JobId>> retries;               // pending jobs, by their not_before
    // Who waits for a job: the dependent and the number of its dependency. By what they wait for: that it starts, that it
    // ends. Of aftercorr the other array alone.
    using Dependents = std::map<JobId, std::set<std::pair<JobId, std::uint32_t>>>;
    Dependents on_start, on_end, corr;
    std::set<std::tuple<Instant, JobId, std::uint32_t>> delays; // dependencies by when they hold
    absl::btree_set<NamedJob, ByName> names;                          // jobs and arrays that have not ended
    friend bool operator==(const Indexes&, const Indexes&) = default;
};

// How elapsed time is read off the controller's machine for as long as that has not rebooted: CLOCK_BOOTTIME - offset.
struct BootClock {
    std::string boot_id;
    Duration offset{};
    friend bool operator==(const BootClock&, const BootClock&) = default;
};

// A B-tree: see Indexes.
using Jobs = absl::btree_map<JobId, JobPtr>;

// What a snapshot holds: all but the indexes. (What is derived in nodes and arrays is not stored.)
struct StoredState {
    Uuid uuid{};                  // of the cluster; all zero before its first event
    std::string name;
    Epoch epoch;
    SequenceNumber sequence;      // of the last group that was applied
    Instant now;                  // of the last group
    BootClock clock;              // of the controller's last start
    Duration wall_offset{};       // wall time is now + wall_offset
    Settings settings;
    JobId next_job{1};
    Jobs jobs;
    std::map<std::uint64_t, ArrayProgress> arrays; // of each array in `jobs`
    std::vector<Node> nodes;      // by NodeId

    WallTime wall(Instant at) const { return WallTime(at.time_since_epoch() + wall_offset); }
    JobPtr find(JobId id) const
    {
        auto found = jobs.find(id);
        return found == jobs.end() ? nullptr : found->second;
    }
    // An ended job and its request id stay known for this long: at least an hour, so that a repeated submit is recognised.
    Duration keep_known() const { return std::max<Duration>(settings.keep_ended, std::chrono::hours(1)); }
};

struct State : StoredState {
    Indexes index;

    const Node* find_node(std::string_view node_name) const
    {
        auto found = index.nodes.find(node_name);
        return found == index.nodes.end() ? nullptr : &nodes[found->second.value];
    }
    // The oldest job or array of that owner and name that has not ended.
    std::optional<JobId> first_of_name(std::uint32_t uid, std::string_view name_of_job) const;
    const PartitionSettings* partition_of(const Job& job) const
    {
        auto found = index.partitions.find(*job.request->partition);
        return found == index.partitions.end() ? nullptr : &settings.partitions[found->second];
    }
};
// Deep: the jobs, not the pointers.
bool operator==(const State& a, const State& b);

} // namespace jarvis::cluster
