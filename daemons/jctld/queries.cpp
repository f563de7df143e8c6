#include "queries.hpp"

#include "base/units.hpp"
#include "cluster/authorize.hpp"
#include "cluster/submit.hpp"
#include "daemon/clock.hpp"
#include "views.hpp"
#include "wire/convert.hpp"
#include "wire/limits.hpp"

namespace jarvis::jctld {

bool JobFilter::matches(const cluster::Job& job) const
{
    return (uids.empty() || uids.contains(job.request->account.uid)) &&
           (partitions.empty() || partitions.contains(job.request->partition)) && (states.empty() || states.contains(job.state)) &&
           (names.empty() || names.contains(job.request->name)) && (!request || job.request_id == *request);
}

Result<JobFilter> filter_from(const wire::JobFilter& message, std::uint32_t uid)
{
    JobFilter filter;
    for (auto id : message.ids())
        filter.ids.push_back(JobId{id});
    std::sort(filter.ids.begin(), filter.ids.end());
    filter.ids.erase(std::unique(filter.ids.begin(), filter.ids.end()), filter.ids.end());
    filter.uids = {message.uids().begin(), message.uids().end()};
    filter.partitions = {message.partitions().begin(), message.partitions().end()};
    filter.names = {message.names().begin(), message.names().end()};
    for (auto number : message.states()) {
        auto state = wire::job_state_from(number);
        if (!state)
            return std::unexpected(state.error());
        filter.states.insert(*state);
    }
    if (!message.request_id().empty()) {
        if (message.request_id().size() != 16)
            return fail(Errc::invalid, "a request id has 16 bytes (32 hexadecimal digits), not {}", message.request_id().size());
        cluster::RequestId request{.uid = uid, .id = {}};
        std::copy(message.request_id().begin(), message.request_id().end(), request.id.begin());
        filter.request = request;
    }
    return filter;
}

JobAnswer find_jobs(const Replica& replica, const JobFilter& filter, bool include_ended)
{
    const auto& state = replica.state();
    JobAnswer answer{.sequence = state.sequence, .jobs = {}, .reasons = {}, .unknown = {}, .nodes = replica.briefs()};
    const auto take = [&](const cluster::JobPtr& job) {
        answer.jobs.push_back(job);
        answer.reasons.push_back(job->state == JobState::pending ? cluster::wait_reason(state, replica.board(), *job)
                                                                 : cluster::WaitReason{});
    };
    if (filter.request) {
        const auto found = state.index.requests.find(*filter.request);
        if (found != state.index.requests.end())
            if (const auto job = state.find(found->second); filter.matches(*job))
                take(job);
        return answer;
    }
    if (!filter.ids.empty()) {
        for (JobId id : filter.ids) {
            if (const auto job = state.find(id); !job)
                answer.unknown.push_back(id);
            else if (filter.matches(*job))
                take(job);
        }
        return answer;
    }
    // A state that was asked for by name is shown, ended or not.
    const bool ended = include_ended || !filter.states.empty();
    for (const auto& [id, job] : state.jobs)
        if ((ended || !is_final(job->state)) && filter.matches(*job))
            take(job);
    return answer;
}

wire::JobDetail JobListRenderer::detail_of(std::size_t index) const
{
    const auto& job = *answer_.jobs[index];
    auto detail = job_detail(job, *answer_.nodes);
    if (!answer_.reasons[index].code.empty()) {
        detail.mutable_summary()->mutable_reason()->set_code(answer_.reasons[index].code);
        detail.mutable_summary()->mutable_reason()->set_text(answer_.reasons[index].text);
    }
    if (holds_resources(job.state))
        detail.set_elapsed_us(std::max<std::int64_t>(0, (daemon::wall_now() - job.run->started_wall).count()));
    if (!cluster::may_see_contents(caller_, job))
        strip_contents(detail);
    return detail;
}

std::optional<wire::Reply> JobListRenderer::next()
{
    if (done_)
        return std::nullopt;
    wire::Reply reply;
    reply.set_tag(tag_);
    reply.set_sequence(answer_.sequence.value);
    auto& list = *reply.mutable_jobs();
    // Room for one more record below the frame's size, which conversion limits.
    std::size_t size = 0;
    for (; next_ < answer_.jobs.size() && size < wire::limits::reply_part / 2; ++next_) {
        auto detail = detail_ ? detail_of(next_) : wire::JobDetail{};
        if (detail_) {
            size += detail.ByteSizeLong();
            *list.add_details() = std::move(detail);
            continue;
        }
        auto& summary = *list.add_summaries();
        summary = job_summary(*answer_.jobs[next_], *answer_.nodes);
        if (!cluster::may_see_contents(caller_, *answer_.jobs[next_]))
            strip_contents(summary);
        if (!answer_.reasons[next_].code.empty()) {
            summary.mutable_reason()->set_code(answer_.reasons[next_].code);
            summary.mutable_reason()->set_text(answer_.reasons[next_].text);
        }
        size += summary.ByteSizeLong();
    }
    done_ = next_ == answer_.jobs.size();
    reply.set_more(!done_);
    if (done_)
        for (JobId id : answer_.unknown)
            list.add_unknown_ids(id.value);
    return reply;
}

wire::NodeList find_nodes(const Replica& replica, const std::vector<std::string>& names)
{
    const auto& state = replica.state();
    wire::NodeList list;
    if (names.empty())
        for (const auto& node : state.nodes)
            if (node.declared || !node.jobs.empty())
                *list.add_nodes() = node_view(state, node);
    for (const auto& name : names) {
        if (const auto* node = state.find_node(name))
            *list.add_nodes() = node_view(state, *node);
        else
            list.add_unknown_names(name);
    }
    return list;
}

wire::SubmitReply test_submit(const Replica& replica, const JobRequest& request)
{
    const auto& state = replica.state();
    const auto index = state.index.partitions.at(request.partition);
    const auto& partition = state.settings.partitions[index];
    wire::SubmitReply reply;
    const auto head = state.index.queues[index].next();
    const auto place = partition.up ? cluster::find_place(state, partition, request) : std::nullopt;
    if (request.hold || (request.begin && *request.begin > state.wall(state.now))) {
        reply.set_text("it would wait: it is held, or its begin time lies ahead");
    } else if (head) {
        reply.set_text(fmt::format("it would wait in partition {} behind job {}, the first in line", partition.name, *head));
    } else if (!place) {
        cluster::Job job;
        job.id = state.next_job;
        job.request = std::make_shared<const JobRequest>(request);
        reply.set_text("it would wait: " + cluster::why_not(state, index, job).text);
    } else {
        reply.set_would_start_now(true);
        std::string memory;
        for (const auto& share : place->memory)
            memory += fmt::format("{}{} on NUMA node {}", memory.empty() ? "" : ", ", format_memory_size(share.memory), share.numa);
        reply.set_text(fmt::format("it would start now on {}: cores {}; memory {}", state.nodes[place->node.value].name,
                                   format_list(place->cores), memory.empty() ? "none" : memory));
    }
    return reply;
}

} // namespace jarvis::jctld
