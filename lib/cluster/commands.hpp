// The wishes that decide() answers.
#pragma once

#include "cluster/state.hpp"
#include "model/job_id_text.hpp"
#include "model/step.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace jarvis::cluster {

enum class Role : std::uint8_t { user = 0, operator_ = 1, admin = 2 };

// Who asks, as the auth plugin and the configuration's roles say.
struct Caller {
    std::uint32_t uid = 0;
    std::string user;
    Role role = Role::user;
    std::string from = {}; // the host or connection that the request came by
};

// Names the waiting client in the reply; nothing is replied to token 0.
using Token = std::uint64_t;

// The first command of a new cluster.
struct CreateCluster {
    Uuid uuid{};
    std::string name;
};
// The first command after each start of the controller.
struct StartController {
    WallTime wall;
    BootClock clock;
};
struct WallClock {
    WallTime wall;
};
struct Configure {
    Settings settings;
    Token token = 0;
};
struct TimePassed {};

// What policy plugins said of a submit, before it came here.
struct Verdict {
    std::int64_t priority = 0;
};
struct SubmitJob {
    Token token = 0;
    Caller caller;
    RequestId request_id;
    RequestDigest digest{};
    std::shared_ptr<const JobRequest> request; // complete: see prepare_request()
    Verdict verdict;
};
struct CancelJobs {
    Token token = 0;
    Caller caller;
    std::vector<JobSelection> jobs;
};
struct SignalJobs {
    Token token = 0;
    Caller caller;
    std::vector<JobSelection> jobs;
    std::int32_t signal = 0;
    bool batch_only = false;
};
struct HoldJobs {
    Token token = 0;
    Caller caller;
    std::vector<JobSelection> jobs;
};
struct ReleaseJobs {
    Token token = 0;
    Caller caller;
    std::vector<JobSelection> jobs;
};
// Running jobs stand still on their nodes until they are resumed.
struct SuspendJobs {
    Token token = 0;
    Caller caller;
    std::vector<JobSelection> jobs;
};
struct ResumeJobs {
    Token token = 0;
    Caller caller;
    std::vector<JobSelection> jobs;
};
// Running: stopped and started again; ended: pending once more, as long as they are known.
struct RequeueJobs {
    Token token = 0;
    Caller caller;
    std::vector<JobSelection> jobs;
};
struct DrainNodes {
    Token token = 0;
    Caller caller;
    std::vector<std::string> nodes;
    std::string reason;
};
struct ResumeNodes {
    Token token = 0;
    Caller caller;
    std::vector<std::string> nodes;
};
struct DownNodes {
    Token token = 0;
    Caller caller;
    std::vector<std::string> nodes;
    std::string reason;
    bool confirmed = false; // the caller knows that nothing runs there any more
};

struct EndedOnNode {
    JobRef job;
    JobEnd end;
    Usage usage;
    std::string unfit{}; // why the node should get no more jobs; empty: nothing of that kind
};
struct NodeReport {
    std::vector<JobRef> running;
    std::vector<EndedOnNode> ended;
    std::vector<JobRef> prepared{}; // members among `running` that are ready; in a partial report, by themselves
    std::set<JobRef> suspended{};   // those among `running` that stand still
};
// Sessions are numbered by the shell; a later one of the same node replaces the earlier.
using SessionId = std::uint64_t;
struct RegisterNode {
    SessionId session = 0;
    std::string name;
    Registration registration;
    NodeReport report;
    bool certified = false; // the name is its certificate's: it may join a node class
};
struct NodeReported {
    NodeId node;
    NodeReport report;
    bool complete = true; // false: some ends alone, and nothing is said of what runs
};
// By the first node of a job. Ends are numbered one after the other; what is not acknowledged comes again.
struct StepsReported {
    NodeId node;
    JobRef job;
    std::uint64_t first = 1; // number of the first of them
    std::vector<StepEnd> steps;
};
struct NodeDisconnected {
    std::string name; // as in its Register
};

// Goes on with the scheduling pass: starts at most one job, or finds that the next partition's head must wait.
struct ContinuePass {
    std::uint32_t partition = 0;
};

// Goes on with what the start or end of a job means for others: dependencies on it, and its array if that is over. What is
// left when the outcome is empty does not depend on it.
struct SettleJob {
    JobId job;
};

using Command = std::variant<CreateCluster, StartController, WallClock, Configure, TimePassed, SubmitJob, CancelJobs, SignalJobs,
                             HoldJobs, ReleaseJobs, DrainNodes, ResumeNodes, RegisterNode, NodeReported, NodeDisconnected,
                             ContinuePass, DownNodes, RequeueJobs, SettleJob, SuspendJobs, ResumeJobs, StepsReported>;

} // namespace jarvis::cluster
