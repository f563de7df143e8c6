#include "client/node_questions.hpp"

namespace jarvis::client {

namespace {

Result<wire::NodeAnswers> ask(Session& session, wire::Request request)
{
    wire::NodeAnswers answers;
    auto done = session.ask(std::move(request), [&](wire::Reply&& reply) { answers.MergeFrom(reply.answers()); });
    if (!done)
        return std::unexpected(done.error());
    return answers;
}

} // namespace

Result<wire::NodeAnswers> ask_usage(Session& session, const wire::JobSummary& job)
{
    wire::Request request;
    auto& usage = *request.mutable_ask_nodes()->mutable_usage();
    usage.set_job_id(job.job_id());
    if (job.has_task())
        usage.set_task(job.task());
    return ask(session, std::move(request));
}

Result<wire::NodeAnswers> ask_check(Session& session, std::span<const std::string> nodes)
{
    wire::Request request;
    auto& check = *request.mutable_ask_nodes()->mutable_check();
    for (const auto& node : nodes)
        check.add_nodes(node);
    return ask(session, std::move(request));
}

} // namespace jarvis::client
