#include "cluster/run_ends.hpp"

#include <algorithm>

namespace jarvis::cluster {

std::optional<std::size_t> member_of(const Run& run, NodeId node)
{
    const auto& nodes = run.placement.nodes;
    const auto found = std::ranges::find(nodes, node, &NodePlacement::node);
    return found == nodes.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - nodes.begin()));
}

bool script_may_run(const Run& run)
{
    return run.members.empty() ||
           std::all_of(run.members.begin() + 1, run.members.end(), [](MemberState state) { return state == MemberState::prepared; });
}

// What the journal and the wire take of one duration, 285 years: thousands of cores come near it.
constexpr Duration most_time{std::int64_t{1} << 53};
constexpr std::int64_t most_count = std::int64_t{1} << 53;

namespace {

template <class T>
void add_some(std::optional<T>& sum, const std::optional<T>& part, T most)
{
    if (part)
        sum = std::min(sum ? *sum + *part : *part, most);
}

void add_detail(UsageDetail& sum, const UsageDetail& part)
{
    add_some(sum.throttled, part.throttled, most_time);
    add_some(sum.cpu_pressure, part.cpu_pressure, most_time);
    add_some(sum.memory_pressure, part.memory_pressure, most_time);
    add_some(sum.io_pressure, part.io_pressure, most_time);
    add_some(sum.major_faults, part.major_faults, most_count);
    add_some(sum.read, part.read, MemorySize{most_count});
    add_some(sum.written, part.written, MemorySize{most_count});
    // As memory_peak: of the node that has most.
    if (part.page_cache)
        sum.page_cache = std::max(sum.page_cache.value_or(MemorySize{}), *part.page_cache);
    if (part.largest_process)
        sum.largest_process = std::max(sum.largest_process.value_or(MemorySize{}), *part.largest_process);
}

} // namespace

void add_usage(Usage& sum, const Usage& part, bool first_node)
{
    if (first_node)
        sum.elapsed = part.elapsed;
    sum.cpu_user = std::min(sum.cpu_user + part.cpu_user, most_time);
    sum.cpu_system = std::min(sum.cpu_system + part.cpu_system, most_time);
    if (part.memory_peak && (!sum.memory_peak || *sum.memory_peak < *part.memory_peak))
        sum.memory_peak = part.memory_peak;
    if (!part.detail)
        return;
    if (!sum.detail)
        sum.detail = UsageDetail{};
    add_detail(*sum.detail, *part.detail);
}

StartOnNode start_order(const Job& job, const Run& run, std::size_t member)
{
    return {.node = run.placement.nodes[member].node, .job = {job.id, job.incarnation}, .request = job.request,
            .placement = std::make_shared<const Placement>(run.placement), .member = member > 0};
}

StopOnNode stop_order(const Job& job, const Run& run, std::size_t member, std::string cause)
{
    return {.node = run.placement.nodes[member].node, .job = {job.id, job.incarnation},
            .why = run.ending && member > 0 ? StopWhy::finished : StopWhy::cancelled, .cause = std::move(cause)};
}

// The script's end ends its members; before the script has started they are all told.
void order_stop(const Job& job, const std::string& cause, Outcome& outcome)
{
    const auto& run = *job.run;
    const auto told = run.ending ? 0 : script_may_run(run) ? 1 : run.placement.nodes.size();
    for (std::size_t member = 0; member < told; ++member)
        outcome.effects.push_back(stop_order(job, run, member, cause));
}

Run* RunEnds::run_of(const Job& job)
{
    auto [found, is_new] = touched_.try_emplace(job.id);
    if (is_new && job.run && holds_resources(job.state))
        found->second = *job.run;
    return found->second ? &*found->second : nullptr;
}

bool RunEnds::over(const Job& job, NodeId node)
{
    const auto found = touched_.find(job.id);
    // Most jobs have one node.
    if (found == touched_.end() && job.run && job.run->members.empty())
        return false;
    const Run* run = nullptr; // not copied for a look at it
    if (found != touched_.end())
        run = found->second ? &*found->second : nullptr;
    else if (job.run && holds_resources(job.state))
        run = &*job.run;
    const auto member = run ? member_of(*run, node) : std::nullopt;
    return !member || (!run->members.empty() && run->members[*member] == MemberState::finished);
}

