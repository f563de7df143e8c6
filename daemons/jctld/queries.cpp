#include "queries.hpp"

#include "base/hostlist.hpp"
#include "cluster/authorize.hpp"
#include "cluster/submit.hpp"
#include "views.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/limits.hpp"

namespace jarvis::jctld {

namespace {

void put_reason(const cluster::WaitReason* reason, wire::JobSummary& summary)
{
    if (!reason)
        return;
    summary.mutable_reason()->set_code(reason->code);
    summary.mutable_reason()->set_text(reason->text);
}

} // namespace

wire::JobDetail JobListRenderer::detail_of(std::size_t index) const
{
    const auto& job = *answer_.jobs[index].job;
    auto detail = job_detail(answer_.jobs[index], *answer_.nodes);
    put_reason(answer_.reasons[index].get(), *detail.mutable_summary());
    if (holds_resources(job.state))
        detail.set_elapsed_us(std::max<std::int64_t>(0, (wall_now() - job.run->started_wall).count()));
    if (!cluster::may_see_contents(caller_, job))
        strip_contents(detail);
    return detail;
}

void JobListRenderer::put(std::size_t index, wire::JobSummary& summary) const
{
    put_summary(answer_.jobs[index], *answer_.nodes, summary);
    if (!cluster::may_see_contents(caller_, *answer_.jobs[index].job))
        strip_contents(summary);
    put_reason(answer_.reasons[index].get(), summary);
}

const wire::Reply* JobListRenderer::next()
{
    if (done_)
        return nullptr;
    auto& list = *reply_.mutable_jobs();
    list.Clear();
    reply_.set_tag(tag_);
    reply_.set_sequence(answer_.sequence.value);
    // Room for one more record below the frame's size, which conversion limits.
    std::size_t size = 0;
    for (; next_ < answer_.jobs.size() && size < wire::limits::reply_part / 2; ++next_) {
        if (detail_) {
            auto& detail = *list.add_details();
            detail = detail_of(next_);
            size += detail.ByteSizeLong();
        } else {
            auto& summary = *list.add_summaries();
            put(next_, summary);
            size += summary.ByteSizeLong();
        }
    }
    done_ = next_ == answer_.jobs.size();
    reply_.set_more(!done_);
    if (done_)
        for (const auto& selection : answer_.unknown)
            put_unknown(selection, list);
    return &reply_;
}

wire::NodeList find_nodes(const Replica& replica, const std::vector<std::string>& names, bool holdings)
{
    const auto& state = replica.state();
    wire::NodeList list;
    const auto add = [&](const cluster::Node& node) {
        auto& view = *list.add_nodes() = node_view(state, node);
        if (holdings)
            put_holdings(state, node, view);
    };
    if (names.empty())
        for (const auto& node : state.nodes)
            if (node.declared || !node.jobs.empty())
                add(node);
    for (const auto& name : names) {
        if (const auto* node = state.find_node(name))
            add(*node);
        else
            list.add_unknown_names(name);
    }
    return list;
}

wire::SubmitReply test_submit(const Replica& replica, const JobRequest& request)
{
    const auto& state = replica.state();
    const auto index = state.index.partitions.at(*request.partition);
    const auto& partition = state.settings.partitions[index];
    wire::SubmitReply reply;
    const auto head = state.index.queues[index].next();
    const auto place = partition.up ? cluster::find_place(state, partition, request) : std::nullopt;
    if (!request.dependencies->empty()) {
        reply.set_text("it would wait until its dependencies hold");
    } else if (request.hold || (request.begin && *request.begin > state.wall(state.now))) {
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
        std::vector<std::string> names;
        for (const auto& part : place->nodes) {
            *reply.add_nodes() = job_node(part, (*replica.briefs())[part.node.value]);
            names.push_back(state.nodes[part.node.value].name);
        }
        reply.set_text(fmt::format("it would start now on {}", compress_hostlist(names)));
    }
    return reply;
}

} // namespace jarvis::jctld
