// The part of NodeDaemon that deals with a job's launch, its processes and its records.
#include "node_daemon.hpp"

#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "daemon/off_loop.hpp"
#include "processes.hpp"
#include "wire/job_id.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <csignal>

namespace jarvis::noded {
namespace {

using namespace std::chrono_literals;
using daemon::log;

// How often everything below a shepherd is looked for while it is killed: each look finds what was forked since the last.
constexpr int kill_rounds = 20;

node::JobKey key_of(const auto& message) { return {wire::job_id_in(message), Incarnation{message.incarnation()}}; }

} // namespace

NodeDaemon::Tracked* NodeDaemon::living(const node::JobKey& key)
{
    const auto found = jobs_.find(key);
    return found == jobs_.end() || found->second.ended ? nullptr : &found->second;
}

// ---- The launcher

void NodeDaemon::send_order(Tracked& job)
{
    if (job.order)
        job.sent = launcher_.launch(*job.order);
}

void NodeDaemon::on_launched(const wire::Launched& launched)
{
    const auto key = key_of(launched);
    auto* job = living(key);
    if (!job)
        return;
    job->order.reset();
    if (launched.error().empty())
        return;
    // An order that went out twice, around a launcher's end, is refused the second time: the first shepherd counts.
    if (setup_.folder.has_exit(key) || setup_.folder.living_shepherd(key))
        return start_following(key, *job);
    log().error({{"job", key.job}}, "cannot launch: {}", launched.error());
    node::ExitFacts facts;
    facts.launch_error = launched.error();
    facts.launch_fault = node::LaunchFault::system;
    facts.stop_reached = job->stop_reached;
    job->ended = true;
    feed(node::JobEnded{key, facts});
}

void NodeDaemon::on_gone(const wire::ShepherdGone& gone) { finish(key_of(gone)); }

// A list begins every connection. Shepherds of an earlier launcher are not in it; they are followed one by one.
void NodeDaemon::on_list(const wire::ShepherdList& list)
{
    std::set<node::JobKey> shepherds;
    for (const auto& shepherd : list.shepherds())
        shepherds.insert(key_of(shepherd));
    if (!std::exchange(swept_, true))
        tasks_.spawn("sweep temporary folders", sweep_temporary_folders());
    if (!std::exchange(recovered_, true)) {
        recover(shepherds);
        tasks_.spawn("clean and dial", clean_and_dial());
        return;
    }
    for (auto& [key, job] : jobs_) {
        if (job.ended || shepherds.contains(key))
            continue;
        if (job.order) // not launched yet, as far as we know; should a shepherd have it, another one leaves it alone
            send_order(job);
        else if (job.sent)
            start_following(key, job);
    }
    if (early_greeting_)
        feed(*std::exchange(early_greeting_, std::nullopt));
}

// ---- Recovery

// One job of the run-time folder. An order that no shepherd ever took is launched now.
node::RecoveredJob NodeDaemon::take_up(const RunFolder::Record& record, node::RecoveredJob job,
                                       const std::set<node::JobKey>& shepherds)
{
    using As = node::RecoveredJob::As;
    const auto& key = record.key;
    auto& tracked = jobs_[key];
    tracked.cgroup = record.order.cgroup();
    tracked.sent = true;
    tracked.stop_reached = record.stop.has_value();
    tracked.member = record.order.member();
    job.prepared = tracked.member && setup_.folder.is_prepared(key);
    if (record.stop) {
        if (auto stop = stop_from(*record.stop))
            job.stop = std::move(*stop);
        else
            log().warn({{"job", key.job}}, "the note of its stop: {}", stop.error().message);
    }
    if (record.suspension) {
        if (auto suspensions = suspensions_from(*record.suspension))
            job.suspensions = *suspensions;
        else
            log().warn({{"job", key.job}}, "the note of its suspension: {}", suspensions.error().message);
    }
    // Read once more: the shepherd may have ended since.
    const auto exit = record.exit ? record.exit : setup_.folder.read_exit(key).value_or(std::nullopt);
    if (exit) {
        tracked.ended = true;
        job.as = As::ended;
        auto facts = facts_from(*exit);
        job.facts = facts ? std::move(*facts) : node::ExitFacts{.launch_error = facts.error().message, .launch_fault = node::LaunchFault::system};
    } else if (record.order.boot_id() != setup_.boot_id) {
        tracked.ended = true;
        job.as = As::rebooted;
    } else if (shepherds.contains(key)) {
        job.as = As::running;
    } else if (setup_.folder.living_shepherd(key)) {
        job.as = As::running;
        start_following(key, tracked);
    } else if (!setup_.folder.was_taken(key)) {
        job.as = As::running;
        tracked.order = record.order;
        send_order(tracked);
    } else {
        job.as = As::shepherd_died;
    }
    if (job.as == As::running)
        look_at_devices(key, tracked);
    return job;
}

void NodeDaemon::recover(const std::set<node::JobKey>& shepherds)
{
    node::Recovered recovered{.cluster = tree_cluster_};
    for (const auto& record : setup_.folder.read_jobs()) {
        auto job = recovered_from(record.order);
        if (!job || job->key != record.key || record.order.cluster_uuid() != tree_cluster_) {
            log().error({{"job", record.key.job}}, "cannot take up its order: {}",
                        job ? "it is of another job or cluster" : job.error().message);
            continue;
        }
        recovered.epoch = std::max(recovered.epoch, Epoch{record.order.epoch()});
        recovered.jobs.push_back(take_up(record, std::move(*job), shepherds));
    }
    if (!recovered.jobs.empty())
        log().info("took up {} jobs from {}", recovered.jobs.size(), setup_.folder.path());
    feed(std::move(recovered));
    for (auto& [key, job] : jobs_) {
        const auto known = core_.jobs.find(key);
        if (known == core_.jobs.end() || known->second.phase == node::Phase::ended)
            job.ended = true;
        else if (job.member && !known->second.prepared)
            tasks_.spawn("await prepared", await_prepared(key));
    }
    take_up_steps();
}

// ---- Ends

void NodeDaemon::finish(const node::JobKey& key)
{
    auto* job = living(key);
    if (!job)
        return;
    auto record = setup_.folder.read_exit(key);
    if (!record)
        log().error({{"job", key.job}}, "exit record: {}", record.error().message);
    if (!record || !*record) {
        if (setup_.folder.living_shepherd(key)) // whoever is gone was not the one that has the job
            return start_following(key, *job);
        if (!std::exchange(job->lost, true))
            tasks_.spawn("lose job", lose(key));
        return;
    }
    auto facts = facts_from(**record);
    if (!facts)
        facts = node::ExitFacts{.launch_error = facts.error().message, .launch_fault = node::LaunchFault::system};
    facts->stop_reached = job->stop_reached;
    facts->unfit = job->unfit;
    job->ended = true;
    job->order.reset();
    if (const auto& notes = (**record).notes(); !notes.empty())
        log().info({{"job", key.job}}, "{}", notes);
    log().debug({{"job", key.job}}, "ended");
    feed(node::JobEnded{key, std::move(*facts)});
}

void NodeDaemon::start_following(const node::JobKey& key, Tracked& job)
{
    job.order.reset();
    if (!std::exchange(job.followed, true))
        tasks_.spawn("follow job", follow(key));
}

// Until the shepherd's process ends, whoever its launcher was.
asio::awaitable<void> NodeDaemon::follow(node::JobKey key)
{
    while (living(key)) {
        const auto shepherd = setup_.folder.living_shepherd(key);
        Fd process = shepherd ? open_process(shepherd->pid) : Fd();
        if (!process || !setup_.folder.living_shepherd(key))
            break;
        asio::posix::stream_descriptor end(io_, process.release());
        co_await end.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    }
    if (auto* job = living(key)) {
        job->followed = false;
        finish(key);
    }
}

// ---- Signals

bool NodeDaemon::deliver(const node::SignalJob& signal, const Tracked& job)
{
    const auto shepherd = setup_.folder.living_shepherd(signal.key);
    if (signal.target == node::SignalTarget::batch) {
        const auto script = [&]() -> std::vector<pid_t> {
            const auto process = shepherd && shepherd->script > 0 ? read_process(shepherd->script) : std::nullopt;
            return process && process->parent == shepherd->pid ? std::vector{process->pid} : std::vector<pid_t>{};
        };
        return signal_members(script, signal.signal) > 0;
    }
    if (!job.cgroup.empty()) {
        if (signal.signal == SIGKILL)
            return cgroup_kill(job.cgroup);
        return signal_members([&] { return cgroup_processes(job.cgroup); }, signal.signal) > 0;
    }
    if (!shepherd)
        return false;
    const auto below = [&] { return descendants(shepherd->pid); };
    bool reached = signal_members(below, signal.signal) > 0;
    for (int round = 1; signal.signal == SIGKILL && reached && round < kill_rounds; ++round)
        if (signal_members(below, signal.signal) == 0)
            break;
    return reached;
}

// The shepherd has not started the script yet, or has seen its end and not written it down: the one gets its SIGTERM as
// soon as it is there, the other has ended by itself.
asio::awaitable<void> NodeDaemon::repeat_stop(node::SignalJob signal)
{
    for (auto pause = 20ms; living(signal.key); pause = std::min<std::chrono::milliseconds>(pause * 2, 1s)) {
        co_await daemon::sleep_for(pause);
        auto* job = living(signal.key);
        if (!job || !deliver(signal, *job))
            continue;
        job->stop_reached = true;
        signal.signal = SIGCONT;
        (void)deliver(signal, *job);
        co_return;
    }
}

// The shepherd says it by a file, so that it does not matter whether this daemon or the launcher were there to hear it.
asio::awaitable<void> NodeDaemon::await_prepared(node::JobKey key)
{
    for (auto pause = 1ms; living(key); pause = std::min<std::chrono::milliseconds>(pause * 2, 500ms)) {
        if (setup_.folder.is_prepared(key)) {
            feed(node::MemberPrepared{key});
            co_return;
        }
        co_await daemon::sleep_for(pause);
    }
}

// Until it has ended: it may not be there yet.
asio::awaitable<void> NodeDaemon::finish_member(node::JobKey key)
{
    for (auto pause = 10ms; living(key); pause = std::min<std::chrono::milliseconds>(pause * 2, 1s)) {
        if (const auto shepherd = setup_.folder.living_shepherd(key))
            if (const auto process = open_process(shepherd->pid); process && setup_.folder.living_shepherd(key))
                (void)send_signal(process, SIGUSR1);
        co_await daemon::sleep_for(pause);
    }
}

// The end is told when nothing of the job is left: its cores are given to another job then, or to its next incarnation,
// which has a cgroup of the same name.
asio::awaitable<void> NodeDaemon::lose(node::JobKey key)
{
    if (auto order = setup_.folder.read_order(key); order && *order)
        launcher_.clean(**order);
    // What waits for a device or a file system may come back after hours; until then its cores are not free.
    for (auto pause = 1s; living(key) && !co_await clean_cgroup(key.job); pause = std::min<std::chrono::seconds>(pause * 2, 10min))
        co_await daemon::sleep_for(pause);
    if (!living(key))
        co_return;
    feed(node::ShepherdDied{key}); // its signals find the job in `jobs_`
    if (auto* job = living(key))
        job->ended = true;
}

// Groups of jobs that are no more, after a crash of shepherd and daemon together. Before the controller can send a start.
asio::awaitable<void> NodeDaemon::clean_and_dial()
{
    for (const auto job : tree_ ? tree_->jobs() : std::vector<JobId>{}) {
        const bool alive = std::ranges::any_of(
            jobs_, [&](const auto& entry) { return entry.first.job == job && !entry.second.ended; });
        if (!alive)
            (void)co_await clean_cgroup(job); // what is stuck must not keep the node away; the next start of this daemon tries again
    }
    dial_controller();
}

// JARVIS_TMPDIR of jobs that are no more: of those that ran when the machine went down, above all. Each is removed as its
// owner, so a folder that somebody named like that is theirs to lose.
asio::awaitable<void> NodeDaemon::sweep_temporary_folders()
{
    const auto& root = launch_settings_.temporary_root;
    const auto prefix = node::temporary_folder_prefix(setup_.node_name);
    const auto left = co_await daemon::off_loop(pool_, [&] { return left_temporary_folders(root, prefix); });
    for (const auto& folder : left) {
        if (living(folder.key))
            continue;
        wire::LaunchOrder order;
        wire::put_job_id(folder.key.job, order);
        order.set_incarnation(folder.key.incarnation.value);
        order.set_runtime(setup_.config.jnoded.runtime);
        order.set_temporary_folder(folder.path);
        order.mutable_account()->set_uid(folder.uid);
        order.mutable_account()->set_gid(folder.gid);
        launcher_.clean(order);
    }
}

asio::awaitable<bool> NodeDaemon::clean_cgroup(JobId job)
{
    const auto tree = tree_; // another one may take its place meanwhile
    if (!tree)
        co_return true;
    const auto removed = co_await daemon::off_loop(pool_, [&] { return tree->remove_job(job); });
    if (!removed)
        log().warn({{"job", job}}, "{}", removed.error().message);
    co_return removed.has_value();
}

} // namespace jarvis::noded
