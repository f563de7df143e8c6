#include "node_daemon.hpp"

#include "daemon/log.hpp"
#include "daemon/notify.hpp"
#include "limits.hpp"
#include "wire/clocks.hpp"
#include "wire/job_id.hpp"

#include <csignal>

#include <sys/stat.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

using daemon::log;

// The clock of the core: it goes on while the machine is suspended, and a restart of this daemon does not set it back.
Instant now() { return Instant(Duration(boottime_us())); }

// Network cards that were only discovered are there for all: MPI opens them in every job, whether it asked for one or not.
node::DeviceSettings device_settings(const config::NodeDaemon& daemon, const config::Node& node)
{
    constexpr std::string_view for_all = "nic";
    node::DeviceSettings settings{.strict = daemon.devices == "strict"};
    if (std::ranges::find(node.devices, for_all, &config::StatedDevice::name) == node.devices.end())
        settings.shared.emplace_back(for_all);
    return settings;
}

node::LaunchSettings launch_settings(const Setup& setup)
{
    const auto& config = setup.config.jnoded;
    node::LaunchSettings settings;
    settings.facts = {.node_name = setup.node_name,
                      .configuration = setup.config.file,
                      .own_folders = setup.own_folders,
                      .step_socket = setup.folder.step_socket()};
    settings.runtime = config.runtime;
    settings.bound = setup.bound;
    settings.jobs_folder = setup.folder.jobs_path();
    settings.temporary_root = config.tmp_dir;
    settings.limits = config.limits;
    settings.confinement.max_processes = config.max_processes;
    settings.devices = device_settings(setup.config.jnoded, setup.node);
    settings.ceilings = limit_ceilings();
    return settings;
}

Registration registration(const Setup& setup)
{
    Registration registration{
        .name = setup.node_name, .boot_id = setup.boot_id, .topology = setup.topology, .notes = setup.notes};
    // The run-time folder is one daemon's alone, and made anew after each boot.
    struct stat folder {};
    if (::stat(setup.folder.path().c_str(), &folder) == 0)
        registration.instance = fmt::format("{} {}:{}", setup.boot_id, folder.st_dev, folder.st_ino);
    if (setup.folder.on_disk())
        registration.notes.push_back(fmt::format("run-time folder is on disk: {}", setup.folder.path()));
    return registration;
}

node::AdmissionRules admission_rules(const config::Config& config)
{
    node::AdmissionRules rules{.allow_root_jobs = config.security.allow_root_jobs};
    if (::geteuid() != 0 || config.security.personal)
        rules.only_uid = ::geteuid();
    return rules;
}

ControllerLinkOptions link_options(const Setup& setup)
{
    return {.socket = setup.config.controller.socket,
            .addresses = setup.addresses,
            .credentials = setup.credentials,
            .cluster_name = setup.config.cluster.name,
            .node_name = setup.node_name,
            .max_frame = static_cast<std::size_t>(setup.config.limits.message_size.bytes)};
}

} // namespace

NodeDaemon::NodeDaemon(asio::io_context& io, Setup setup)
    : io_(io), setup_(std::move(setup)), launch_settings_(launch_settings(setup_)), registration_(registration(setup_)),
      wake_(io), known_(setup_.topology), launcher_(setup_.launcher, launcher_events()), controller_(link_options(setup_), controller_events()),
      users_(io, setup_.node_name), peers_(io.get_executor(), setup_.config, setup_.credentials), steps_(io, step_surroundings()),
      tasks_(io.get_executor(), "jnoded")
{
    core_.rules = admission_rules(setup_.config);
}

// ---- The core and its clock

// An effect may make an input at once (an order that cannot be written): it waits until the step is done.
void NodeDaemon::feed(node::Input input)
{
    inputs_.push_back(std::move(input));
    if (stepping_)
        return;
    stepping_ = true;
    while (!inputs_.empty()) {
        auto next = std::move(inputs_.front());
        inputs_.pop_front();
        step(std::move(next));
    }
    stepping_ = false;
    metrics_.count(core_);
    arm_wake();
}

void NodeDaemon::step(node::Input input)
{
    metrics_.note(input);
    note_end(input);
    auto outcome = node::step(core_, std::move(input), now());
    for (auto& effect : outcome.effects)
        std::visit([this](auto& e) { execute(e); }, effect);
}

// A timer that fires too early does no harm, so it is set again only when it would fire too late.
void NodeDaemon::arm_wake()
{
    const auto wake = node::next_wake(core_);
    if (!wake || (armed_ && *armed_ <= *wake))
        return;
    armed_ = wake;
    wake_.expires_after(std::max(*wake - now(), Duration::zero()));
    wake_.async_wait([this](const boost::system::error_code& error) {
        if (error)
            return;
        armed_.reset();
        feed(node::TimePassed{});
    });
}

