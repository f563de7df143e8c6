#include "controller.hpp"

#include "admin.hpp"
#include "base/version.hpp"
#include "blob_cache.hpp"
#include "daemon/boot_id.hpp"
#include "daemon/deadline.hpp"
#include "daemon/folders.hpp"
#include "daemon/log.hpp"
#include "daemon/metrics_server.hpp"
#include "daemon/notify.hpp"
#include "daemon/process.hpp"
#include "daemon/signals.hpp"
#include "digest.hpp"
#include "front.hpp"
#include "history_follower.hpp"
#include "journal_thread.hpp"
#include "node_sessions.hpp"
#include "owner_thread.hpp"
#include "recovery.hpp"
#include "snapshot_follower.hpp"
#include "tls_front.hpp"
#include "wire/clocks.hpp"
#include "wire/unix_channel.hpp"

#include <future>
#include <iostream>

namespace jarvis::jctld {

namespace {

constexpr std::size_t blob_cache_bytes = std::size_t{64} << 20;
constexpr std::size_t pool_threads = 4;
constexpr std::size_t history_threads = 2;
constexpr std::size_t events_per_snapshot = 50'000;

plugin::LogFunction plugin_log(std::string name)
{
    return [name = std::move(name)](plugin::LogLevel level, std::string_view text) {
        switch (level) {
        case plugin::LogLevel::debug: daemon::log().debug("{}: {}", name, text); break;
        case plugin::LogLevel::info: daemon::log().info("{}: {}", name, text); break;
        case plugin::LogLevel::warning: daemon::log().warn("{}: {}", name, text); break;
        case plugin::LogLevel::error: daemon::log().error("{}: {}", name, text); break;
        }
    };
}

plugin::Source plugin_source(const config::Config& config, std::string_view kind, const std::string& name)
{
    return plugin::source(config, kind, name, plugin_log(fmt::format("{}/{}", kind, name)));
}

Result<std::unique_ptr<Store>> load_store(const config::Config& config)
{
    auto storage = plugin::Storage::load(plugin_source(config, "storage", config.controller.storage));
    if (!storage)
        return std::unexpected(storage.error());
    return std::make_unique<Store>(std::move(*storage), config.controller.state_dir);
}

Result<void> check_cluster_name(const cluster::State& state, const config::Config& config)
{
    if (state.name.empty() || state.name == config.cluster.name)
        return {};
    return fail(Errc::invalid, "{} holds the state of cluster \"{}\", and the configuration names \"{}\"; "
                               "set the name back or give another state_dir", config.controller.state_dir, state.name, config.cluster.name);
}

// The certificate says which cluster this is. A state without a UUID is a new one, and takes that of the certificate.
Result<void> check_cluster_uuid(const cluster::State& state, const config::Config& config, const wire::TlsCredentials* credentials)
{
    if (!credentials || state.uuid == cluster::Uuid{})
        return {};
    const auto& certified = credentials->context()->identity().cluster;
    if (state.uuid == certified)
        return {};
    return fail(Errc::invalid, "{} holds the state of the cluster with the UUID {}, and {} is a certificate of that with the UUID {}; "
                               "jadmin pki init --uuid {} makes an authority for the cluster that is here",
                config.controller.state_dir, pki::to_string(state.uuid), config::tls_files(config).certificate, pki::to_string(certified),
                pki::to_string(state.uuid));
}

class Controller {
    std::shared_ptr<const config::Config> config_;
    ControllerMetrics metrics_;
    asio::io_context loop_{1};
    asio::thread_pool pool_{pool_threads};
    asio::thread_pool history_pool_{history_threads};
    std::unique_ptr<Store> store_;
    std::unique_ptr<plugin::Auth> auth_;
    std::unique_ptr<plugin::Policy> policy_;
    BlobCache blobs_{blob_cache_bytes};
    daemon::AccountDirectory accounts_;
    std::unique_ptr<EventFeed> feed_;
    std::unique_ptr<HistoryFollower> history_;
    std::unique_ptr<SnapshotFollower> snapshots_;
    std::unique_ptr<Replica> replica_;
    std::unique_ptr<JournalThread> journal_;
    std::unique_ptr<OwnerThread> owner_;
    std::unique_ptr<Front> front_;
    std::unique_ptr<wire::UnixListener> listener_;
    std::shared_ptr<wire::TlsCredentials> credentials_; // none: no TLS
    std::unique_ptr<TlsFront> tls_;
    std::unique_ptr<daemon::MetricsServer> metrics_server_;
    std::unique_ptr<daemon::TaskGroup> tasks_, reloads_;
    bool stopping_ = false;

public:
    explicit Controller(std::shared_ptr<const config::Config> config) : config_(std::move(config)) {}
    ~Controller() { stop_threads(); }

