#include "node_session.hpp"

#include "base/hostlist.hpp"
#include "daemon/log.hpp"
#include "wire/convert.hpp"
#include "wire/hello.hpp"
#include "wire/start_signature.hpp"

namespace jarvis::jctld {

namespace {

wire::StopJob::Why why_message(cluster::StopWhy why)
{
    switch (why) {
    case cluster::StopWhy::unknown: return wire::StopJob::UNKNOWN;
    case cluster::StopWhy::finished: return wire::StopJob::FINISHED;
    case cluster::StopWhy::cancelled: break;
    }
    return wire::StopJob::CANCELLED;
}

wire::StopJob stop_message(const cluster::StopOnNode& stop)
{
    wire::StopJob message;
    wire::put_job_id(stop.job.job, message);
    message.set_incarnation(stop.job.incarnation.value);
    message.set_why(why_message(stop.why));
    message.set_cause(stop.cause);
    return message;
}

} // namespace

NodeSession::NodeSession(Front& front, wire::ChannelPtr session_channel, std::uint32_t protocol_minor)
    : channel(std::move(session_channel)), front_(front), protocol_minor_(protocol_minor), tasks_(front.executor(), "node")
{
    if (channel->identity() && front.parts().credentials)
        signer_ = front.parts().credentials->context();
}

NodeSession::~NodeSession()
{
    if (relay)
        relay->close();
}

Result<void> NodeSession::take_relay(const wire::Relay& message)
{
    if (!relay) {
        relay = std::make_shared<NodeRelay>(name, channel);
        tasks_.spawn("relay", NodeRelay::run(relay));
    }
    return relay->take(message, [this](wire::ChannelPtr user, std::uint32_t uid) { front_.accept_vouched(user, uid, name); });
}

Result<void> NodeSession::ask(wire::NodeQuestion question)
{
    wire::ToNode message;
    *message.mutable_ask() = std::move(question);
    front_.parts().metrics.to_nodes.add();
    return channel->send(message);
}

void NodeSession::send(cluster::Effect effect)
{
    outbox_.push_back(std::move(effect));
    if (!draining_) {
        draining_ = true;
        tasks_.spawn("orders", drain());
    }
}

asio::awaitable<void> NodeSession::drain()
{
    while (!outbox_.empty() && channel->is_open()) {
        auto effect = std::move(outbox_.front());
        outbox_.pop_front();
        wire::ToNode message;
        if (auto* start = std::get_if<cluster::StartOnNode>(&effect)) {
            co_await write_start(std::move(*start));
            continue;
        }
        if (const auto* stop = std::get_if<cluster::StopOnNode>(&effect)) {
            *message.mutable_stop() = stop_message(*stop);
        } else if (const auto* signal = std::get_if<cluster::SignalOnNode>(&effect)) {
            wire::put_job_id(signal->job.job, *message.mutable_signal());
            message.mutable_signal()->set_incarnation(signal->job.incarnation.value);
            message.mutable_signal()->set_signal(signal->signal);
            message.mutable_signal()->set_batch_only(signal->batch_only);
        } else if (const auto* suspend = std::get_if<cluster::SuspendOnNode>(&effect)) {
            wire::put_job_id(suspend->job.job, *message.mutable_suspend());
            message.mutable_suspend()->set_incarnation(suspend->job.incarnation.value);
            message.mutable_suspend()->set_suspended(suspend->suspended);
        } else if (const auto* ack = std::get_if<cluster::AckOnNode>(&effect)) {
            wire::put_job_id(ack->job.job, *message.mutable_ack());
            message.mutable_ack()->set_incarnation(ack->job.incarnation.value);
        } else if (const auto* steps = std::get_if<cluster::AckStepsOnNode>(&effect)) {
            wire::put_job_id(steps->job.job, *message.mutable_ack_steps());
            message.mutable_ack_steps()->set_incarnation(steps->job.incarnation.value);
            message.mutable_ack_steps()->set_through(steps->through);
        } else if (std::holds_alternative<cluster::WelcomeNode>(effect)) {
            const auto& uuid = front_.uuid();
            message.mutable_welcome()->set_cluster_uuid(std::string(uuid.begin(), uuid.end()));
            message.mutable_welcome()->set_cluster_name(front_.config().cluster.name);
            heartbeat = front_.settings()->heartbeat;
            message.mutable_welcome()->set_heartbeat_us(heartbeat.count());
            message.mutable_welcome()->set_kill_grace_us(front_.settings()->kill_grace.count());
        }
        co_await write(std::move(message));
    }
    draining_ = false;
}

// Waits while much is queued: a node that takes many large scripts at once is slow, not gone.
asio::awaitable<void> NodeSession::write(wire::ToNode message)
{
    message.set_epoch(front_.epoch().value);
    message.set_session(id);
    message.set_serial(++serial_);
    front_.parts().metrics.to_nodes.add();
    if (auto sent = co_await channel->send_when_room(message.SerializeAsString()); !sent) {
        daemon::log().warn("node {}: {}", name, sent.error().message);
        channel->close();
    }
}

asio::awaitable<void> NodeSession::write_start(cluster::StartOnNode start)
{
    if (start.placement->nodes.size() > 1 && protocol_minor_ < wire::minor_with_members) {
        // It would take its part for a whole job, and run the script once more.
        daemon::log().warn("job {} is not started: the jnoded of node {} is too old for jobs over several nodes", start.job.job, name);
        fail_start(start, fmt::format("the jnoded of node {} is too old for jobs over several nodes; update it", name));
        co_return;
    }
    auto script = co_await front_.blob(*start.request->script);
    auto environment = co_await front_.blob(*start.request->environment);
    if (!script || !environment) {
        const auto& error = (script ? environment : script).error();
        const auto cause = fmt::format("its {} cannot be read: {}", script ? "environment" : "script", error.message);
        daemon::log().error("job {}: {}", start.job.job, cause);
        // For a failing storage the node's next report brings the start up again; what is not there will never be.
        if (error.code != Errc::unavailable)
            fail_start(start, cause);
        co_return;
    }
    wire::ToNode message;
    auto& order = *message.mutable_start();
    const auto& uuid = front_.uuid();
    order.set_cluster_uuid(std::string(uuid.begin(), uuid.end()));
    wire::put_job_id(start.job.job, order);
    order.set_incarnation(start.job.incarnation.value);
    *order.mutable_request() = wire::to_task_message(*start.request);
    if (start.job.job.is_task())
        put_array(start.request, *order.mutable_array());
    for (const auto& part : start.placement->nodes)
        if (part.node == start.node)
            *order.mutable_placement() = wire::to_message(part);
    order.set_role(start.member ? wire::StartJob::MEMBER : wire::StartJob::SCRIPT);
    if (const bool listed = co_await list_nodes(*start.placement, order); !listed)
        co_return; // the controller is busy or stopping; the node's next report brings it up again
    order.set_script(**script);
    if (!order.mutable_environment()->ParseFromString(**environment)) {
        daemon::log().error("job {}: its environment cannot be read", start.job.job);
        fail_start(start, "its environment cannot be read");
        co_return;
    }
    if (signer_)
        if (auto made = wire::sign_start(order, front_.epoch().value, name, signer_->key()); !made) {
            daemon::log().error("job {}: its start cannot be signed: {}", start.job.job, made.error().message);
            co_return; // the node's next report brings it up again
        }
    co_await write(std::move(message));
}

asio::awaitable<bool> NodeSession::list_nodes(const Placement& placement, wire::StartJob& order)
{
    order.set_node_count(static_cast<std::uint32_t>(placement.nodes.size()));
    for (const auto& part : placement.nodes)
        order.add_tasks_per_node(part.tasks);
    if (placement.nodes.size() == 1) {
        order.set_node_list(name);
        co_return true;
    }
    auto question = [](const Replica& replica) { return replica.briefs(); };
    const auto known = co_await front_.ask(std::move(question));
    if (!known)
        co_return false;
    std::vector<std::string> names;
    for (const auto& part : placement.nodes)
        names.push_back((**known)[part.node.value].name);
    order.set_node_list(hostlist_in_order(names)); // the first of them runs the script, and tasks are counted in this order
    co_return true;
}

// Of an array with many steps this takes a while, and its tasks start one after the other.
void NodeSession::put_array(const std::shared_ptr<const JobRequest>& request, wire::ArrayShape& message)
{
    if (last_array_ != request) {
        last_array_ = request;
        last_shape_ = shape_of(request->array->tasks);
    }
    message.set_min(last_shape_.min);
    message.set_max(last_shape_.max);
    message.set_step(last_shape_.step);
    message.set_count(last_shape_.count);
}

void NodeSession::fail_start(const cluster::StartOnNode& start, const std::string& cause)
{
    cluster::NodeReported command{.node = start.node, .report = {}, .complete = false};
    command.report.ended.push_back(
        {start.job, {.state = JobState::failed, .end_class = EndClass::system, .exit_code = {}, .signal = 0, .cause = cause}, {}});
    (void)front_.parts().owner.push(std::move(command));
}

} // namespace jarvis::jctld
