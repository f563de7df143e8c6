// What decide() returns: facts, and what is to be done about them once they are durable.
#pragma once

#include "base/result.hpp"
#include "cluster/commands.hpp"
#include "cluster/events.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace jarvis::cluster {

// How it went for one job or node of a list.
struct ItemResult {
    JobSelection job; // or
    std::string node;
    Result<void> result;
};
using ReplyBody = std::variant<std::monostate, JobId, std::vector<ItemResult>>;
struct Reply {
    Token token = 0;
    Result<ReplyBody> body;
};

// Messages to nodes. Each may be sent again, and receivers take it twice without harm.
struct WelcomeNode {
    NodeId node;
    SessionId session = 0;
};
struct RefuseNode {
    SessionId session = 0;
    std::string reason;
};
struct StartOnNode {
    NodeId node;
    JobRef job;
    std::shared_ptr<const JobRequest> request;
    std::shared_ptr<const Placement> placement; // of the whole job, shared by the orders to its nodes
    bool member = false; // prepares itself, and runs no script
};
enum class StopWhy : std::uint8_t { cancelled = 0, unknown = 1, finished = 2 };
struct StopOnNode {
    NodeId node;
    JobRef job;
    StopWhy why = StopWhy::cancelled;
    std::string cause;
};
struct SignalOnNode {
    NodeId node;
    JobRef job;
    std::int32_t signal = 0;
    bool batch_only = false;
};
// Whether a job is to stand still there.
struct SuspendOnNode {
    NodeId node;
    JobRef job;
    bool suspended = false;
};
struct AckOnNode {
    NodeId node;
    JobRef job;
};
// The ends of its steps up to this number are journaled, or nobody asks for them.
struct AckStepsOnNode {
    NodeId node;
    JobRef job;
    std::uint64_t through = 0;
};

using Effect =
    std::variant<Reply, WelcomeNode, RefuseNode, StartOnNode, StopOnNode, SignalOnNode, AckOnNode, SuspendOnNode, AckStepsOnNode>;

// Why jobs wait, as the pass found it: for the head of a partition in its own words, for those behind it by the head.
// Not an event: the query replica shows it, and a restart forgets it.
struct PartitionAdvice {
    std::uint32_t partition = 0;
    std::optional<JobId> head;
    std::string code; // "Resources", "PartitionDown", "NodesUnavailable"
    std::string text;
};

struct Outcome {
    std::vector<Event> events;
    std::vector<Effect> effects;
    std::optional<PartitionAdvice> advice; // of a pass whose partition has nothing more to start
};

} // namespace jarvis::cluster