void RunEnds::through(const Job& job, Run& run, std::size_t member)
{
    run.members[member] = MemberState::finished;
    if (!std::ranges::all_of(run.members, [](MemberState state) { return state == MemberState::finished; }))
        return;
    outcome_.events.push_back(end_of_run(job, run.ending->end, run.ending->usage, run.ending->may_requeue, now_));
    touched_[job.id].reset();
}

void RunEnds::part_over(const Job& job, NodeId node, JobEnd end, const Usage& usage, bool may_requeue)
{
    if (over(job, node))
        return;
    if (job.run->members.empty()) {
        outcome_.events.push_back(end_of_run(job, std::move(end), usage, may_requeue, now_));
        touched_[job.id].reset();
        return;
    }
    auto& run = *run_of(job);
    const auto member = *member_of(run, node);
    if (run.ending) {
        const bool doubt = run.ending->may_requeue && !may_requeue;
        run.ending->may_requeue = run.ending->may_requeue && may_requeue;
        add_usage(run.ending->usage, usage, member == 0);
        through(job, run, member);
        if (!touched_[job.id])
            return;
        if (doubt) // a part may still run: the whole ending is said anew
            outcome_.events.push_back(RunEnding{job.id, job.incarnation, node, *run.ending});
        else
            outcome_.events.push_back(NodeFinished{job.id, job.incarnation, node, usage});
        return;
    }
    const auto cause = end.cause;
    run.ending = Ending{.end = std::move(end), .usage = {}, .may_requeue = may_requeue};
    add_usage(run.ending->usage, usage, member == 0);
    run.members[member] = MemberState::finished;
    outcome_.events.push_back(RunEnding{job.id, job.incarnation, node, *run.ending});
    for (std::size_t other = 0; other < run.members.size(); ++other)
        if (run.members[other] != MemberState::finished)
            outcome_.effects.push_back(stop_order(job, run, other, other == 0 ? cause : "the job has ended"));
}

void RunEnds::part_ended(const Job& job, NodeId node, const JobEnd& end, const Usage& usage, bool never_ran)
{
    // Nothing was done twice then, whatever the job's owner said of failed nodes. (Of several nodes the owner's word counts.)
    if (never_ran && end.state == JobState::node_fail && !job.stop && job.run->members.empty() && !over(job, node)) {
        outcome_.events.push_back(
            JobRequeued{.job = job.id, .incarnation = job.incarnation, .cause = end.cause, .end = end, .usage = usage});
        touched_[job.id].reset();
        return;
    }
    auto whole = end;
    const auto& nodes = job.run->placement.nodes;
    if (nodes.front().node != node && end.state != JobState::node_fail) {
        // The script is what a job comes to: a member that ends by itself is a failure, and not the script's.
        if (job.stop)
            whole = cancelled(job.stop->cause);
        else
            whole = {.state = JobState::failed, .end_class = EndClass::system, .exit_code = {}, .signal = 0,
                     .cause = fmt::format("node {}: {}", state_.nodes[node.value].name,
                                          end.cause.empty() ? "its part of the job ended before the script" : end.cause)};
    }
    part_over(job, node, std::move(whole), usage, true);
}

void RunEnds::part_lost(const Job& job, NodeId node, std::string cause, bool may_requeue)
{
    part_over(job, node, {.state = JobState::node_fail, .end_class = EndClass::node, .exit_code = {}, .signal = 0, .cause = std::move(cause)},
              {}, may_requeue);
}

void RunEnds::part_prepared(const Job& job, NodeId node)
{
    if (over(job, node) || job.stop)
        return;
    auto& run = *run_of(job);
    const auto member = *member_of(run, node);
    if (run.ending || member == 0 || run.members[member] == MemberState::prepared)
        return;
    run.members[member] = MemberState::prepared;
    outcome_.events.push_back(NodePrepared{job.id, job.incarnation, node});
    if (script_may_run(run))
        outcome_.effects.push_back(start_order(job, run, 0));
}

} // namespace jarvis::cluster
