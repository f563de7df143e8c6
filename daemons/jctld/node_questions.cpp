#include "node_questions.hpp"

#include "cluster/authorize.hpp"
#include "node_session.hpp"
#include "node_sessions.hpp"
#include "wire/convert.hpp"
#include "wire/limits.hpp"

namespace jarvis::jctld {

namespace {

// A node answers from a thread that does nothing else, in milliseconds; one that is short of memory takes longer.
constexpr auto answer_limit = std::chrono::seconds(5);
// Nodes that are asked at once for one asker.
constexpr std::size_t nodes_at_once = 256;
// Questions under way, of all askers.
constexpr std::size_t most_under_way = 4096;
// A list of names; a job may have more nodes than that.
constexpr int most_names = 1024;

// Of one node; no node can fill this process's memory.
constexpr std::size_t largest_answer = std::size_t{64} << 10;

wire::Error error_message(Errc code, std::string message)
{
    return wire::to_message(Error{code, std::move(message)});
}

} // namespace

void NodeQuestions::put(const std::shared_ptr<Wave>& wave, std::size_t index, NodeId node, wire::NodeQuestion question)
{
    auto& item = wave->items[index];
    auto* session = front_.nodes().current(node);
    if (!session) {
        *item.mutable_error() = error_message(Errc::unavailable, fmt::format("node {} is not connected", item.node()));
    } else if (!session->answers_questions()) {
        *item.mutable_error() =
            error_message(Errc::unavailable, fmt::format("the jnoded of node {} is too old to answer questions; update it", item.node()));
    } else if (waiting_.size() >= most_under_way) {
        *item.mutable_error() = error_message(Errc::unavailable, "too many questions to nodes are under way; ask again");
    } else {
        question.set_number(++last_number_);
        if (auto sent = session->ask(std::move(question)); !sent) {
            *item.mutable_error() = error_message(Errc::unavailable, fmt::format("node {}: {}", item.node(), sent.error().message));
            return;
        }
        ++wave->open;
        waiting_.emplace(last_number_, Waiting{node, wave, index});
    }
}

asio::awaitable<std::vector<wire::NodeAnswers::Item>> NodeQuestions::ask(std::vector<Asked> nodes, wire::NodeQuestion question)
{
    auto wave = std::make_shared<Wave>(
        Wave{std::vector<wire::NodeAnswers::Item>(nodes.size()), 0, asio::steady_timer(front_.executor(), answer_limit)});
    // Also when the asker goes away meanwhile.
    struct Forget {
        std::map<std::uint64_t, Waiting>& waiting;
        const std::shared_ptr<Wave>& wave;
        ~Forget()
        {
            std::erase_if(waiting, [this](const auto& one) { return one.second.wave == wave; });
        }
    } const forget{waiting_, wave};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        wave->items[i].set_node(nodes[i].name);
        put(wave, i, nodes[i].node, question);
    }
    if (wave->open > 0)
        (void)co_await wave->done.async_wait(asio::as_tuple(asio::use_awaitable));
    for (auto& item : wave->items)
        if (!item.has_error() && !item.has_usage() && !item.has_check())
            *item.mutable_error() =
                error_message(Errc::unavailable, fmt::format("node {} did not answer within {} s", item.node(), answer_limit.count()));
    co_return std::move(wave->items);
}

void NodeQuestions::close(std::map<std::uint64_t, Waiting>::iterator waiting)
{
    auto& wave = *waiting->second.wave;
    if (--wave.open == 0)
        wave.done.cancel();
    waiting_.erase(waiting);
}

void NodeQuestions::lost(NodeId node)
{
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        const auto one = at++;
        if (one->second.node != node)
            continue;
        auto& item = one->second.wave->items[one->second.index];
        *item.mutable_error() = error_message(Errc::unavailable, fmt::format("node {} has disconnected", item.node()));
        close(one);
    }
}

void NodeQuestions::answered(NodeId node, wire::NodeAnswer answer)
{
    const auto found = waiting_.find(answer.number());
    if (found == waiting_.end() || found->second.node != node)
        return;
    auto& item = found->second.wave->items[found->second.index];
    if (answer.ByteSizeLong() > largest_answer)
        *item.mutable_error() = error_message(Errc::corrupt, fmt::format("the answer of node {} is too large", item.node()));
    else if (answer.has_error())
        *item.mutable_error() = std::move(*answer.mutable_error());
    else if (answer.has_usage())
        *item.mutable_usage() = std::move(*answer.mutable_usage());
    else if (answer.has_check())
        *item.mutable_check() = std::move(*answer.mutable_check());
    else
        *item.mutable_error() = error_message(
            Errc::unavailable, fmt::format("node {} does not know this question; its jnoded is of another version", item.node()));
    close(found);
}

