// What node daemons say of themselves, and what operators say of nodes.
#include "cluster/authorize.hpp"
#include "cluster/decide.hpp"

namespace jarvis::cluster {

namespace {

bool runs_on(const Job& job, NodeId node)
{
    if (!holds_resources(job.state))
        return false;
    for (const auto& part : job.run->placement.nodes)
        if (part.node == node)
            return true;
    return false;
}

// The end of one incarnation: the job's end, or its way back into the queue when the node failed and its owner asked.
void end_run(const Job& job, JobEnd end, const Usage& usage, Outcome& outcome)
{
    if (end.state == JobState::node_fail && job.request->requeue && !job.stop)
        outcome.events.push_back(JobRequeued{job.id, job.incarnation, end.cause});
    else
        outcome.events.push_back(JobEnded{job.id, job.incarnation, std::move(end), usage});
}

// An end that is new is journaled; every end is acknowledged, so that the node can forget it.
void take_end(const State& state, NodeId node, const EndedOnNode& ended, std::set<JobId>& over, Outcome& outcome)
{
    const auto job = state.find(ended.job.job);
    const bool is_new = job && runs_on(*job, node) && job->incarnation == ended.job.incarnation;
    if (is_new && over.insert(job->id).second)
        end_run(*job, ended.end, ended.usage, outcome);
    outcome.effects.push_back(AckOnNode{node, ended.job});
}

// What runs on the node: as it should, or as it should not.
void take_running(const State& state, NodeId node, JobRef running, Outcome& outcome)
{
    const auto job = state.find(running.job);
    if (!job || !runs_on(*job, node) || job->incarnation != running.incarnation) {
        outcome.effects.push_back(StopOnNode{node, running, StopWhy::unknown, "not known to the controller"});
        return;
    }
    if (job->stop)
        outcome.effects.push_back(StopOnNode{node, running, StopWhy::cancelled, job->stop->cause});
}

// What should run on the node and is neither running nor ended there: its start was lost on the way, or, if the node has
// rebooted since (`lost`), the job went with it.
void take_missing(const State& state, const Node& node, const NodeReport& report, bool rebooted, std::set<JobId>& over,
                  Outcome& outcome)
{
    std::set<JobRef> running(report.running.begin(), report.running.end());
    for (JobId id : node.jobs) {
        const auto job = state.find(id);
        if (over.contains(id) || running.contains({id, job->incarnation}))
            continue;
        if (rebooted) {
            over.insert(id);
            end_run(*job, {.state = JobState::node_fail, .end_class = EndClass::node, .exit_code = {}, .signal = 0,
                           .cause = fmt::format("node {} rebooted", node.name)}, {}, outcome);
        } else if (job->stop) {
            outcome.effects.push_back(
                StopOnNode{node.id, {id, job->incarnation}, StopWhy::cancelled, job->stop->cause});
        } else {
            outcome.effects.push_back(StartOnNode{node.id, {id, job->incarnation}, job->request, job->run->placement});
        }
    }
}

void take_report(const State& state, const Node& node, const NodeReport& report, bool rebooted, Outcome& outcome)
{
    std::set<JobId> over;
    for (const auto& ended : report.ended)
        take_end(state, node.id, ended, over, outcome);
    for (const auto& running : report.running)
        if (!over.contains(running.job))
            take_running(state, node.id, running, outcome);
    take_missing(state, node, report, rebooted, over, outcome);
}

// Runs `one(node)` for each named node that exists, and replies with how it went.
template <class CommandType, class One>
Outcome for_each_node(const State& state, const CommandType& command, One one)
{
    Outcome outcome;
    Result<ReplyBody> body;
    if (auto allowed = may_change_nodes(command.caller); !allowed) {
        body = std::unexpected(allowed.error());
    } else {
        std::vector<ItemResult> items;
        for (const auto& name : command.nodes) {
            const auto* node = state.find_node(name);
            Result<void> result;
            if (node)
                one(*node, outcome);
            else
                result = fail(Errc::not_found, "no node \"{}\"", name);
            items.push_back({{}, name, std::move(result)});
        }
        body = ReplyBody{std::move(items)};
    }
    if (command.token != 0)
        outcome.effects.push_back(Reply{command.token, std::move(body)});
    return outcome;
}

} // namespace

Outcome decide(const State& state, const RegisterNode& command, Instant)
{
    Outcome outcome;
    const auto* node = state.find_node(command.name);
    // One that was taken out of the configuration may come back for as long as an end of its jobs is awaited.
    if (!node || (!node->declared && node->jobs.empty())) {
        outcome.effects.push_back(RefuseNode{
            command.session, fmt::format("node \"{}\" is not in the controller's configuration; add it to [[node]]", command.name)});
        return outcome;
    }
    const bool rebooted = node->registration && node->registration->boot_id != command.registration.boot_id;
    if (!node->connected || node->registration != command.registration)
        outcome.events.push_back(NodeRegistered{node->id, command.registration});
    outcome.effects.push_back(WelcomeNode{node->id, command.session});
    take_report(state, *node, command.report, rebooted, outcome);
    return outcome;
}

Outcome decide(const State& state, const NodeReported& command, Instant)
{
    Outcome outcome;
    const auto& node = state.nodes[command.node.value];
    if (command.complete) {
        take_report(state, node, command.report, false, outcome);
        return outcome;
    }
    std::set<JobId> over;
    for (const auto& ended : command.report.ended)
        take_end(state, node.id, ended, over, outcome);
    return outcome;
}

Outcome decide(const State& state, const NodeDisconnected& command, Instant)
{
    const auto* node = state.find_node(command.name);
    if (!node || !node->connected)
        return {};
    return {.events = {NodeLost{node->id}}, .effects = {}, .advice = {}};
}

Outcome decide(const State& state, const DrainNodes& command, Instant now)
{
    return for_each_node(state, command, [&](const Node& node, Outcome& outcome) {
        if (!node.drain || node.drain->reason != command.reason)
            outcome.events.push_back(NodeDrained{node.id, {command.reason, command.caller.user, state.wall(now)}});
    });
}

Outcome decide(const State& state, const ResumeNodes& command, Instant)
{
    return for_each_node(state, command, [&](const Node& node, Outcome& outcome) {
        if (node.drain)
            outcome.events.push_back(NodeResumed{node.id});
    });
}

} // namespace jarvis::cluster
