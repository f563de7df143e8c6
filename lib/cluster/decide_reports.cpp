// What node daemons say of themselves: registrations and reports. A complete report brings up whatever was lost on the way.
#include "cluster/decide.hpp"
#include "cluster/run_ends.hpp"

#include <algorithm>
#include <utility>

namespace jarvis::cluster {

namespace {

// A start is sent again with every report. What still does not run after so many heartbeats did run, and is gone.
constexpr int heartbeats_of_a_start = 3;
constexpr Duration start_margin = std::chrono::seconds(10);

bool runs_on(const Job& job, NodeId node) { return holds_resources(job.state) && member_of(*job.run, node).has_value(); }

std::string text_of(JobRef ref) { return fmt::format("job {} (incarnation {})", ref.job, ref.incarnation); }

// One report of one node.
class Report {
    const State& state_;
    const Node& node_;
    const NodeReport& report_;
    const bool rebooted_;
    const Instant now_;
    Outcome& outcome_;
    RunEnds ends_;
    bool clear_ = true; // nothing runs that must not
    bool drained_ = false; // by this report

public:
    Report(const State& state, const Node& node, const NodeReport& report, bool rebooted, Instant now, Outcome& outcome)
        : state_(state), node_(node), report_(report), rebooted_(rebooted), now_(now), outcome_(outcome), ends_(state, now, outcome)
    {
    }

    // Some news alone: nothing is said of the rest.
    void take_news()
    {
        for (const auto& ended : report_.ended)
            take_end(ended);
        for (JobRef ref : report_.prepared)
            if (const auto job = known(ref))
                ends_.part_prepared(*job, node_.id);
    }

    void take_all()
    {
        take_news();
        for (JobRef ref : report_.running)
            take_running(ref);
        take_missing();
        if (clear_ && (!node_.condemned.empty() || (node_.down && node_.down->by.empty())))
            outcome_.events.push_back(NodeCleared{node_.id});
    }

private:
    // The job, if this incarnation of it holds something of this node.
    JobPtr known(JobRef ref) const
    {
        auto job = state_.find(ref.job);
        return job && job->incarnation == ref.incarnation && runs_on(*job, node_.id) ? job : nullptr;
    }

    // An end that is new is journaled; every end is acknowledged, so that the node can forget it.
    void take_end(const EndedOnNode& ended)
    {
        if (const auto job = known(ended.job)) {
            drain_unfit(ended);
            ends_.part_ended(*job, node_.id, ended.end, ended.usage, !ended.unfit.empty());
        }
        outcome_.effects.push_back(AckOnNode{node_.id, ended.job});
    }

    // It cannot confine jobs as it said: none is started there again, not this one either, before somebody has looked. A
    // drain of an operator stays theirs.
    void drain_unfit(const EndedOnNode& ended)
    {
        if (ended.unfit.empty() || node_.drain || std::exchange(drained_, true))
            return;
        outcome_.events.push_back(NodeDrained{node_.id, {fmt::format("job {}: {}", ended.job.job, ended.unfit), {}, state_.wall(now_)}});
    }

    bool has_ended(JobRef ref) const
    {
        return std::ranges::find(report_.ended, ref, &EndedOnNode::job) != report_.ended.end();
    }

    void take_running(JobRef ref)
    {
        const auto job = known(ref);
        if (!job) {
            if (!has_ended(ref))
                take_unknown(ref);
            return;
        }
        if (ends_.over(*job, node_.id)) {
            if (!has_ended(ref)) // else it is over by this very report; what was lost earlier must not run
                take_unknown(ref);
            return;
        }
        const auto& run = ends_.run(*job);
        const auto member = *member_of(run, node_.id);
        if (run.ending)
            outcome_.effects.push_back(stop_order(*job, run, member, run.ending->end.cause));
        else if (job->stop && (member == 0 || !script_may_run(run)))
            outcome_.effects.push_back(stop_order(*job, run, member, job->stop->cause));
        else if (!job->stop && static_cast<bool>(run.suspension) != report_.suspended.contains(ref))
            outcome_.effects.push_back(SuspendOnNode{node_.id, ref, static_cast<bool>(run.suspension)});
    }

    // It must not run: it is killed, and the node gets nothing new before that is seen.
    void take_unknown(JobRef ref)
    {
        clear_ = false;
        outcome_.effects.push_back(StopOnNode{node_.id, ref, StopWhy::unknown, "not known to the controller"});
        const auto condemned = rebooted_ ? node_.condemned.end() : node_.condemned.find(ref);
        const bool is_known = condemned != node_.condemned.end();
        if (is_known && condemned->second)
            return;
        outcome_.events.push_back(NodeViolation{
            node_.id, ref,
            is_known ? fmt::format("{} still ran when the node was heard of again; it was over, and is killed", text_of(ref))
                     : fmt::format("{} runs and should not; it is killed", text_of(ref)),
            true});
    }

