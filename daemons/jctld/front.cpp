#include "front.hpp"

#include "client_session.hpp"
#include "cluster/relations.hpp"
#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "daemon/off_loop.hpp"
#include "node_questions.hpp"
#include "node_sessions.hpp"
#include "wire/clocks.hpp"
#include "wire/hello.hpp"

namespace jarvis::jctld {

namespace {

constexpr auto hello_limit = std::chrono::seconds(30);

// Counts a connection for as long as it is there.
class OpenConnection {
    daemon::Metric& open_;

public:
    explicit OpenConnection(daemon::Metric& open) : open_(open) { open_.add(); }
    OpenConnection(const OpenConnection&) = delete;
    OpenConnection& operator=(const OpenConnection&) = delete;
    ~OpenConnection() { open_.add(-1); }
};

} // namespace

Front::Front(asio::any_io_executor executor, Parts parts, std::shared_ptr<const config::Config> config, Roles roles)
    : executor_(executor), parts_(std::move(parts)), config_(std::move(config)),
      settings_(std::make_shared<cluster::Settings>(core_settings(*config_, parts_.policy.queue_order()))),
      roles_(std::move(roles)), nodes_(std::make_unique<NodeSessions>(*this)),
      questions_(std::make_unique<NodeQuestions>(*this)), tasks_(executor, "connections")
{
}

Front::~Front() = default;

void Front::set_identity(const cluster::Uuid& uuid, Epoch epoch)
{
    uuid_ = uuid;
    epoch_ = epoch;
}

wire::Hello Front::hello() const
{
    auto hello = wire::make_hello(wire::Hello::CONTROLLER, "jctld", wall_now());
    hello.set_cluster_name(config_->cluster.name);
    hello.set_cluster_uuid(std::string(uuid_.begin(), uuid_.end()));
    hello.set_epoch(epoch_.value);
    return hello;
}

void Front::accept(wire::ChannelPtr channel)
{
    parts_.metrics.opened.add();
    tasks_.spawn(channel->description(), serve(channel));
}

void Front::accept_vouched(wire::ChannelPtr channel, std::uint32_t uid, const std::string& node)
{
    Vouched vouched{.uid = uid, .node = node, .allowed = {}};
    if (!may_vouch(*config_, node))
        vouched.allowed = fail(Errc::denied, "node {} may not speak for its users: its [[node]] does not say \"vouch = true\"", node);
    tasks_.spawn(channel->description(), serve(channel, std::move(vouched)));
}

// Hellos, and then whatever the peer says it is.
asio::awaitable<void> Front::serve(wire::ChannelPtr channel, std::optional<Vouched> vouched)
{
    auto frame = co_await daemon::within(hello_limit, channel->description(), channel->read_frame());
    wire::Hello theirs;
    Result<void> checked;
    if (!frame) {
        checked = std::unexpected(frame.error());
    } else if (!*frame) {
        channel->close();
        co_return; // somebody looked whether we are there
    } else if (!theirs.ParseFromString(**frame)) {
        checked = fail(Errc::corrupt, "the first message is no Hello of this protocol");
    } else {
        checked = wire::check_hello(theirs, {config_->cluster.name, std::string(uuid_.begin(), uuid_.end())}, channel->description());
        if (checked && channel->identity() && theirs.role() != wire::Hello::NODE)
            checked = fail(Errc::denied, "over TLS only node daemons are served");
    }
    if (!checked) {
        daemon::log().warn("{}: {}", channel->description(), checked.error().message);
        (void)channel->send(wire::refusing_hello("jctld", wall_now(), checked.error()));
        (void)co_await channel->flush();
        channel->close();
        co_return;
    }
    if (auto skew = wire::clock_skew(theirs, wall_now(), channel->description()))
        daemon::log().warn("{}", *skew);
    channel->set_max_frame(static_cast<std::size_t>(config_->limits.message_size.bytes));
    const bool node = theirs.role() == wire::Hello::NODE && !vouched;
    const OpenConnection open(node ? parts_.metrics.node_connections : parts_.metrics.clients);
    if (node)
        co_await nodes_->serve(channel, std::move(theirs));
    else
        co_await serve_client(*this, channel, std::move(vouched));
    channel->close();
}

asio::awaitable<void> Front::stop()
{
    tasks_.cancel();
    co_await tasks_.wait();
}

void Front::publish(SequenceNumber sequence, std::vector<cluster::Effect> effects, const EndedIds& ended)
{
    for (auto& effect : effects) {
        auto* reply = std::get_if<cluster::Reply>(&effect);
        if (!reply) {
            nodes_->take(std::move(effect));
            continue;
        }
        kept_.erase(reply->token);
        if (auto waiting = replies_.find(reply->token); waiting != replies_.end()) {
            auto* slot = waiting->second;
            replies_.erase(waiting);
            slot->set({sequence, std::move(reply->body)});
        }
    }
    for (JobId job : ended.jobs) {
        auto [first, last] = waiters_.equal_range(job);
        for (auto it = first; it != last; ++it)
            it->second->set(true);
        waiters_.erase(first, last);
    }
    for (const auto& [array, tasks] : ended.tasks)
        for (auto it = waiters_.upper_bound({array}); it != waiters_.end() && it->first.value == array;) {
            if (!tasks.contains(it->first.task)) {
                ++it;
                continue;
            }
            it->second->set(true);
            it = waiters_.erase(it);
        }
}

void Front::reject(cluster::Token token, const Error& error)
{
    kept_.erase(token);
    if (auto waiting = replies_.find(token); waiting != replies_.end()) {
        auto* slot = waiting->second;
        replies_.erase(waiting);
        slot->set({{}, std::unexpected(error)});
    }
}

void Front::reconfigure(std::shared_ptr<const config::Config> config, Roles roles, cluster::Settings settings)
{
    config_ = std::move(config);
    roles_ = std::move(roles);
    settings_ = std::make_shared<cluster::Settings>(std::move(settings));
    parts_.accounts.forget();
}

asio::awaitable<Answer> Front::decide(cluster::Command command, std::shared_ptr<void> keep)
{
    const auto token = ++last_token_;
    std::visit(
        [token](auto& c) {
            if constexpr (requires { c.token; })
                c.token = token;
        },
        command);
    OneShot<Answer> slot(executor_);
    struct Registered {
        Front& front;
        cluster::Token token;
        ~Registered() { front.replies_.erase(token); }
    } registered{*this, token};
    replies_.emplace(token, &slot);
    if (keep)
        kept_.emplace(token, std::move(keep));
    if (!parts_.owner.push(std::move(command))) {
        kept_.erase(token);
        co_return Answer{{}, fail(Errc::unavailable, "the controller is busy: too many requests wait; try again")};
    }
    auto answer = co_await slot.wait();
    if (!answer)
        co_return Answer{{}, fail(Errc::unavailable, "the controller is stopping; outcome unknown, retry with the same request id")};
    co_return std::move(*answer);
}

asio::awaitable<bool> Front::wait_for_end(JobId job)
{
    OneShot<bool> slot(executor_);
    const auto place = waiters_.emplace(job, &slot);
    // Registered first and looked at then, so that an end in between is not missed.
    auto collect = [job](const Replica& replica) {
        const auto fate = cluster::fate_of(replica.state(), job);
        return !fate.known || fate.over;
    };
    auto ended = co_await ask(std::move(collect));
    const auto unregister = [&] {
        auto [first, last] = waiters_.equal_range(job);
        for (auto it = first; it != last; ++it)
            if (it == place) {
                waiters_.erase(it);
                return;
            }
    };
    if (!ended || *ended) {
        unregister();
        co_return ended.has_value();
    }
    struct OnExit {
        decltype(unregister)& run;
        ~OnExit() { run(); }
    } on_exit{unregister};
    co_return (co_await slot.wait()).has_value();
}

asio::awaitable<Result<BlobBytes>> Front::blob(BlobHash hash)
{
    if (auto bytes = parts_.blobs.get(hash))
        co_return bytes;
    auto read = co_await daemon::off_loop(parts_.pool, [&] {
        return parts_.store.use([&](plugin::Storage& storage) { return storage.blob(hash); });
    });
    if (!read)
        co_return std::unexpected(read.error());
    co_return parts_.blobs.put(hash, std::move(*read));
}

} // namespace jarvis::jctld