// ---- Effects

void NodeDaemon::execute(node::Launch& launch)
{
    const auto key = launch.order.key;
    metrics_.starts.add();
    const auto refuse = [&](const Error& error) {
        log().error({{"job", key.job}}, "cannot launch: {}", error.message);
        node::ExitFacts facts;
        facts.launch_error = error.message;
        facts.launch_fault = node::LaunchFault::system;
        facts.stop_reached = false;
        feed(node::JobEnded{key, facts});
    };
    keep_tree(launcher_.is_connected());
    const auto plan = node::plan_launch(launch.order, launch_settings_, setup_.topology);
    if (!plan)
        return refuse(plan.error());
    auto order = order_from(*plan, launch, setup_.boot_id);
    if (plan->role == node::Role::member)
        order.set_agent(setup_.agent);
    if (auto written = setup_.folder.write_order(key, order, launch.order.script); !written)
        return refuse(written.error());
    log().debug({{"job", key.job}}, "starting, incarnation {}", key.incarnation);
    auto& job = jobs_[key];
    job = Tracked{.cgroup = plan->cgroup};
    job.order = std::move(order);
    job.member = plan->role == node::Role::member;
    send_order(job);
    if (job.member)
        tasks_.spawn("await prepared", await_prepared(key));
}

void NodeDaemon::execute(node::RecordStop& stop)
{
    log().info({{"job", stop.key.job}}, "stopping: {}", stop.stop.cause);
    if (auto written = setup_.folder.write_stop(stop.key, record_from(stop.stop)); !written)
        log().warn({{"job", stop.key.job}}, "a restart of this daemon will not know of the stop: {}",
                   written.error().message);
}

void NodeDaemon::execute(node::SignalJob& signal)
{
    auto* job = living(signal.key);
    if (!job)
        return;
    const auto known = core_.jobs.find(signal.key);
    const bool stopping = known != core_.jobs.end() && known->second.phase == node::Phase::stopping &&
                          signal.target == node::SignalTarget::everything;
    if (stopping && !job->sent) {
        job->ended = true;
        node::ExitFacts facts;
        facts.launch_error = "stopped before it was launched";
        facts.launch_fault = node::LaunchFault::system;
        return feed(node::JobEnded{signal.key, facts});
    }
    const bool reached = deliver(signal, *job);
    log().debug({{"job", signal.key.job}}, "signal {}{}", signal.signal, reached ? "" : ", which found nobody");
    job->stop_reached = job->stop_reached || (stopping && reached);
    if (!stopping || reached || job->repeating || signal.signal != SIGTERM)
        return;
    job->repeating = true;
    tasks_.spawn("repeat stop", repeat_stop(signal));
}

void NodeDaemon::execute(node::FinishMember& finish)
{
    auto* job = living(finish.key);
    if (job && !std::exchange(job->finishing, true))
        tasks_.spawn("finish member", finish_member(finish.key));
}

void NodeDaemon::execute(node::RemoveRecord& record)
{
    if (steps_.forget(record.key))
        setup_.folder.remove(record.key);
    jobs_.erase(record.key);
}

void NodeDaemon::execute(node::Send& send)
{
    metrics_.to_controller.add();
    controller_.send(message_from(send, registration_));
}

void NodeDaemon::execute(node::CloseConnection& close) { controller_.refuse(close.reason); }

// ---- Connections

// A start that the controller did not sign does not run: the job ends with that reason.
void NodeDaemon::distrust(node::Input& input, const Error& why)
{
    auto* order = std::get_if<node::FromController>(&input);
    auto* start = order ? std::get_if<node::StartOrder>(&order->order) : nullptr;
    if (!start)
        return;
    log().error({{"job", start->key.job}}, "a start is refused: {}", why.message);
    start->defect = fmt::format("the node does not trust the start: {}", why.message);
}

