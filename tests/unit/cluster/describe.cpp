#include "describe.hpp"

namespace jarvis::cluster::test {

namespace {

std::string node_name(const State& state, NodeId id)
{
    return id.value < state.nodes.size() ? state.nodes[id.value].name : fmt::format("node {}", id);
}

std::string key(JobId job, Incarnation incarnation) { return fmt::format("{}.{}", job, incarnation); }
std::string key(JobRef ref) { return key(ref.job, ref.incarnation); }

std::string where(const State& state, const Placement& placement)
{
    std::string text;
    for (const auto& part : placement.nodes)
        text += fmt::format(" on {} cores {}", node_name(state, part.node), format_list(part.cores));
    return text;
}

void add(std::string& list, std::string_view text)
{
    if (!list.empty())
        list += "; ";
    list += text;
}

std::string tasks_of(JobId array, const IndexSet& tasks) { return format(JobSelection{array.value, tasks}); }

struct EventText {
    const State& state;

    std::string operator()(const ClusterCreated& e) const { return fmt::format("created {}", e.name); }
    std::string operator()(const ControllerStarted& e) const { return fmt::format("epoch {}", e.epoch); }
    std::string operator()(const WallClockSet& e) const
    {
        return fmt::format("wall clock {:+}s", std::chrono::duration_cast<std::chrono::seconds>(e.offset - state.wall_offset).count());
    }
    std::string operator()(const Configured&) const { return "configured"; }
    std::string operator()(const JobSubmitted& e) const { return fmt::format("submitted {}", e.job); }
    std::string operator()(const JobHeld& e) const
    {
        return fmt::format("held {} by {}{}", e.job, e.hold.by, e.hold.by_operator ? " as operator" : "");
    }
    std::string operator()(const JobSuspended& e) const
    {
        return fmt::format("suspended {} by {}{}", e.job, e.by, e.by_operator ? " as operator" : "");
    }
    std::string operator()(const JobResumed& e) const { return fmt::format("resumed {}", e.job); }
    std::string operator()(const JobReleased& e) const { return fmt::format("released {}", e.job); }
    std::string operator()(const BeginReached& e) const { return fmt::format("begin {}", e.job); }
    std::string operator()(const JobStarted& e) const
    {
        return fmt::format("started {}{}", key(e.job, e.incarnation), where(state, e.placement));
    }
    std::string operator()(const JobStopRequested& e) const { return fmt::format("stopping {}: {}", e.job, e.stop.cause); }
    std::string operator()(const JobEnded& e) const
    {
        return fmt::format("ended {} {} {}{}{}", key(e.job, e.incarnation), jarvis::name(e.end.state), jarvis::name(e.end.end_class),
                           e.end.cause.empty() ? "" : ": ", e.end.cause);
    }
    std::string operator()(const JobRequeued& e) const { return fmt::format("requeued {}: {}", key(e.job, e.incarnation), e.cause); }
    std::string operator()(const JobForgotten& e) const { return fmt::format("forgotten {}", e.job); }
    std::string operator()(const NodeRegistered& e) const { return fmt::format("registered {}", node_name(state, e.node)); }
    std::string operator()(const NodeLost& e) const { return fmt::format("lost {}", node_name(state, e.node)); }
    std::string operator()(const NodeDrained& e) const
    {
        return fmt::format("drained {} by {}: {}", node_name(state, e.node), e.drain.by, e.drain.reason);
    }
    std::string operator()(const NodeResumed& e) const { return fmt::format("resumed {}", node_name(state, e.node)); }
    std::string operator()(const NodePrepared& e) const { return fmt::format("prepared {} on {}", key(e.job, e.incarnation), node_name(state, e.node)); }
    std::string operator()(const RunEnding& e) const
    {
        return fmt::format("ending {} on {} {} {}{}{}", key(e.job, e.incarnation), node_name(state, e.node), jarvis::name(e.ending.end.state),
                           jarvis::name(e.ending.end.end_class), e.ending.end.cause.empty() ? "" : ": ", e.ending.end.cause);
    }
    std::string operator()(const NodeFinished& e) const { return fmt::format("finished {} on {}", key(e.job, e.incarnation), node_name(state, e.node)); }
    std::string operator()(const NodeDowned& e) const
    {
        return fmt::format("down {}{}: {}{}", node_name(state, e.node), e.down.by.empty() ? "" : " by " + e.down.by, e.down.reason,
                           e.down.confirmed ? " (confirmed)" : "");
    }
    std::string operator()(const NodeCleared& e) const { return fmt::format("cleared {}", node_name(state, e.node)); }
    std::string operator()(const NodeViolation& e) const { return fmt::format("violation on {}: {}", node_name(state, e.node), e.text); }
    std::string operator()(const NodeJoined& e) const { return fmt::format("joined {} of class {}", e.name, e.node_class); }
    std::string operator()(const TasksSplit& e) const { return "split " + tasks_of(e.array, e.tasks); }
    std::string operator()(const TasksEnded& e) const
    {
        return fmt::format("ended {} {}: {}", tasks_of(e.array, e.tasks), jarvis::name(e.end.state), e.end.cause);
    }
    std::string operator()(const DependencyResolved& e) const
    {
        const auto outcome = e.outcome == DependencyOutcome::satisfied ? "holds" : e.outcome == DependencyOutcome::never ? "never" : "delayed";
        return fmt::format("dependency {} of {} {}", e.dependency, e.job, outcome);
    }
    std::string operator()(const TasksReleased& e) const
    {
        return fmt::format("dependency {} of {} ok [{}] never [{}]", e.dependency, e.array, format_index_set(e.ok), format_index_set(e.never));
    }
    std::string operator()(const StepsEnded& e) const
    {
        return fmt::format("steps of {}.{} ended: {} to {}", e.job, e.incarnation, e.first, e.first + e.steps.size() - 1);
    }
    std::string operator()(const RetryDue& e) const { return fmt::format("retry due {}", e.job); }
};

struct EffectText {
    const State& state;