    // What should run on the node and is neither running nor ended there: its start was lost on the way, or, if the node
    // has rebooted since, the job went with it.
    void take_missing()
    {
        const std::set<JobRef> running(report_.running.begin(), report_.running.end());
        for (JobId id : node_.jobs) {
            const auto job = state_.find(id);
            const JobRef ref{id, job->incarnation};
            if (running.contains(ref) || ends_.over(*job, node_.id))
                continue;
            if (rebooted_)
                ends_.part_lost(*job, node_.id, fmt::format("node {} rebooted", node_.name), true);
            else
                make_good(*job);
        }
    }

    void make_good(const Job& job)
    {
        const auto& run = ends_.run(job);
        const auto member = *member_of(run, node_.id);
        const bool several = !run.members.empty();
        if (run.ending) {
            outcome_.effects.push_back(stop_order(job, run, member, run.ending->end.cause));
        } else if (job.stop) {
            if (member == 0 || !script_may_run(run))
                outcome_.effects.push_back(stop_order(job, run, member, job.stop->cause));
        } else if (member > 0 || script_may_run(run)) {
            if (several ? run.members[member] == MemberState::prepared : was_running(run))
                note_missing({job.id, job.incarnation});
            outcome_.effects.push_back(start_order(job, run, member));
        }
    }

    bool was_running(const Run& run) const
    {
        const auto patience = state_.settings.heartbeat * heartbeats_of_a_start + start_margin;
        return node_.connected && now_ - run.started > patience && now_ - node_.since > patience;
    }

    void note_missing(JobRef ref)
    {
        auto text = fmt::format("{} should run and does not; it is started again", text_of(ref));
        if (std::ranges::none_of(node_.violations, [&](const Violation& v) { return v.job == ref && v.text == text; }))
            outcome_.events.push_back(NodeViolation{node_.id, ref, std::move(text), false});
    }
};

// The class that a node of this name may join; empty: none, with the reason.
Result<std::string> class_for(const State& state, const std::string& name)
{
    for (const auto& node_class : state.settings.node_classes) {
        if (!node_class.accept_all && !std::ranges::binary_search(node_class.names, name))
            continue;
        const auto there = static_cast<std::uint64_t>(std::ranges::count(state.nodes, node_class.name, &Node::node_class));
        if (node_class.max_nodes != 0 && there >= node_class.max_nodes)
            return fail(Errc::denied, "node \"{}\": node class {} has its {} nodes already (max_nodes of its [[node_class]])", name,
                        node_class.name, there);
        return node_class.name;
    }
    return fail(Errc::denied, "node \"{}\" is not in the controller's configuration; add it to [[node]]", name);
}

} // namespace

Outcome decide(const State& state, const RegisterNode& command, Instant now)
{
    Outcome outcome;
    const auto* node = state.find_node(command.name);
    Node fresh;
    // One that was taken out of the configuration may come back for as long as an end of its jobs is awaited.
    if (!node || (!node->declared && node->jobs.empty())) {
        auto joins = node || !command.certified
                         ? fail(Errc::denied, "node \"{}\" is not in the controller's configuration; add it to [[node]]", command.name)
                         : class_for(state, command.name);
        if (!joins) {
            outcome.effects.push_back(RefuseNode{command.session, joins.error().message});
            return outcome;
        }
        fresh.id = NodeId{static_cast<std::uint32_t>(state.nodes.size())};
        fresh.name = command.name;
        outcome.events.push_back(NodeJoined{fresh.id, command.name, std::move(*joins)});
        node = &fresh;
    }
    const bool rebooted = node->registration && node->registration->boot_id != command.registration.boot_id;
    if (!node->connected || node->registration != command.registration)
        outcome.events.push_back(NodeRegistered{node->id, command.registration});
    outcome.effects.push_back(WelcomeNode{node->id, command.session});
    Report(state, *node, command.report, rebooted, now, outcome).take_all();
    return outcome;
}

Outcome decide(const State& state, const NodeReported& command, Instant now)
{
    Outcome outcome;
    Report report(state, state.nodes[command.node.value], command.report, false, now, outcome);
    if (command.complete)
        report.take_all();
    else
        report.take_news();
    return outcome;
}

} // namespace jarvis::cluster