ControllerEvents NodeDaemon::controller_events()
{
    return {.greeted =
                [this](node::Greeted greeted) {
                    metrics_.connections.add();
                    metrics_.connected.set(1);
                    if (greeted.cluster != tree_cluster_ && core_.jobs.empty())
                        serve_cluster(greeted.cluster);
                    // A node that can start nothing does not register.
                    if (launcher_.is_connected())
                        feed(std::move(greeted));
                    else
                        early_greeting_ = std::move(greeted);
                },
            .message =
                [this](const wire::ToNode& message) {
                    metrics_.from_controller.add();
                    if (message.has_relay())
                        return users_.take(message.relay());
                    if (message.has_ack_steps())
                        return steps_.acknowledged(message.ack_steps());
                    if (message.has_ask())
                        return take_question(message.ask());
                    auto input = input_from(message);
                    if (!input)
                        return log().error("controller: dropped a message that makes no sense: {}", input.error().message);
                    if (message.has_start() && message.start().cluster_uuid() != core_.cluster)
                        return log().error({{"job", wire::job_id_in(message.start())}}, "dropped a start of another cluster");
                    if (message.has_start())
                        if (auto good = controller_.check_start(message.start(), Epoch{message.epoch()}); !good)
                            distrust(*input, good.error());
                    feed(std::move(*input));
                    if (message.has_welcome() && core_.link == node::Link::welcomed && controller_.channel())
                        users_.connected(controller_.channel());
                },
            .disconnected =
                [this] {
                    metrics_.connected.set(0);
                    users_.disconnected();
                    early_greeting_.reset();
                    feed(node::Disconnected{});
                }};
}

LauncherEvents NodeDaemon::launcher_events()
{
    return {.connected = [this](pid_t pid) {
                keep_tree(true);
                if (tree_ && !tree_in_service_ && pid > 0)
                    if (auto moved = tree_->add_shepherd(pid); !moved)
                        log().warn("the launcher stays outside of our cgroup tree: {}", moved.error().message);
            },
            .listed = [this](const wire::ShepherdList& list) { on_list(list); },
            .launched = [this](const wire::Launched& launched) { on_launched(launched); },
            .gone = [this](const wire::ShepherdGone& gone) { on_gone(gone); },
            .lost = [] {}, // shepherds live on; the list of the next launcher shows which are not its own
            // Beside jobs its service manager cannot start it again: see the unit.
            .comes_back = [this] { return tree_in_service_ && core_.jobs.empty(); },
            // In a service, too, whose own launcher has ended: below our unit a launcher and its shepherds would end with us.
            .entrance = [this]() -> Result<Fd> {
                keep_tree(true);
                return tree_ ? tree_->open_shepherds_procs() : Result<Fd>(Fd());
            }};
}

void NodeDaemon::dial_controller()
{
    if (std::exchange(dialling_, true))
        return;
    tasks_.spawn("controller", controller_.run());
    if (setup_.credentials)
        tasks_.spawn("certificate", wire::TlsCredentials::watch(setup_.credentials, [](const wire::TlsCredentials::Note& note) {
            if (note.warning)
                log().warn("{}", note.text);
            else
                log().info("{}", note.text);
        }));
}

void NodeDaemon::run_launcher()
{
    if (!std::exchange(launcher_runs_, true))
        tasks_.spawn("launcher", launcher_.run());
}

// A node whose users cannot be served runs jobs all the same, and says so.
void NodeDaemon::serve_users()
{
    const auto path = config::user_socket(setup_.config);
    if (path.empty())
        return;
    (void)::mkdir(path.substr(0, path.rfind('/')).c_str(), 0755); // without a controller nobody else makes /run/jarvis
    if (auto listening = users_.listen(path); !listening) {
        log().warn("users of this node are not served: {}", listening.error().message);
        registration_.notes.push_back(fmt::format("users are not served here: {}", listening.error().message));
    }
}

// ---- Life

// A node that knows its cluster takes up its jobs first and then dials; one that does not has no jobs, and learns the
// cluster's UUID, which its cgroup tree is named after, from the controller's Hello.
void NodeDaemon::start()
{
    serve_users();
    if (setup_.config.jnoded.recheck > Duration::zero() && !setup_.config.jnoded.login)
        tasks_.spawn("watch machine", watch_machine());
    auto cluster = setup_.folder.read_cluster();
    if (cluster.empty())
        if (const auto records = setup_.folder.read_jobs(); !records.empty())
            cluster = records.front().order.cluster_uuid();
    if (cluster.empty()) {
        recovered_ = true;
        serve_steps();
        dial_controller();
        return;
    }
    prepare_tree(cluster);
    run_launcher();
}

void NodeDaemon::reload()
{
    daemon::reopen_log();
    if (launcher_.pid() > 0 && !tree_in_service_)
        ::kill(launcher_.pid(), SIGHUP); // it logs to the same file
    log().info("log opened anew");
}

void NodeDaemon::stop()
{
    (void)daemon::notify_stopping("stopping; jobs go on");
    log().info("stopping; {} jobs go on", core_.jobs.size());
    users_.stop();
    peers_.stop();
    steps_.stop();
    tasks_.cancel();
    wake_.cancel();
    if (recovered_ && core_.jobs.empty())
        end_launcher_and_tree();
}

} // namespace jarvis::noded
