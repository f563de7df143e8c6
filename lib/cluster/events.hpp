// The facts that the journal holds. An event of a released version is never changed, only superseded by another one.
#pragma once

#include "cluster/state.hpp"
#include "model/step.hpp"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace jarvis::cluster {

struct ClusterCreated {
    Uuid uuid;
    std::string name;
};
// The controller came up: a new epoch, and no node is connected yet.
struct ControllerStarted {
    Epoch epoch;
    BootClock clock;
};
// Wall time moved against elapsed time by more than a second (or is known for the first time).
struct WallClockSet {
    Duration offset{};
};
struct Configured {
    Settings settings;
};

struct JobSubmitted {
    JobId job;
    std::shared_ptr<const JobRequest> request;
    RequestId request_id;
    RequestDigest digest{};
    std::int64_t priority = 0;
};
// Of a running job, or of a suspended one by somebody with more to say.
struct JobSuspended {
    JobId job;
    std::string by;
    bool by_operator = false;
};
struct JobResumed {
    JobId job;
};
struct JobHeld {
    JobId job;
    Hold hold;
};
struct JobReleased {
    JobId job;
};
struct BeginReached {
    JobId job;
};
struct JobStarted {
    JobId job;
    Incarnation incarnation;
    Placement placement;
};
struct JobStopRequested {
    JobId job;
    Stop stop;
};
struct JobEnded {
    JobId job;
    Incarnation incarnation;
    JobEnd end;
    Usage usage;
};
struct StepsEnded {
    JobId job;
    Incarnation incarnation;
    std::uint64_t first = 1; // number of the first of them among the ends of this incarnation's steps
    std::vector<StepEnd> steps;
};
// This incarnation is over without its job having ended: the job is pending again, as the next incarnation.
struct JobRequeued {
    JobId job;
    Incarnation incarnation; // the one that is over
    std::string cause;
    std::optional<JobEnd> end = {}; // how that one ended; none: its node failed, or it had ended before
    Usage usage = {};
    std::optional<Instant> not_before = {}; // it starts again from then on
    bool counts_as_retry = false;
};
// An ended job is known to the accounting history alone from here on.
struct JobForgotten {
    JobId job;
};

struct NodeRegistered {
    NodeId node;
    Registration registration;
};
struct NodeLost {
    NodeId node;
};
struct NodeDrained {
    NodeId node;
    Drain drain;
};
struct NodeResumed {
    NodeId node;
};

// A member of a run over several nodes is ready.
struct NodePrepared {
    JobId job;
    Incarnation incarnation;
    NodeId node;
};
// One node is through, and with it how this run over several nodes ends; the others are being cleaned up.
struct RunEnding {
    JobId job;
    Incarnation incarnation;
    NodeId node;
    Ending ending; // with this node's usage
};
// A further node is through. (The last one ends the job.)
struct NodeFinished {
    JobId job;
    Incarnation incarnation;
    NodeId node;
    Usage usage;
};
// The node is taken to be gone: what it had is condemned, and ends or is requeued by events of their own.
struct NodeDowned {
    NodeId node;
    Down down;
};
// A complete report shows that nothing condemned runs there any more.
struct NodeCleared {
    NodeId node;
};
struct NodeViolation {
    NodeId node;
    JobRef job;
    std::string text;
    bool runs = false; // it runs and must not: condemned
};
// A node that was not declared by name is accepted by its certificate.
struct NodeJoined {
    NodeId node; // the next one
    std::string name;
    std::string node_class;
};
// Tasks of an array that become jobs of their own, pending as their array is.
struct TasksSplit {
    JobId array;
    IndexSet tasks;
};
// Tasks that were no jobs of their own yet, and are over without having started.
struct TasksEnded {
    JobId array;
    IndexSet tasks;
    JobEnd end;
};

// Stored by number: never renumber.
enum class DependencyOutcome : std::uint8_t {
    satisfied = 1,
    never = 2,  // it cannot hold any more
    delayed = 3 // it holds from a known instant on
};
struct DependencyResolved {
    JobId job; // that waits
    std::uint32_t dependency = 0; // index into its request's list
    DependencyOutcome outcome = DependencyOutcome::satisfied;
    Instant due{}; // of delayed
};
// Of aftercorr: which tasks of an array the array that it waits for lets go, and which it never will.
struct TasksReleased {
    JobId array;
    std::uint32_t dependency = 0;
    IndexSet ok, never;
};
// The wait before another start is over.
struct RetryDue {
    JobId job;
};

using Event = std::variant<ClusterCreated, ControllerStarted, WallClockSet, Configured, JobSubmitted, JobHeld, JobReleased,
                           BeginReached, JobStarted, JobStopRequested, JobEnded, JobRequeued, JobForgotten, NodeRegistered,
                           NodeLost, NodeDrained, NodeResumed, NodePrepared, RunEnding, NodeFinished, NodeDowned, NodeCleared,
                           NodeViolation, NodeJoined, TasksSplit, TasksEnded, DependencyResolved, TasksReleased, RetryDue,
                           JobSuspended, JobResumed, StepsEnded>;

// Which command led to events, who gave it and from where: for whoever reads the feed of events. Nothing is decided by it.
struct Cause {
    std::string command; // "submit", "node report", "scheduling"
    std::string by;      // the user or node; empty: Jarvis itself
    std::string from;    // host or connection; empty: Jarvis itself
    friend bool operator==(const Cause&, const Cause&) = default;
};
struct CauseSpan {
    Cause cause;
    std::uint32_t events = 0; // so many of the group's events, which follow those of the spans before
    friend bool operator==(const CauseSpan&, const CauseSpan&) = default;
};

// What one batch of commands came to: journaled whole or not at all, under one number, at one instant.
struct EventGroup {
    SequenceNumber sequence;
    Instant at;
    std::vector<Event> events;
    std::vector<CauseSpan> causes; // together as many events as there are
};

} // namespace jarvis::cluster
