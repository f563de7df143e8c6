// Bytes as requests to a controller that answer from its replica: the first byte says how many of the next ones decide what the cluster
// is, the rest are requests, each with a byte of length. Every answer can be sent, and read.
#include "cluster/submit.hpp"
#include "event_view.hpp"
#include "journal/codec.hpp"
#include "live_cluster.hpp"
#include "queries.hpp"
#include "require.hpp"
#include "wire/convert.hpp"

using namespace jarvis;

namespace {

const cluster::Caller alice{1000, "alice", cluster::Role::user, "uid 1000"};

template <class Message>
void check_sendable(const Message& message)
{
    Message read;
    JARVIS_REQUIRE(read.ParseFromString(message.SerializeAsString()));
}

void render(jctld::JobAnswer answer, bool detail)
{
    std::size_t shown = 0;
    const auto found = answer.jobs.size();
    jctld::JobListRenderer renderer(std::move(answer), alice, detail, 7);
    bool more = true;
    while (const auto reply = renderer.next()) {
        JARVIS_REQUIRE(more);
        check_sendable(*reply);
        more = reply->more();
        shown += static_cast<std::size_t>(reply->jobs().summaries_size() + reply->jobs().details_size());
    }
    JARVIS_REQUIRE(!more && shown == found);
}

void query_jobs(const jctld::Replica& replica, const wire::QueryJobs& query)
{
    const auto filter = jctld::filter_from(query.filter(), alice.uid);
    if (!filter)
        return;
    for (const auto ended : {jctld::Ended::left_out, jctld::Ended::shown, jctld::Ended::for_history})
        render(jctld::find_jobs(replica, *filter, ended), query.detail());
}

void select_jobs(const jctld::Replica& replica, const wire::ChangeJobs& change)
{
    const auto filter = jctld::filter_from(change.filter(), alice.uid);
    if (!filter || filter->empty())
        return;
    for (const auto& selection : jctld::select_jobs(replica, *filter))
        JARVIS_REQUIRE(!selection.tasks || !selection.tasks->empty() || !filter->states.empty());
}

void test_submit(const jctld::Replica& replica, const wire::Submit& submit)
{
    auto submitted = wire::submitted_request(submit.job());
    if (!submitted)
        return;
    submitted->request.account = Account{.uid = alice.uid, .gid = 100, .groups = {}, .user = alice.user, .group = "users", .home = "/", .shell = "/bin/sh"};
    const auto prepared = cluster::prepare_request(replica.state().settings, std::move(submitted->request));
    if (!prepared || !wire::from_message(wire::to_message(*prepared)) || !cluster::check_request(replica.state(), *prepared))
        return;
    check_sendable(jctld::test_submit(replica, *prepared));
}

void wait_job(const jctld::Replica& replica, const wire::WaitJob& wait)
{
    const auto id = wire::job_id_in(wait);
    auto answer = jctld::find_job(replica, id);
    JARVIS_REQUIRE(answer.jobs.size() <= 1);
    render(std::move(answer), true);
}

void read_events(const jctld::Replica& replica, const std::vector<std::string>& groups)
{
    for (const auto& bytes : groups) {
        const auto group = journal::decode_group(bytes);
        JARVIS_REQUIRE(group);
        const auto view = jctld::event_group_view(*group, replica.state().wall_offset, *replica.briefs());
        JARVIS_REQUIRE(static_cast<std::size_t>(view.events_size()) == group->events.size());
        check_sendable(view);
    }
}

void answer(const jctld::Replica& replica, const std::vector<std::string>& groups, const wire::Request& request)
{
    switch (request.body_case()) {
    case wire::Request::kQueryJobs: query_jobs(replica, request.query_jobs()); break;
    case wire::Request::kChangeJobs: select_jobs(replica, request.change_jobs()); break;
    case wire::Request::kSubmit: test_submit(replica, request.submit()); break;
    case wire::Request::kWaitJob: wait_job(replica, request.wait_job()); break;
    case wire::Request::kReadEvents: read_events(replica, groups); break;
    case wire::Request::kQueryNodes: {
        const auto& names = request.query_nodes().names();
        check_sendable(jctld::find_nodes(replica, {names.begin(), names.end()}, request.query_nodes().holdings()));
        break;
    }
    default: break;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Draw draw(data, size), decides(draw.text());
    fuzz::LiveCluster cluster(decides);
    while (!decides.done())
        cluster.step(decides);
    jctld::ControllerMetrics metrics;
    const jctld::Replica replica(cluster.state(), metrics, {});
    while (!draw.done()) {
        wire::Request request;
        if (request.ParseFromString(std::string(draw.text())))
            answer(replica, cluster.groups(), request);
    }
    return 0;
}
