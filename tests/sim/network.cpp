#include "network.hpp"

#include <algorithm>

namespace jarvis::sim {

using namespace std::chrono_literals;

namespace {

cluster::NodeReport report_of(const node::Report& report)
{
    cluster::NodeReport result;
    for (const auto& running : report.running) {
        result.running.push_back({running.key.job, running.key.incarnation});
        if (running.prepared)
            result.prepared.push_back(result.running.back());
        if (running.suspended)
            result.suspended.insert(result.running.back());
    }
    for (const auto& ended : report.ended)
        result.ended.push_back({{ended.key.job, ended.key.incarnation}, ended.end, ended.usage});
    return result;
}

cluster::NodeReport report_of_one(const node::Message& message)
{
    if (const auto* prepared = std::get_if<node::ReportPrepared>(&message))
        return {.running = {}, .ended = {}, .prepared = {{prepared->key.job, prepared->key.incarnation}}};
    return report_of({.running = {}, .ended = {std::get<node::ReportEnded>(message)}});
}

node::StartOrder start_order(const cluster::StartOnNode& start)
{
    node::StartOrder order;
    order.key = {start.job.job, start.job.incarnation};
    order.role = start.member ? node::Role::member : node::Role::script;
    order.request = *start.request;
    order.node_count = static_cast<std::uint32_t>(start.placement->nodes.size());
    for (const auto& part : start.placement->nodes)
        if (part.node == start.node)
            order.placement = part;
    return order;
}

node::StopOrder stop_order(const cluster::StopOnNode& stop)
{
    const auto why = stop.why == cluster::StopWhy::unknown    ? node::StopWhy::unknown
                     : stop.why == cluster::StopWhy::finished ? node::StopWhy::finished
                                                              : node::StopWhy::cancelled;
    return {{stop.job.job, stop.job.incarnation}, why, stop.cause};
}

} // namespace

void Network::dial(SimNode& node)
{
    world_.after(world_.between(10ms, 2s), [this, &node] {
        if (!node.daemon_up() || node.connection != 0)
            return;
        if (!controller_.serving() || world_.fault(0.05)) {
            dial(node);
            return;
        }
        const auto number = ++last_connection_;
        links_[number] = {.node = &node, .heard = world_.now};
        listen(number);
        node.connected(number, std::string(controller_.uuid().begin(), controller_.uuid().end()), controller_.epoch());
    });
}

// A node that says nothing of its session for three heartbeats is cut off: it may be in an older one, of whose end it
// does not know.
void Network::listen(std::uint64_t number)
{
    world_.after(10s, [this, number] {
        const auto link = links_.find(number);
        if (link == links_.end())
            return;
        if (world_.now - link->second.heard > 35s)
            return cut(number, "silent");
        listen(number);
    });
}

void Network::hang_up(SimNode& node)
{
    const auto number = std::exchange(node.connection, 0);
    lost(number);
}

// The controller notices that a connection is gone.
void Network::lost(std::uint64_t number)
{
    auto found = links_.find(number);
    if (found == links_.end())
        return;
    const auto link = found->second;
    links_.erase(found);
    for (const auto& [other, newer] : links_)
        if (newer.node == link.node && newer.session > link.session)
            return;
    if (link.session != 0)
        controller_.take(cluster::NodeDisconnected{link.node->name()});
}

void Network::drop_all()
{
    auto links = std::exchange(links_, {});
    for (auto& [number, link] : links)
        world_.after(world_.between(0s, 3s), [node = link.node, gone = number] { node->disconnected(gone); });
}

void Network::cut(std::uint64_t number, std::string_view why)
{
    ++world_.count[fmt::format("{}: connection cut", why)];
    auto* node = links_.at(number).node;
    lost(number);
    world_.after(world_.between(0s, 1min), [node, number] { node->disconnected(number); });
}

void Network::from_node(SimNode& node, std::uint64_t connection, node::Send sent)
{
    send([this, &node, connection, sent = std::move(sent)] {
        auto found = links_.find(connection);
        if (found == links_.end())
            return;
        auto& link = found->second;
        if (link.dumb)
            return;
        if (const auto* registered = std::get_if<node::Register>(&sent.message)) {
            link.session = ++last_session_;
            link.welcome = false;
            link.sent_serial = 0;
            link.taken_serial = sent.serial;
            link.heard = world_.now;
            controller_.take(cluster::RegisterNode{link.session, node.name(), node.registration(), report_of(registered->report), node.certified()});
            return;
        }
        if (!link.welcome || sent.session != link.session || sent.serial <= link.taken_serial)
            return;
        link.taken_serial = sent.serial;
        link.heard = world_.now;
        const auto id = controller_.truth().index.nodes.at(node.name());
        const auto* whole = std::get_if<node::Report>(&sent.message);
        controller_.take(cluster::NodeReported{id, whole ? report_of(*whole) : report_of_one(sent.message), whole != nullptr});
    });
}

void Network::steps_from_node(SimNode& node, std::uint64_t connection, node::JobKey key, std::uint64_t first, std::vector<StepEnd> steps)
{
    send([this, &node, connection, key, first, steps = std::move(steps)] {
        const auto link = links_.find(connection);
        if (link == links_.end() || link->second.dumb || !link->second.welcome)
            return;
        const auto id = controller_.truth().index.nodes.at(node.name());
        controller_.take(cluster::StepsReported{id, {key.job, key.incarnation}, first, steps});
    });
}

Network::LinkPlace Network::link_of(cluster::SessionId session)
{
    return std::find_if(links_.begin(), links_.end(), [&](const auto& l) { return l.second.session == session; });
}

// The welcome connection of a node.
Network::LinkPlace Network::link_of(NodeId id)
{
    const auto& name = controller_.truth().nodes.at(id.value).name;
    auto best = links_.end();
    for (auto it = links_.begin(); it != links_.end(); ++it)
        if (it->second.welcome && it->second.node->name() == name && (best == links_.end() || it->second.session > best->second.session))
            best = it;
    return best;
}

void Network::route(cluster::Effect effect)
{
    if (const auto* welcome = std::get_if<cluster::WelcomeNode>(&effect)) {
        if (auto link = link_of(welcome->session); link != links_.end()) {
            link->second.welcome = true;
            const auto& s = controller_.truth().settings;
            to_node(link, node::Welcomed{cluster_name(), controller_.epoch(), link->second.session, s.heartbeat, s.kill_grace});
        }
        return;
    }
    if (const auto* refused = std::get_if<cluster::RefuseNode>(&effect))
        broken("a node was refused: {}", refused->reason);
    if (const auto* start = std::get_if<cluster::StartOnNode>(&effect))
        order(start->node, start_order(*start));
    else if (const auto* stop = std::get_if<cluster::StopOnNode>(&effect))
        order(stop->node, stop_order(*stop));
    else if (const auto* signal = std::get_if<cluster::SignalOnNode>(&effect))
        order(signal->node, node::SignalOrder{{signal->job.job, signal->job.incarnation}, signal->signal, signal->batch_only});
    else if (const auto* suspend = std::get_if<cluster::SuspendOnNode>(&effect))
        order(suspend->node, node::SuspendOrder{{suspend->job.job, suspend->job.incarnation}, suspend->suspended});
    else if (const auto* steps = std::get_if<cluster::AckStepsOnNode>(&effect))
        acknowledge(*steps);
    else if (const auto* ack = std::get_if<cluster::AckOnNode>(&effect))
        order(ack->node, node::AckEnded{{ack->job.job, ack->job.incarnation}});
}

void Network::acknowledge(const cluster::AckStepsOnNode& steps)
{
    const auto job = controller_.truth().find(steps.job.job);
    if (job && job->incarnation == steps.job.incarnation && holds_resources(job->state) && job->run->steps.through < steps.through)
        broken("steps through {} of job {}.{} are acknowledged, and not in the journal", steps.through, steps.job.job, steps.job.incarnation);
    const auto link = link_of(steps.node);
    if (link == links_.end() || link->second.deaf)
        return;
    send([node = link->second.node, key = node::JobKey{steps.job.job, steps.job.incarnation}, through = steps.through] {
        node->steps_acknowledged(key, through);
    });
}

std::string Network::cluster_name() const { return {controller_.uuid().begin(), controller_.uuid().end()}; }

void Network::order(NodeId node, node::Order order)
{
    auto link = link_of(node);
    if (link == links_.end())
        return;
    node::FromController message{controller_.epoch(), link->second.session, ++link->second.sent_serial, std::move(order)};
    to_node(link, std::move(message));
}

void Network::to_node(LinkPlace link, node::Input message)
{
    if (!link->second.deaf)
        send([node = link->second.node, number = link->first, message = std::move(message)]() mutable {
            node->receive(number, std::move(message));
        });
}

bool Network::is_well_connected(const std::string& node) const
{
    return std::ranges::any_of(links_, [&](const auto& entry) {
        const auto& link = entry.second;
        return link.node->name() == node && link.welcome && !link.dumb && !link.deaf;
    });
}

void Network::cut_one()
{
    if (!links_.empty())
        cut(std::next(links_.begin(), static_cast<std::ptrdiff_t>(world_.below(links_.size())))->first, "fault");
}

void Network::heal()
{
    for (auto& [number, link] : links_)
        link.dumb = link.deaf = link.node->connection != number; // whose node has gone on to another one stays dead
}

// One direction of a node's connection carries nothing any more, for a while, and nobody is told; or the node alone notices.
void Network::half_cut(SimNode& node)
{
    const auto link = links_.find(node.connection);
    if (link == links_.end())
        return;
    if (world_.chance(0.3)) {
        ++world_.count["fault: connection gone for the node alone"];
        link->second.dumb = link->second.deaf = true;
        node.disconnected(link->first);
        return;
    }
    ++world_.count["fault: connection cut in one direction"];
    const bool dumb = world_.chance(0.5);
    (dumb ? link->second.dumb : link->second.deaf) = true;
    world_.after(world_.between(1s, 20min), [this, number = link->first] {
        if (const auto again = links_.find(number); again != links_.end())
            again->second.dumb = again->second.deaf = false;
    });
}

} // namespace jarvis::sim
