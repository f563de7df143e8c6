// The front: one loop that holds all connections. It turns requests into commands for the owner and questions for the
// replica, and takes back replies and effects once they may leave. Everything here runs on the front's loop.
#pragma once

#include "blob_cache.hpp"
#include "cluster/outcome.hpp"
#include "config/config.hpp"
#include "core_settings.hpp"
#include "daemon/accounts.hpp"
#include "daemon/task_group.hpp"
#include "metrics.hpp"
#include "node_relay.hpp"
#include "owner_thread.hpp"
#include "plugin/auth.hpp"
#include "plugin/policy.hpp"
#include "queries.hpp"
#include "replica.hpp"
#include "snapshot_follower.hpp"
#include "wire/channel.hpp"
#include "wire/tls_context.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <map>
#include <set>
#include <unordered_map>

namespace jarvis::jctld {

namespace asio = boost::asio;

// What the owner answered, with the group that holds it.
struct Answer {
    SequenceNumber sequence;
    Result<cluster::ReplyBody> body;
};

// A thing to wait for, that comes once; waiting can be cancelled.
template <class T>
class OneShot {
    asio::steady_timer timer_;
    std::optional<T> value_;

public:
    explicit OneShot(asio::any_io_executor executor) : timer_(executor, asio::steady_timer::time_point::max()) {}
    void set(T value)
    {
        value_ = std::move(value);
        timer_.cancel();
    }
    // Nothing when the wait was cancelled.
    asio::awaitable<std::optional<T>> wait()
    {
        if (!value_)
            (void)co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        co_return std::move(value_);
    }
};

class NodeSessions;
class NodeSession;
class NodeQuestions;

class Front {
public:
    // What the front uses; all of it outlives the front.
    struct Parts {
        Store& store;
        BlobCache& blobs;
        Replica& replica;
        OwnerThread& owner;
        SnapshotFollower& snapshots;
        HistoryFollower& history;
        plugin::Auth& auth;
        plugin::Policy& policy;
        daemon::AccountDirectory& accounts;
        ControllerMetrics& metrics;
        EventFeed& feed;
        asio::thread_pool& pool; // work that may block
        asio::thread_pool& history_pool; // questions to the history, which may take long and hold up nothing else
        std::function<void()> shutdown;
        std::shared_ptr<wire::TlsCredentials> credentials; // none: no TLS
    };

private:
    asio::any_io_executor executor_;
    Parts parts_;
    std::shared_ptr<const config::Config> config_;
    std::shared_ptr<const cluster::Settings> settings_;
    Roles roles_;
    cluster::Uuid uuid_{};
    Epoch epoch_;
    cluster::Token last_token_ = 0;
    std::unordered_map<cluster::Token, OneShot<Answer>*> replies_;
    std::unordered_map<cluster::Token, std::shared_ptr<void>> kept_; // until the owner's answer, also when nobody waits for it
    std::multimap<JobId, OneShot<bool>*> waiters_;
    std::unique_ptr<NodeSessions> nodes_;
    std::unique_ptr<NodeQuestions> questions_;
    daemon::TaskGroup tasks_;

    asio::awaitable<void> serve(wire::ChannelPtr channel, std::optional<Vouched> vouched = {});

public:
    Front(asio::any_io_executor executor, Parts parts, std::shared_ptr<const config::Config> config, Roles roles);
    ~Front();

    // Once the cluster's identity is known, before the first connection.
    void set_identity(const cluster::Uuid& uuid, Epoch epoch);
    void accept(wire::ChannelPtr channel);
    // A user of a node, over that node's connection.
    void accept_vouched(wire::ChannelPtr channel, std::uint32_t uid, const std::string& node);
    asio::awaitable<void> stop();

    // From the replica and the owner, by way of the loop.
    void publish(SequenceNumber sequence, std::vector<cluster::Effect> effects, const EndedIds& ended);
    void reject(cluster::Token token, const Error& error);

    bool reloading = false; // one reload of the configuration at a time: see reload_configuration()

    // For the sessions.
    const Parts& parts() const { return parts_; }
    asio::any_io_executor executor() const { return executor_; }
    const config::Config& config() const { return *config_; }
    std::shared_ptr<const cluster::Settings> settings() const { return settings_; }
    const Roles& roles() const { return roles_; }
    const cluster::Uuid& uuid() const { return uuid_; }
    Epoch epoch() const { return epoch_; }
    NodeSessions& nodes() { return *nodes_; }
    NodeQuestions& questions() { return *questions_; }
    wire::Hello hello() const;
    // A new configuration that was checked and is in force from here on.
    void reconfigure(std::shared_ptr<const config::Config> config, Roles roles, cluster::Settings settings);

    // Gives the command a token, lets the owner decide it, and waits for the answer: durable, and known to the replica.
    // `keep` lives until then, also when the wait is cancelled.
    asio::awaitable<Answer> decide(cluster::Command command, std::shared_ptr<void> keep = {});
    // Runs `question` on the replica's thread and returns what it returned.
    template <class F>
    asio::awaitable<Result<std::invoke_result_t<F&, const Replica&>>> ask(F question);
    // Until the job, array or task has ended, if it has not; false when the wait was cancelled.
    asio::awaitable<bool> wait_for_end(JobId job);
    // The blob, from memory or the storage.
    asio::awaitable<Result<BlobBytes>> blob(BlobHash hash);
};

template <class F>
asio::awaitable<Result<std::invoke_result_t<F&, const Replica&>>> Front::ask(F question)
{
    using Value = std::invoke_result_t<F&, const Replica&>;
    // Shared, since a cancelled asker is gone when the answer comes.
    auto slot = std::make_shared<OneShot<Value>>(executor_);
    Replica::Question work = [executor = executor_, slot, question = std::move(question)](const Replica& replica) mutable {
        asio::post(executor, [slot, value = question(replica)]() mutable { slot->set(std::move(value)); });
    };
    if (!parts_.replica.ask(std::move(work)))
        co_return fail(Errc::unavailable, "the controller is busy; try again");
    auto value = co_await slot->wait();
    if (!value)
        co_return fail(Errc::unavailable, "cancelled");
    co_return std::move(*value);
}

} // namespace jarvis::jctld
