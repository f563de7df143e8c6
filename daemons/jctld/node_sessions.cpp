#include "node_sessions.hpp"

#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "node_questions.hpp"
#include "node_session.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/hello.hpp"

#include <unistd.h>

namespace jarvis::jctld {

namespace {

// A node that says nothing of its session for so many heartbeats is gone; its jobs are not. One that goes on in an older
// session (it has not heard of the newer one, and never will) is as good as gone: it registers anew when it is cut off.
constexpr int silent_heartbeats = 3;
constexpr auto silence_margin = std::chrono::seconds(5);

// Over TLS the certificate says which node it is. On the socket a node, which speaks for its users' jobs, must be root, or in a
// personal cluster the controller's own user.
Result<void> check_node_peer(const wire::Channel& channel, const std::string& node_name)
{
    if (const auto certified = channel.identity()) {
        if (certified->identity.role == pki::Role::node && certified->identity.name == node_name)
            return {};
        return fail(Errc::denied, "its certificate is that of {}, and it says that it is node \"{}\"", pki::describe(certified->identity), node_name);
    }
    const auto peer = channel.credentials();
    if (peer && (peer->uid == 0 || peer->uid == ::geteuid()))
        return {};
    return fail(Errc::denied, "a node daemon runs as root or as the controller's own user; this one does not");
}

template <class Message>
Result<cluster::JobRef> job_ref(const Message& message)
{
    auto id = wire::job_id_of(message);
    if (!id)
        return std::unexpected(id.error());
    return cluster::JobRef{*id, Incarnation{message.incarnation()}};
}

Result<cluster::EndedOnNode> ended_from(const wire::Ended& message)
{
    auto job = job_ref(message);
    auto end = wire::from_message(message.end());
    auto usage = wire::from_message(message.usage());
    if (!job || !end || !usage)
        return std::unexpected(!job ? job.error() : !end ? end.error() : usage.error());
    if (!is_final(end->state))
        return fail(Errc::corrupt, "the end of job {} says it is {}", job->job, jarvis::name(end->state));
    return cluster::EndedOnNode{*job, std::move(*end), std::move(*usage), message.unfit().substr(0, wire::limits::cause)};
}

// The numbers follow one another.
Result<cluster::StepsReported> steps_from(NodeId node, const wire::StepsEnded& message)
{
    auto job = job_ref(message);
    if (!job)
        return std::unexpected(job.error());
    constexpr auto most = std::uint64_t{1} << 53;
    if (message.steps().empty() || message.steps(0).number() == 0 || message.steps(0).number() > most)
        return fail(Errc::corrupt, "steps of job {}: none, or without a sensible number", job->job);
    cluster::StepsReported report{node, *job, message.steps(0).number(), {}};
    report.steps.reserve(static_cast<std::size_t>(message.steps_size()));
    for (const auto& step : message.steps()) {
        auto end = wire::from_message(step.end());
        if (!end)
            return fail(end.error(), "steps of job {}", job->job);
        if (step.number() != report.first + report.steps.size())
            return fail(Errc::corrupt, "steps of job {}: number {} does not follow on {}", job->job, step.number(), report.first + report.steps.size() - 1);
        report.steps.push_back(std::move(*end));
    }
    return report;
}

Result<cluster::NodeReport> report_from(const wire::Report& message)
{
    cluster::NodeReport report;
    for (const auto& running : message.running()) {
        auto job = job_ref(running);
        if (!job)
            return std::unexpected(job.error());
        report.running.push_back(*job);
        if (running.prepared())
            report.prepared.push_back(*job);
        if (running.suspended())
            report.suspended.insert(*job);
    }
    for (const auto& ended : message.ended()) {
        auto read = ended_from(ended);
        if (!read)
            return std::unexpected(read.error());
        report.ended.push_back(std::move(*read));
    }
    return report;
}

} // namespace

asio::awaitable<void> NodeSessions::serve(wire::ChannelPtr channel, wire::Hello theirs)
{
    const auto& node_name = theirs.node_name();
    auto hello = front_.hello();
    auto allowed = check_node_peer(*channel, node_name);
    if (!allowed) {
        daemon::log().warn("{}: node \"{}\": {}", channel->description(), node_name, allowed.error().message);
        *hello.mutable_refused() = wire::to_message(allowed.error());
    }
    if (auto sent = channel->send(hello); !sent || !allowed) {
        (void)co_await channel->flush();
        co_return;
    }
    NodeSession session(front_, channel, theirs.protocol_minor());
    session.name = node_name;
    struct Forget {
        NodeSessions& sessions;
        NodeSession& session;
        ~Forget() { sessions.forget(session); }
    } forget_at_end{*this, session};
    co_await session.around(read_frames(session));
}

asio::awaitable<void> NodeSessions::read_frames(NodeSession& session)
{
    auto heard = std::chrono::steady_clock::now();
    for (;;) {
        const auto heartbeat = std::max(session.heartbeat, front_.settings()->heartbeat);
        const auto silence = std::chrono::ceil<std::chrono::milliseconds>(heartbeat * silent_heartbeats) + silence_margin;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(heard + silence - std::chrono::steady_clock::now());
        auto frame = co_await daemon::within(std::max(left, std::chrono::milliseconds(0)), "node " + session.name,
                                             session.channel->read_frame());
        if (!frame)
            daemon::log().warn("node {}: {}; the connection is closed", session.name, frame.error().message);
        if (!frame || !*frame)
            co_return;
        const auto taken = take_frame(session, **frame);
        if (!taken) {
            daemon::log().warn("node {}: {}; the connection is closed", session.name, taken.error().message);
            (void)co_await session.channel->flush(); // it may have been told why
            co_return;
        }
        if (*taken)
            heard = std::chrono::steady_clock::now();
    }
}

Result<bool> NodeSessions::take_frame(NodeSession& session, const std::string& frame)
{
    front_.parts().metrics.from_nodes.add();
    wire::FromNode message;
    if (!message.ParseFromString(frame))
        return fail(Errc::corrupt, "a message that cannot be read");
    if (message.has_register_()) {
        auto taken = take_register(session, message);
        return taken ? Result<bool>(true) : std::unexpected(taken.error());
    }
    // Users may say much where the node itself says nothing any more: that is no sign of its life.
    if (message.has_relay()) {
        auto taken = session.node ? session.take_relay(message.relay()) : Result<void>();
        return taken ? Result<bool>(false) : std::unexpected(taken.error());
    }
    if (message.has_answer()) {
        if (session.node && current(*session.node) == &session)
            front_.questions().answered(*session.node, std::move(*message.mutable_answer()));
        return false;
    }
    if (!session.node || message.session() != session.id || message.serial() <= session.last_serial)
        return false; // of an earlier session, or doubled
    session.last_serial = message.serial();
    if (message.has_steps()) {
        auto steps = steps_from(*session.node, message.steps());
        if (!steps)
            return std::unexpected(steps.error());
        (void)front_.parts().owner.push(std::move(*steps)); // with a full mailbox they come again
        return true;
    }
    cluster::NodeReported command{.node = *session.node, .report = {}, .complete = message.has_report()};
    if (message.has_report()) {
        auto report = report_from(message.report());
        if (!report)
            return std::unexpected(report.error());
        command.report = std::move(*report);
    } else if (message.has_ended()) {
        auto ended = ended_from(message.ended());
        if (!ended)
            return std::unexpected(ended.error());
        command.report.ended.push_back(std::move(*ended));
    } else if (message.has_prepared()) {
        auto job = job_ref(message.prepared());
        if (!job)
            return std::unexpected(job.error());
        command.report.prepared.push_back(*job);
    } else {
        return true; // a newer node says something that we do not know
    }
    // A full mailbox loses nothing: the node's next report says the same.
    (void)front_.parts().owner.push(std::move(command));
    return true;
}

Result<void> NodeSessions::take_register(NodeSession& session, const wire::FromNode& message)
{
    const auto& words = message.register_();
    if (words.name() != session.name)
        return fail(Errc::invalid, "it greeted as \"{}\" and registers as \"{}\"", session.name, words.name());
    auto topology = wire::from_message(words.topology());
    auto report = report_from(words.report());
    if (!topology || !report)
        return std::unexpected(topology ? report.error() : topology.error());
    session.instance = words.instance().empty() ? words.boot_id() : words.instance();
    if (auto alone = check_only_one(session); !alone) {
        (void)session.channel->send(wire::refusing_hello("jctld", wall_now(), alone.error()));
        return alone;
    }
    sessions_.erase(session.id);
    session.id = ++last_session_;
    session.last_serial = message.serial();
    sessions_[session.id] = &session;
    claims_[session.name] = session.id;
    cluster::RegisterNode command{.session = session.id,
                                  .name = session.name,
                                  .registration = {.boot_id = words.boot_id(),
                                                   .topology = std::move(*topology),
                                                   .capabilities = Capabilities(words.capabilities()),
                                                   .version = words.version(),
                                                   .notes = {words.notes().begin(), words.notes().end()}},
                                  .report = std::move(*report),
                                  .certified = session.channel->identity().has_value()};
    (void)front_.parts().owner.push(std::move(command)); // a node that hears nothing registers again
    return {};
}

// A daemon that was started again, or whose connection broke without a word, takes its place again at once. Another one under
// the same name is another machine, or a second daemon on this one: each would take the node from the other for ever. The
// first one keeps it until it is gone, or has been silent for too long.
Result<void> NodeSessions::check_only_one(const NodeSession& session) const
{
    const auto claim = claims_.find(session.name);
    if (claim == claims_.end())
        return {};
    const auto other = sessions_.find(claim->second);
    if (other == sessions_.end() || other->second == &session || other->second->instance == session.instance)
        return {};
    return fail(Errc::denied, "node {} is connected already: {} is another daemon of that name; this one is refused. Each needs a name of its own "
                              "(jnoded.name)", session.name, other->second->channel->description());
}

void NodeSessions::forget(NodeSession& session)
{
    sessions_.erase(session.id);
    if (session.node && current(*session.node) == &session) {
        current_.erase(*session.node);
        front_.questions().lost(*session.node);
    }
    // Unless a newer connection speaks for the name, the node is gone.
    if (auto claim = claims_.find(session.name); claim != claims_.end() && claim->second == session.id) {
        claims_.erase(claim);
        // An older connection of that name has been spoken over, and would not register again by itself.
        for (const auto& [other, older] : sessions_)
            if (older->name == session.name)
                older->channel->close();
        daemon::log().info("node {} has disconnected", session.name);
        (void)front_.parts().owner.push(cluster::NodeDisconnected{session.name});
    }
}

asio::awaitable<void> NodeSessions::report_absent()
{
    auto question = [](const Replica& replica) {
        std::vector<std::string> names;
        for (const auto& node : replica.state().nodes)
            if (node.connected)
                names.push_back(node.name);
        return names;
    };
    const auto connected = co_await front_.ask(std::move(question));
    if (!connected)
        co_return;
    for (const auto& name : *connected)
        if (!claims_.contains(name))
            (void)front_.parts().owner.push(cluster::NodeDisconnected{name});
}

void NodeSessions::welcome(const cluster::WelcomeNode& effect)
{
    auto found = sessions_.find(effect.session);
    if (found == sessions_.end())
        return;
    auto& session = *found->second;
    auto& current = current_[effect.node];
    if (current && current != &session) {
        daemon::log().warn("node {}: a newer connection replaces the one from {}", session.name, current->channel->description());
        current->channel->close();
    }
    current = &session;
    session.node = effect.node;
    daemon::log().info("node {} has registered", session.name);
    session.send(effect);
}

NodeSession* NodeSessions::current(NodeId node) const
{
    const auto found = current_.find(node);
    return found == current_.end() ? nullptr : found->second;
}

void NodeSessions::take(cluster::Effect effect)
{
    if (const auto* welcomed = std::get_if<cluster::WelcomeNode>(&effect))
        return welcome(*welcomed);
    if (const auto* refused = std::get_if<cluster::RefuseNode>(&effect)) {
        if (auto found = sessions_.find(refused->session); found != sessions_.end()) {
            daemon::log().warn("{}", refused->reason);
            (void)found->second->channel->send(wire::refusing_hello("jctld", wall_now(), {Errc::denied, refused->reason}));
            found->second->channel->close();
        }
        return;
    }
    const auto node = std::visit(
        [](const auto& e) -> std::optional<NodeId> {
            if constexpr (requires { e.node; })
                return e.node;
            return std::nullopt;
        },
        effect);
    // Without a session it is dropped: when the node is back, its report brings up what is missing.
    if (auto found = node ? current_.find(*node) : current_.end(); found != current_.end())
        found->second->send(std::move(effect));
}

} // namespace jarvis::jctld
