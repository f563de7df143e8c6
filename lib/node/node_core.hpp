// The node daemon's pure core: what should run here, what does run here, what changed. step() opens nothing, waits for
// nothing and asks no clock; the same inputs give the same outcome. Its shell (daemons/jnoded, or a simulation) feeds it
// what happened and carries out the effects in the order in which they are listed.
//
// Two kinds of memory outlive the State, both kept by the shell in the run-time folder and handed back in Recovered:
// the order of a job (written before its launch) and a stop (written before its first signal).
#pragma once

#include "base/box.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "model/job_request.hpp"
#include "model/placement.hpp"
#include "node/job_end.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace jarvis::node {

// One incarnation of a job: what a node starts and ends.
struct JobKey {
    JobId job;
    Incarnation incarnation;

    friend constexpr auto operator<=>(const JobKey&, const JobKey&) = default;
};

// ---- Orders of the controller -------------------------------------------------------------------------------------

// A member prepares its node for a job that runs on several, and waits until the script has ended on the job's first node.
enum class Role : std::uint8_t { script = 0, member = 1 };

struct StartOrder {
    JobKey key;
    Role role = Role::script;
    JobRequest request;
    NodePlacement placement;              // of this node
    std::string node_list;                // all nodes of the job, compressed
    std::uint32_t node_count = 1;
    std::vector<std::uint32_t> tasks_per_node; // of all nodes, in the order of the list
    std::string script;
    std::vector<std::string> environment; // of the submitter, already filtered by --export: "NAME=VALUE"
    ArrayShape array = {};                // of a task
    std::string defect;                   // not empty: why it cannot be carried out; such a job ends as FAILED, class system

    friend bool operator==(const StartOrder&, const StartOrder&) = default;
};

enum class StopWhy : std::uint8_t {
    cancelled = 0, // its end is awaited; a job that is not here ends as CANCELLED at once
    unknown = 1,   // the controller does not know the job: it is killed at once; nobody waits for its end, and none is reported
    finished = 2,  // to a member: the job's script has ended. What is not here has ended as it should
};
struct StopOrder {
    JobKey key;
    StopWhy why = StopWhy::cancelled;
    std::string cause;
};

struct SignalOrder {
    JobKey key;
    int signal = 0;
    bool batch_only = false; // the script's own process alone
};

// The job is to stand still, or to go on. Its time limit does not come nearer meanwhile.
struct SuspendOrder {
    JobKey key;
    bool suspended = false;
};

// The end is journaled: the node forgets the job.
struct AckEnded {
    JobKey key;
};

using Order = std::variant<StartOrder, StopOrder, SignalOrder, AckEnded, SuspendOrder>;

// How long a job has stood still.
struct Suspensions {
    std::optional<Instant> since; // now
    Duration before{};            // by those that are over
    friend bool operator==(const Suspensions&, const Suspensions&) = default;
};

// ---- Inputs --------------------------------------------------------------------------------------------------------

// What the run-time folder knew when the daemon started.
struct RecoveredJob {
    enum class As : std::uint8_t {
        running,       // its shepherd lives
        ended,         // it left an exit record: `facts`
        shepherd_died, // neither shepherd nor exit record
        rebooted,      // no exit record, and its order was written under another boot id
    };
    JobKey key;
    As as = As::running;
    Role role = Role::script;
    bool prepared = false; // a member that has said so to its shell
    Instant started{};
    std::optional<Duration> time_limit;
    Box<WarningSignal> warning;
    std::optional<Stop> stop; // as RecordStop gave it
    Suspensions suspensions{}; // as RecordSuspensions gave them
    ExitFacts facts;          // ended
};
// The first input of a State, or none where there is nothing to recover.
struct Recovered {
    std::string cluster; // UUID, 16 bytes; empty: never met a controller, or left it with no job here
    Epoch epoch;         // the highest in any recovered order
    std::vector<RecoveredJob> jobs;
};

// A connection is open and both Hellos are exchanged. It may come again without a Disconnected between.
struct Greeted {
    std::string cluster; // UUID of the controller's cluster
    Epoch epoch;
};
// The controller's answer to Register. Sessions grow within an epoch; an older or equal one is dropped.
struct Welcomed {
    std::string cluster;
    Epoch epoch;
    std::uint64_t session = 0;
    Duration heartbeat{};
    Duration kill_grace{}; // between SIGTERM and SIGKILL
};
struct Disconnected {};

// Dropped unless epoch and session are the current ones and the serial is above all that were taken.
struct FromController {
    Epoch epoch;
    std::uint64_t session = 0;
    std::uint64_t serial = 0;
    Order order;
};

// The exit record of a job is there, or its launch failed without one. A second end of the same incarnation is ignored.
struct JobEnded {
    JobKey key;
    ExitFacts facts;
};
// A member's folders and confinement are there.
struct MemberPrepared {
    JobKey key;
};
// The shepherd has exited and there is no exit record.
struct ShepherdDied {
    JobKey key;
};

// The instant of next_wake() was reached; harmless at any other time.
struct TimePassed {};

using Input = std::variant<Recovered, Greeted, Welcomed, Disconnected, FromController, JobEnded, MemberPrepared,
                           ShepherdDied, TimePassed>;