namespace {

struct Plan {
    std::vector<NodeQuestions::Asked> nodes;
    std::vector<std::string> unknown;
    wire::NodeQuestion question;
};

Result<Plan> plan_usage(const Replica& replica, const cluster::Caller& caller, JobId id)
{
    const auto& state = replica.state();
    const auto found = find_job(replica, id);
    if (found.jobs.empty())
        return fail(Errc::not_found, "no job {} (ended jobs are in jacct)", id);
    const auto& job = *found.jobs.front().job;
    if (auto allowed = cluster::may_see_usage(caller, job); !allowed)
        return std::unexpected(allowed.error());
    if (job.is_array() && !id.is_task())
        return fail(Errc::invalid, "{} is an array, whose tasks are jobs of their own: name one of them, such as {}_1", id, id);
    if (job.is_array() || !holds_resources(job.state) || !job.run)
        return fail(Errc::invalid, "job {} is not running: it is {}", id, name(job.state));
    Plan plan;
    auto& about = *plan.question.mutable_usage();
    wire::put_job_id(id, about);
    about.set_incarnation(job.incarnation.value);
    for (const auto& part : job.run->placement.nodes)
        plan.nodes.push_back({part.node, state.nodes[part.node.value].name});
    return plan;
}

Result<Plan> plan_check(const Replica& replica, const std::vector<std::string>& names)
{
    Plan plan;
    (void)plan.question.mutable_check();
    for (const auto& name : names) {
        if (const auto* node = replica.state().find_node(name))
            plan.nodes.push_back({replica.state().index.nodes.find(name)->second, node->name});
        else
            plan.unknown.push_back(name);
    }
    return plan;
}

asio::awaitable<Result<Plan>> make_plan(Front& front, const cluster::Caller& caller, const wire::AskNodes& about)
{
    if (about.has_usage()) {
        const auto id = wire::job_id_of(about.usage());
        if (!id)
            co_return std::unexpected(id.error());
        auto collect = [caller, id = *id](const Replica& replica) { return plan_usage(replica, caller, id); };
        auto plan = co_await front.ask(std::move(collect));
        co_return plan ? std::move(*plan) : std::unexpected(plan.error());
    }
    if (!about.has_check())
        co_return fail(Errc::invalid, "the controller does not know this question; it may be older than the command");
    if (auto allowed = cluster::may_check_nodes(caller); !allowed)
        co_return std::unexpected(allowed.error());
    const auto& names = about.check().nodes();
    if (names.empty())
        co_return fail(Errc::invalid, "no nodes were named");
    if (names.size() > most_names)
        co_return fail(Errc::invalid, "at most {} nodes are asked at once", most_names);
    auto collect = [list = std::vector<std::string>(names.begin(), names.end())](const Replica& replica) {
        return plan_check(replica, list);
    };
    auto plan = co_await front.ask(std::move(collect));
    co_return plan ? std::move(*plan) : std::unexpected(plan.error());
}

// What was answered as messages of a bounded size. False: nobody reads them any more.
asio::awaitable<bool> send_items(wire::Channel& channel, wire::Reply reply, std::vector<wire::NodeAnswers::Item> items)
{
    for (auto item = items.begin(); item != items.end();) {
        reply.mutable_answers()->clear_items();
        reply.set_more(true);
        for (std::size_t size = 0; item != items.end() && size < wire::limits::reply_part / 2; ++item) {
            size += item->ByteSizeLong();
            *reply.mutable_answers()->add_items() = std::move(*item);
        }
        if (const auto sent = co_await channel.send_when_room(reply.SerializeAsString()); !sent)
            co_return false;
    }
    co_return true;
}

} // namespace

asio::awaitable<Result<void>> answer_question(Front& front, wire::ChannelPtr channel, cluster::Caller caller, wire::Request request)
{
    auto plan = co_await make_plan(front, caller, request.ask_nodes());
    if (!plan)
        co_return std::unexpected(plan.error());
    wire::Reply reply;
    reply.set_tag(request.tag());
    for (auto from = plan->nodes.begin(); from != plan->nodes.end();) {
        const auto to = std::next(from, std::min<std::ptrdiff_t>(nodes_at_once, std::distance(from, plan->nodes.end())));
        auto items = co_await front.questions().ask({std::exchange(from, to), to}, plan->question);
        if (!co_await send_items(*channel, reply, std::move(items)))
            co_return Result<void>{};
    }
    for (const auto& name : plan->unknown)
        reply.mutable_answers()->add_unknown_names(name);
    (void)reply.mutable_answers();
    (void)co_await channel->send_when_room(reply.SerializeAsString());
    co_return Result<void>{};
}

} // namespace jarvis::jctld