    Result<void> start();
    void run();
    void request_stop();

private:
    Result<void> load_plugins();
    Result<Recovered> recover();
    void make_threads(cluster::State state, cluster::BootClock clock, std::size_t events);
    Result<void> begin(cluster::Uuid uuid, Epoch last_epoch, const cluster::BootClock& clock);
    asio::awaitable<void> accept_loop();
    asio::awaitable<void> watch_nodes();
    asio::awaitable<void> reload();
    asio::awaitable<void> wind_down();
    void stop_threads();
};

Result<void> Controller::load_plugins()
{
    auto store = load_store(*config_);
    if (!store)
        return std::unexpected(store.error());
    store_ = std::move(*store);
    auto auth = plugin::Auth::open(plugin_source(*config_, "auth", config_->controller.auth));
    if (!auth)
        return std::unexpected(auth.error());
    auth_ = std::move(*auth);
    auto policy = plugin::Policy::open(plugin_source(*config_, "policy", config_->controller.policy));
    if (!policy)
        return std::unexpected(policy.error());
    policy_ = std::move(*policy);
    return {};
}

// The state, and on the way what the accounting history has not seen yet.
Result<Recovered> Controller::recover()
{
    const auto began = std::chrono::steady_clock::now();
    auto seen = store_->use([](plugin::Storage& storage) { return storage.history_last_sequence(); });
    if (!seen)
        return std::unexpected(seen.error());
    history_ = std::make_unique<HistoryFollower>(*store_, *seen);
    auto recovered = recover_state(*store_, *seen, [&](const cluster::State& state, EndedJobs ended) {
        if (state.sequence <= *seen)
            return;
        if (!ended.jobs.empty())
            ended.nodes = make_briefs(state);
        history_->push(std::move(ended));
    });
    if (!recovered)
        return recovered;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    daemon::log().info("state recovered in {} ms: snapshot {}, {} groups after it, {} jobs", took.count(), recovered->snapshot,
                       recovered->groups, recovered->state.jobs.size());
    return recovered;
}

void Controller::make_threads(cluster::State state, cluster::BootClock clock, std::size_t events)
{
    auto post = [this](auto work) { asio::post(loop_, std::move(work)); };
    feed_ = std::make_unique<EventFeed>(loop_.get_executor(), state.sequence);
    snapshots_ = std::make_unique<SnapshotFollower>(*store_, *history_, events_per_snapshot, events);
    replica_ = std::make_unique<Replica>(
        state, metrics_, Replica::Listeners{
                   .publish =
                       [this, post](SequenceNumber sequence, std::vector<cluster::Effect> effects, EndedIds ended) {
                           if (effects.empty() && ended.empty())
                               return;
                           post([this, sequence, effects = std::move(effects), ended = std::move(ended)]() mutable {
                               front_->publish(sequence, std::move(effects), ended);
                           });
                       },
                   .history = [this](EndedJobs ended) { history_->push(std::move(ended)); },
                   .feed = [this](FeedItem item) { feed_->push(std::move(item)); },
                   .snapshot_due = [this](std::size_t since, std::size_t jobs) { return snapshots_->due(since, jobs); },
                   .snapshot = [this](cluster::StoredState copy) { snapshots_->push(std::move(copy)); }});
    const auto reject = [this, post](cluster::Token token, const Error& error) {
        post([this, token, error] { front_->reject(token, error); });
    };
    journal_ = std::make_unique<JournalThread>(
        *store_, blobs_, *replica_, metrics_, state.sequence,
        JournalThread::Listeners{
            .reject =
                [reject](std::vector<cluster::Effect> effects, const Error& error) {
                    for (const auto& effect : effects)
                        if (const auto* reply = std::get_if<cluster::Reply>(&effect))
                            reject(reply->token, error);
                },
            .restart_owner = [this](cluster::State restarted, Generation generation) { owner_->restart(std::move(restarted), generation); },
            .failed = [this](Error error) { owner_->fail(std::move(error)); }});
    owner_ = std::make_unique<OwnerThread>(*store_, *journal_, std::move(state), ElapsedTime(clock.offset), reject);
}

// The first commands: a new cluster's creation, the new epoch, the configuration. Nobody is let in before they are durable.
Result<void> Controller::begin(cluster::Uuid uuid, Epoch last_epoch, const cluster::BootClock& clock)
{
    if (uuid == cluster::Uuid{}) {
        auto fresh = credentials_ ? Result<cluster::Uuid>(credentials_->context()->identity().cluster) : pki::random_uuid();
        if (!fresh)
            return std::unexpected(fresh.error());
        uuid = *fresh;
        (void)owner_->push(cluster::CreateCluster{uuid, config_->cluster.name});
    }
    (void)owner_->push(cluster::StartController{wall_now(), clock});
    front_->set_identity(uuid, Epoch{last_epoch.value + 1});
    cluster::Command configure = cluster::Configure{core_settings(*config_, policy_->queue_order())};
    auto answer = asio::co_spawn(loop_, front_->decide(std::move(configure)), asio::use_future);
    while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
        loop_.run_one_for(std::chrono::milliseconds(100));
    loop_.restart();
    auto configured = answer.get();
    if (!configured.body)
        return std::unexpected(configured.body.error());
    // An append that failed may have taken the first two along before the third was decided.
    std::promise<Epoch> epoch;
    auto now = epoch.get_future();
    if (!replica_->ask([&epoch](const Replica& replica) { epoch.set_value(replica.state().epoch); }) || now.get().value != last_epoch.value + 1)
        return fail(Errc::unavailable, "the storage failed while the controller started; start it again");
    return {};
}

Result<void> Controller::start()
{
    // Roles are looked up first: a group that does not exist is better found before anything is touched.
    auto roles = Roles::from(config_->security);
    if (!roles)
        return std::unexpected(roles.error());
    if (auto made = daemon::make_private_folder(config_->controller.state_dir); !made)
        return made;
    auto credentials = load_credentials(*config_);
    if (!credentials)
        return std::unexpected(credentials.error());
    credentials_ = std::move(*credentials);
    if (auto loaded = load_plugins(); !loaded)
        return loaded;
    if (auto opened = store_->open(plugin::StorageMode::read_write); !opened)
        return opened;
    auto recovered = recover();
    if (!recovered)
        return std::unexpected(recovered.error());
    if (auto checked = check_cluster_name(recovered->state, *config_); !checked)
        return checked;
    if (auto checked = check_cluster_uuid(recovered->state, *config_, credentials_.get()); !checked)
        return checked;
    auto boot_id = daemon::read_boot_id();
    if (!boot_id)
        return std::unexpected(boot_id.error());
    const auto clock = ElapsedTime::resume(recovered->state, *boot_id);
    const auto uuid = recovered->state.uuid;
    const auto epoch = recovered->state.epoch;
    make_threads(std::move(recovered->state), clock, recovered->events);
    front_ = std::make_unique<Front>(loop_.get_executor(),
                                     Front::Parts{*store_, blobs_, *replica_, *owner_, *snapshots_, *history_, *auth_, *policy_, accounts_, metrics_, *feed_, pool_, history_pool_,
                                                  [this] { request_stop(); }, credentials_},
                                     config_, std::move(*roles));
    history_->start();
    snapshots_->start();
    replica_->start();
    journal_->start();
    owner_->start();
    if (auto begun = begin(uuid, epoch, clock); !begun)
        return begun;
    auto listener = wire::UnixListener::open(loop_.get_executor(), {.path = config_->controller.socket, .mode = 0666});
    if (!listener)
        return std::unexpected(listener.error());
    listener_ = std::move(*listener);
    metrics_server_ = std::make_unique<daemon::MetricsServer>(loop_.get_executor(), metrics_.registry());
    if (auto opened = metrics_server_->open({.socket = config::controller_metrics_socket(*config_),
                                             .socket_asked = !config_->controller.metrics_socket.empty(),
                                             .listen = config_->controller.metrics_listen,
                                             .default_port = config::default_controller_metrics_port}); !opened)
        return opened;
    if (!credentials_)
        return {};
    auto tls = TlsFront::open(loop_.get_executor(), *config_, credentials_, [this](wire::ChannelPtr channel) { front_->accept(std::move(channel)); });
    if (!tls)
        return std::unexpected(tls.error());
    tls_ = std::move(*tls);
    return {};
}

asio::awaitable<void> Controller::accept_loop()
{
    // Room for a frame of the largest size behind another one.
    constexpr std::size_t queued_frames = 2;
    const auto frame = static_cast<std::size_t>(config_->limits.message_size.bytes);
    while (listener_->is_open()) {
        const wire::ChannelOptions channel_options{.max_queued = std::max(wire::ChannelOptions{}.max_queued, queued_frames * frame)};
        auto channel = co_await listener_->accept(loop_.get_executor(), channel_options);
        if (channel)
            front_->accept(std::move(*channel));
        else if (listener_->is_open())
            daemon::log().warn("{}: {}", listener_->path(), channel.error().message);
    }
}

// A node that went away while the storage failed: nobody could note it then.
asio::awaitable<void> Controller::watch_nodes()
{
    for (;;) {
        const bool waited = co_await daemon::sleep_for(front_->settings()->heartbeat);
        if (!waited)
            co_return;
        co_await front_->nodes().report_absent();
    }
}

asio::awaitable<void> Controller::reload()
{
    daemon::reopen_log();
    (void)daemon::notify_reloading();
    auto text = co_await reload_configuration(*front_);
    if (text)
        daemon::log().info("configuration: {}", *text);
    else
        daemon::log().error("configuration: {}", text.error().message);
    (void)daemon::notify_ready("serving");
}

void Controller::request_stop()
{
    if (std::exchange(stopping_, true))
        return;
    (void)daemon::notify_stopping("stopping; running jobs go on");
    tasks_->spawn("stop", wind_down());
}

// What was asked is answered, what was decided is stored; then the connections end.
asio::awaitable<void> Controller::wind_down()
{
    listener_->close();
    if (tls_)
        tls_->close();
    cluster::Command barrier = cluster::ReleaseJobs{}; // everything before it is answered
    (void)co_await front_->decide(std::move(barrier));
    reloads_->cancel();
    co_await reloads_->wait();
    if (tls_)
        co_await tls_->stop();
    co_await front_->stop();
    co_await metrics_server_->stop();
    loop_.stop();
}

void Controller::run()
{
    tasks_ = std::make_unique<daemon::TaskGroup>(loop_.get_executor(), "controller");
    reloads_ = std::make_unique<daemon::TaskGroup>(loop_.get_executor(), "reloads");
    daemon::Signals signals(
        loop_.get_executor(),
        [this](int signal) {
            daemon::log().info("signal {}: stopping; running jobs go on", signal);
            request_stop();
        },
        [this] { reloads_->spawn("reload", reload()); });
    tasks_->spawn("accept", accept_loop());
    tasks_->spawn("nodes", watch_nodes());
    if (tls_)
        tls_->start();
    daemon::log().info("jctld {} of cluster {} (UUID {}) listens on {}{}{}", version, config_->cluster.name, pki::to_string(front_->uuid()),
                       listener_->path(), tls_ ? " and, for nodes, " : "", tls_ ? tls_->addresses() : "");
    (void)daemon::notify_ready("serving");
    loop_.run();
    signals.close();
    stop_threads();
}

// In the order of the work, so that what one hands on the next one takes. Also after a start that failed.
void Controller::stop_threads()
{
    if (owner_)
        owner_->stop();
    if (journal_)
        journal_->stop();
    if (replica_)
        replica_->stop();
    if (snapshots_)
        snapshots_->stop();
    if (history_)
        history_->stop();
    pool_.join();
    history_pool_.join();
}

} // namespace

int run_controller(std::shared_ptr<const config::Config> config, const daemon::CommonOptions&)
{
    daemon::ignore_sigpipe();
    daemon::allow_many_files();
    Controller controller(std::move(config));
    if (auto started = controller.start(); !started) {
        daemon::log().error("cannot start: {}", started.error().message);
        return 1;
    }
    controller.run();
    return 0;
}

int check_state(const config::Config& config)
{
    auto store = load_store(config);
    if (store)
        if (auto opened = (*store)->open(plugin::StorageMode::read_only); !opened)
            store = std::unexpected(opened.error());
    if (!store) {
        std::cerr << "jctld: " << store.error().message << "\n";
        return 1;
    }
    auto recovered = recover_state(**store);
    if (!recovered) {
        std::cerr << "jctld: " << config.controller.state_dir << ": " << recovered.error().message << "\n";
        return 1;
    }
    const auto& state = recovered->state;
    std::cout << fmt::format("{}: cluster {}, group {}, epoch {}: {} jobs, of which {} pending or running; snapshot {} and {} groups after it\n",
                             config.controller.state_dir, state.name, state.sequence, state.epoch, state.jobs.size(),
                             state.index.active_jobs, recovered->snapshot, recovered->groups);
    return 0;
}

Result<void> check_plugins(const config::Config& config)
{
    if (auto credentials = load_credentials(config); !credentials)
        return std::unexpected(credentials.error());
    if (auto store = load_store(config); !store)
        return std::unexpected(store.error());
    if (auto auth = plugin::Auth::open(plugin_source(config, "auth", config.controller.auth)); !auth)
        return std::unexpected(auth.error());
    if (auto policy = plugin::Policy::open(plugin_source(config, "policy", config.controller.policy)); !policy)
        return std::unexpected(policy.error());
    return {};
}

} // namespace jarvis::jctld