    std::string operator()(const Reply& e) const { return fmt::format("reply {}", describe(e.body)); }
    std::string operator()(const WelcomeNode& e) const { return fmt::format("welcome {}", node_name(state, e.node)); }
    std::string operator()(const RefuseNode& e) const { return fmt::format("refuse: {}", e.reason); }
    std::string operator()(const StartOnNode& e) const
    {
        return fmt::format("{} {} on {}", e.member ? "prepare" : "start", key(e.job), node_name(state, e.node));
    }
    std::string operator()(const StopOnNode& e) const
    {
        return fmt::format("{} {} on {}: {}", e.why == StopWhy::unknown ? "stop unknown" : e.why == StopWhy::finished ? "finish" : "stop", key(e.job), node_name(state, e.node), e.cause);
    }
    std::string operator()(const SignalOnNode& e) const
    {
        return fmt::format("signal {}{} to {} on {}", e.signal, e.batch_only ? " (batch)" : "", key(e.job), node_name(state, e.node));
    }
    std::string operator()(const SuspendOnNode& e) const
    {
        return fmt::format("{} {} on {}", e.suspended ? "freeze" : "thaw", key(e.job), node_name(state, e.node));
    }
    std::string operator()(const AckStepsOnNode& e) const
    {
        return fmt::format("ack steps {} through {} on {}", key(e.job), e.through, node_name(state, e.node));
    }
    std::string operator()(const AckOnNode& e) const { return fmt::format("ack {} on {}", key(e.job), node_name(state, e.node)); }
};

std::string body_text(const ReplyBody& body)
{
    if (const auto* job = std::get_if<JobId>(&body))
        return fmt::format("job {}", *job);
    const auto* items = std::get_if<std::vector<ItemResult>>(&body);
    if (!items)
        return "ok";
    std::string text;
    for (const auto& item : *items) {
        const auto what = item.node.empty() ? format(item.job) : item.node;
        add(text, item.result ? what + " ok" : fmt::format("{} {}: {}", what, name(item.result.error().code), item.result.error().message));
    }
    return text;
}

} // namespace

std::string_view name(Errc code)
{
    switch (code) {
    case Errc::invalid: return "invalid";
    case Errc::not_found: return "not found";
    case Errc::denied: return "denied";
    case Errc::unavailable: return "unavailable";
    case Errc::corrupt: return "corrupt";
    }
    return "?";
}

std::string describe(const State& state, const Event& event) { return std::visit(EventText{state}, event); }
std::string describe(const State& state, const Effect& effect) { return std::visit(EffectText{state}, effect); }

std::string describe(const Result<ReplyBody>& body)
{
    return body ? body_text(*body) : fmt::format("{}: {}", name(body.error().code), body.error().message);
}

std::string describe(const State& state, const std::vector<Event>& events)
{
    std::string text;
    for (const auto& event : events)
        add(text, describe(state, event));
    return text;
}

std::string describe(const State& state, const std::vector<Effect>& effects)
{
    std::string text;
    for (const auto& effect : effects)
        if (!std::holds_alternative<Reply>(effect))
            add(text, describe(state, effect));
    return text;
}

} // namespace jarvis::cluster::test