// ---- Effects -------------------------------------------------------------------------------------------------------

// Write the order to the run-time folder, then launch it. The answer is a JobEnded or a ShepherdDied, sooner or later; of a
// member a MemberPrepared before that.
struct Launch {
    StartOrder order;
    std::string cluster;
    Epoch epoch;
    Instant started{}; // the time limit counts from here
};

// Keep this with the job's order, before the signals that follow: after a restart it decides how the end is called.
struct RecordStop {
    JobKey key;
    Stop stop;
};

// Keep this with the job's order, before the Freeze that follows.
struct RecordSuspensions {
    JobKey key;
    Suspensions suspensions;
};

// Stop or continue all that the job started, and what that starts. Again is fine, and so is nobody there.
struct Freeze {
    JobKey key;
    bool frozen = false;
};

enum class SignalTarget : std::uint8_t {
    batch,     // the script's own process
    everything // all that the job started
};
// Nobody there any more is fine.
struct SignalJob {
    JobKey key;
    int signal = 0;
    SignalTarget target = SignalTarget::everything;
};

// Have a member's shepherd clean up and end. Again is fine.
struct FinishMember {
    JobKey key;
};

// Remove the job's folder: its end is journaled, or nobody waits for it.
struct RemoveRecord {
    JobKey key;
};

struct ReportRunning {
    JobKey key;
    bool prepared = false; // a member
    bool suspended = false;
    friend bool operator==(const ReportRunning&, const ReportRunning&) = default;
};
struct ReportEnded {
    JobKey key;
    JobEnd end;
    Usage usage;
    std::string unfit{}; // why this node should get no more jobs; empty: nothing of that kind
    friend bool operator==(const ReportEnded&, const ReportEnded&) = default;
};
struct ReportPrepared {
    JobKey key;
    friend bool operator==(const ReportPrepared&, const ReportPrepared&) = default;
};
// Everything that this node knows of jobs.
struct Report {
    std::vector<ReportRunning> running; // started (or about to be, once an older incarnation is gone) and not ended
    std::vector<ReportEnded> ended;     // not yet acknowledged
};
// The shell adds name, boot id, topology, capabilities, version and notes.
struct Register {
    Report report;
};
using Message = std::variant<Register, Report, ReportEnded, ReportPrepared>;

// To the controller. If it cannot be sent it is dropped: the next Report says the same.
struct Send {
    std::uint64_t session = 0; // 0 in a Register
    std::uint64_t serial = 0;
    Message message;
};

// This controller is not ours to follow; `reason` says why and what to do. A Disconnected follows.
struct CloseConnection {
    std::string reason;
};

using Effect = std::variant<Launch, RecordStop, SignalJob, FinishMember, RemoveRecord, Send, CloseConnection, RecordSuspensions, Freeze>;

// ---- State ---------------------------------------------------------------------------------------------------------

enum class Phase : std::uint8_t {
    waiting,  // for an older incarnation of the same job to be gone; nothing is recorded yet
    running,  // launched
    stopping, // launched, and SIGTERM or SIGKILL was sent
    ended,    // not yet acknowledged
};

struct NodeJob {
    Phase phase = Phase::running;
    Role role = Role::script;
    bool prepared = false; // a member
    Box<StartOrder> order; // waiting
    Instant started{};
    std::optional<Duration> time_limit;
    Box<WarningSignal> warning; // not yet sent
    std::optional<Stop> stop;
    Suspensions suspensions{};
    bool forgotten = false; // nobody waits for its end: it is not reported
    JobEnd end;             // ended
    Usage usage;            // ended
    std::string unfit{};    // ended: see ReportEnded
};

// Whose jobs are accepted; set once by the shell.
struct AdmissionRules {
    bool allow_root_jobs = false;
    std::optional<std::uint32_t> only_uid; // a personal cluster's owner
};

enum class Link : std::uint8_t { down, registering, welcomed };

// Written by step() and number_message() alone, but for `rules`.
struct State {
    AdmissionRules rules;
    std::map<JobKey, NodeJob> jobs;

    std::string cluster;
    Epoch epoch; // the highest that was seen
    Link link = Link::down;
    std::uint64_t session = 0;
    std::uint64_t last_serial = 0; // taken from the controller in this session
    std::uint64_t sent_serial = 0; // the last one of ours
    Duration heartbeat = std::chrono::seconds(10);
    Duration kill_grace = std::chrono::seconds(30);
    Instant next_report{}; // or the next Register, while not welcomed
};

struct Outcome {
    std::vector<Effect> effects;
};

// The only writer of State. `now` is the node's own monotonic clock (CLOCK_BOOTTIME: it survives a restart of the daemon).
[[nodiscard]] Outcome step(State& state, Input input, Instant now);

// For what the shell tells the controller by itself, in the order of its other messages. Nothing: there is no session now.
struct MessageNumber {
    std::uint64_t session = 0;
    std::uint64_t serial = 0;
};
std::optional<MessageNumber> number_message(State& state);

// When the next TimePassed is due; nothing: not before the next input. Ask again after every step.
std::optional<Instant> next_wake(const State& state);

} // namespace jarvis::node
