#include "sim_node.hpp"

#include <algorithm>
#include <csignal>

namespace jarvis::sim {

using namespace std::chrono_literals;

void Witness::started(const std::string& node, node::JobKey key, const CoreSet& cores, std::uint32_t node_count)
{
    if (const auto ready = 1 + prepared_[key].size(); ready != node_count)
        broken("the script of job {} starts on {}, and {} of its {} nodes are ready", key.job, node, ready, node_count);
    if (auto [other, is_new] = running_.emplace(key.job, key); !is_new)
        broken("job {} runs twice: incarnation {} starts on {} while {} runs", key.job, key.incarnation, node,
               other->second.incarnation);
    if (!started_.insert(key).second)
        broken("incarnation {} of job {} was started twice", key.incarnation, key.job);
    // A node that is set down by hand may have the order on its way: it starts, and the stop behind it kills it.
    if (over_.contains(key) && !condemned_.contains({node, key}))
        broken("incarnation {} of job {} starts on {}, and the journal says that it is over", key.incarnation, key.job, node);
    where_[key.job] = node;
    hold(node, key, cores);
}

void Witness::member_prepared(const std::string& node, node::JobKey key, const CoreSet& cores)
{
    prepared_[key].insert(node);
    hold(node, key, cores);
}

void Witness::hold(const std::string& node, node::JobKey key, const CoreSet& cores)
{
    for (const auto& [neighbour, held] : cores_[node]) {
        if (held.intersects(cores))
            broken("jobs {} and {} share cores on {}", neighbour.job, key.job, node);
        if (condemned_.contains({node, neighbour}) && !condemned_.contains({node, key}))
            broken("job {} starts on {}, where what was condemned still runs: {}.{}", key.job, node, neighbour.job, neighbour.incarnation);
    }
    cores_[node].emplace(key, cores);
}

void Witness::ended(const std::string& node, node::JobKey key, std::optional<int> wait_status)
{
    running_.erase(key.job);
    cores_[node].erase(key);
    if (wait_status)
        statuses_[key] = *wait_status;
}

void Witness::over(node::JobKey key, std::optional<int> exit_code)
{
    const auto found = running_.find(key.job);
    if (found != running_.end() && found->second == key && !condemned_.contains({where_.at(key.job), key}))
        broken("the journal says that incarnation {} of job {} is over, and it runs", key.incarnation, key.job);
    if (!over_.insert(key).second)
        broken("incarnation {} of job {} is over twice", key.incarnation, key.job);
    if (const auto status = statuses_.find(key); exit_code && (status == statuses_.end() || status->second != *exit_code << 8))
        broken("the journal says that incarnation {} of job {} exited with {}, and it did not", key.incarnation, key.job, *exit_code);
}

void Witness::steps_journaled(node::JobKey key, std::uint64_t first, const std::vector<StepEnd>& steps)
{
    auto& through = journaled_steps_[key];
    if (first != through + 1)
        broken("steps {} on of job {}.{} come into the journal after {}", first, key.job, key.incarnation, through);
    const auto& ended = steps_[key];
    for (const auto& step : steps)
        if (through >= ended.size() || ended[through++] != step.step)
            broken("step {} of job {}.{} is in the journal as number {}, and was not", step.step, key.job, key.incarnation, through);
}

SimNode::SimNode(World& world, Witness& witness, std::string name, Topology topology, Outside outside)
    : world_(world), witness_(witness), name_(std::move(name)), topology_(std::move(topology)), outside_(std::move(outside)),
      clock_rate_(1 + (static_cast<double>(world.below(1001)) - 500) * 1e-6)
{
}

cluster::Registration SimNode::registration() const
{
    return {.boot_id = boot_id(), .topology = topology_, .capabilities = Capabilities{}, .version = "sim", .notes = {}};
}

void SimNode::start_daemon()
{
    ++life_;
    daemon_.emplace();
    daemon_since_ = clock();
    world_.say("{}: daemon starts, {} records", name_, folder_.size());
    step(recovered());
    outside_.connect(*this);
}

void SimNode::kill_daemon()
{
    if (!daemon_)
        return;
    world_.say("{}: daemon is killed", name_);
    ++world_.count["fault: node daemon killed"];
    ++life_;
    daemon_.reset();
    outside_.hang_up(*this);
}

void SimNode::reboot()
{
    world_.say("{}: reboots with {} jobs", name_, processes_.size());
    ++world_.count["fault: node rebooted"];
    kill_daemon();
    for (const auto& [key, process] : processes_)
        if (process.member)
            witness_.member_ended(name_, key);
        else
            witness_.ended(name_, key, {});
    processes_.clear();
    // The run-time folder is mostly on a tmpfs, and sometimes on disk.
    if (world_.chance(0.7))
        folder_.clear();
    ++boots_;
}

void SimNode::jump_clock(Duration by)
{
    ++world_.count["fault: node clock jumped"];
    clock_shift_ += by;
    daemon_since_ = clock(); // whatever is due is late by no fault of the daemon
    if (daemon_)
        step(node::TimePassed{});
}

node::Recovered SimNode::recovered() const
{
    node::Recovered input;
    for (const auto& [key, record] : folder_) {
        using As = node::RecoveredJob::As;
        node::RecoveredJob job;
        job.key = key;
        job.as = record.exit                      ? As::ended
                 : record.boot_id != boot_id()    ? As::rebooted
                 : processes_.contains(key)       ? As::running
                                                  : As::shepherd_died;
        job.started = record.started;
        job.role = record.order.role;
        job.prepared = job.role == node::Role::member && processes_.contains(key);
        if (job.role == node::Role::script) {
            job.time_limit = record.order.request.time_limit;
            job.warning = record.order.request.warning;
        }
        job.stop = record.stop;
        job.suspensions = record.suspensions;
        if (record.exit)
            job.facts = *record.exit;
        input.cluster = record.cluster;
        input.epoch = std::max(input.epoch, record.epoch);
        input.jobs.push_back(std::move(job));
    }
    return input;
}

void SimNode::connected(std::uint64_t number, const std::string& cluster, Epoch epoch)
{
    connection = number;
    step(node::Greeted{cluster, epoch});
}

void SimNode::disconnected(std::uint64_t number)
{
    if (connection != number)
        return;
    connection = 0;
    if (!daemon_)
        return;
    step(node::Disconnected{});
    outside_.connect(*this);
}

void SimNode::receive(std::uint64_t number, node::Input message)
{
    if (daemon_ && connection == number)
        step(std::move(message));
}

void SimNode::step(node::Input input)
{
    auto outcome = node::step(*daemon_, std::move(input), clock());
    const auto life = life_;
    for (auto& effect : outcome.effects) {
        // The daemon can be killed between any two of them.
        if (world_.fault(0.0005)) {
            kill_daemon();
            world_.after(world_.between(100ms, 30s), [this] {
                if (!daemon_)
                    start_daemon();
            });
        }
        if (life != life_)
            return;
        carry_out(std::move(effect));
    }
    plan_wake();
}

void SimNode::plan_wake()
{
    const auto wake = daemon_ ? node::next_wake(*daemon_) : std::nullopt;
    if (!wake)
        return;
    const auto delay = Duration(static_cast<std::int64_t>(static_cast<double>(std::max(Duration{}, *wake - clock()).count()) / clock_rate_) + 1);
    world_.after(delay, [this, life = life_, number = ++wake_] {
        if (life == life_ && number == wake_ && daemon_)
            step(node::TimePassed{});
    });
}

void SimNode::carry_out(node::Effect effect)
{
    if (auto* launched = std::get_if<node::Launch>(&effect)) {
        launch(*launched);
    } else if (auto* stop = std::get_if<node::RecordStop>(&effect)) {
        if (auto found = folder_.find(stop->key); found != folder_.end()) {
            found->second.stop = stop->stop;
            found->second.stopped = clock();
        }
    } else if (auto* suspended = std::get_if<node::RecordSuspensions>(&effect)) {
        if (auto found = folder_.find(suspended->key); found != folder_.end())
            found->second.suspensions = suspended->suspensions;
    } else if (auto* frozen = std::get_if<node::Freeze>(&effect)) {
        freeze(*frozen);
    } else if (auto* sent = std::get_if<node::SignalJob>(&effect)) {
        signal(*sent);
    } else if (auto* finished = std::get_if<node::FinishMember>(&effect)) {
        finish_member(*finished);
    } else if (auto* removed = std::get_if<node::RemoveRecord>(&effect)) {
        folder_.erase(removed->key);
    } else if (auto* message = std::get_if<node::Send>(&effect)) {
        if (connection != 0)
            outside_.send(*this, connection, std::move(*message));
    } else {
        outside_.hang_up(*this);
    }
}

void SimNode::launch(const node::Launch& launch)
{
    const auto key = launch.order.key;
    folder_[key] = {.order = launch.order, .epoch = launch.epoch, .cluster = launch.cluster, .boot_id = boot_id(),
                    .started = launch.started, .stop = {}, .stopped = {}, .exit = {}};
    world_.after(world_.between(200us, 20ms), [this, key, boot = boots_] {
        if (boot == boots_ && folder_.contains(key))
            run_process(key);
    });
}

void SimNode::run_process(node::JobKey key)
{
    if (world_.chance(0.01)) {
        ++world_.count["job: launch error"];
        folder_[key].exit = node::ExitFacts{.wait_status = {}, .launch_error = "cannot open output file", .launch_fault = node::LaunchFault::user,
                                            .usage = {}, .stop_reached = false};
        if (daemon_)
            step(node::JobEnded{key, *folder_[key].exit});
        return;
    }
    if (folder_[key].order.role == node::Role::member)
        return run_member(key);
    const auto& cores = folder_[key].order.placement.cores;
    witness_.started(name_, key, cores, folder_[key].order.node_count);
    auto& process = processes_[key];
    process = {.cores = cores, .ignores_term = world_.chance(0.1), .life = ++process_lives_};
    ++world_.count["job: process started"];
    const auto kind = world_.below(10); // a third is so short that it is over while messages about it are still on the way
    const auto runs = kind < 3 ? world_.between(10ms, 20s) : kind < 5 ? world_.between(1s, 10min) : world_.between(1min, 5h);
    process.status = world_.chance(0.8) ? 0 : static_cast<int>(world_.below(256)) << 8;
    process.shepherd_dies = world_.fault(0.01);
    process.until = world_.now + runs;
    world_.say("{}: job {}.{} runs, for {} s at most", name_, key.job, key.incarnation, runs / 1s);
    plan_end(key);
    if (world_.chance(0.3))
        end_steps(key);
    freeze({key, folder_[key].suspensions.since.has_value()}); // an order to freeze is repeated until there is something
}

// Now and then some steps of the job end, until it does.
void SimNode::end_steps(node::JobKey key)
{
    world_.after(world_.between(1ms, 20min), [this, key, life = processes_.at(key).life] {
        const auto process = processes_.find(key);
        if (process == processes_.end() || process->second.life != life)
            return;
        auto& steps = folder_.at(key).steps;
        for (auto n = 1 + world_.below(4); n > 0; --n) {
            const auto number = static_cast<std::uint32_t>(steps.size());
            steps.push_back({.step = number, .name = "step", .node_list = name_, .exit_code = world_.chance(0.2) ? 1 : 0});
            witness_.step_ended(key, number);
        }
        ++world_.count["job: steps ended"];
        tell_steps(key);
        end_steps(key);
    });
}

// Again and again until the controller has them.
void SimNode::tell_steps(node::JobKey key)
{
    const auto found = folder_.find(key);
    if (found == folder_.end() || found->second.steps_acknowledged >= found->second.steps.size())
        return;
    const auto& [steps, through] = std::tie(found->second.steps, found->second.steps_acknowledged);
    if (daemon_ && connection != 0)
        outside_.steps(*this, connection, key, through + 1, {steps.begin() + static_cast<std::ptrdiff_t>(through), steps.end()});
    world_.after(30s, [this, key, boot = boots_] {
        if (boot == boots_)
            tell_steps(key);
    });
}

void SimNode::steps_acknowledged(node::JobKey key, std::uint64_t through)
{
    if (const auto found = folder_.find(key); daemon_ && found != folder_.end())
        found->second.steps_acknowledged = std::max(found->second.steps_acknowledged, through);
}

void SimNode::plan_end(node::JobKey key)
{
    const auto& planned = processes_.at(key);
    world_.after(planned.until - world_.now, [this, key, life = planned.life, until = planned.until] {
        const auto found = processes_.find(key);
        if (found == processes_.end() || found->second.life != life || found->second.frozen || found->second.until != until)
            return;
        const bool shepherd_dies = found->second.shepherd_dies;
        end_process(key, found->second.status, !shepherd_dies);
    });
}

void SimNode::freeze(const node::Freeze& order)
{
    const auto found = processes_.find(order.key);
    if (found == processes_.end() || found->second.member || found->second.frozen == order.frozen)
        return;
    auto& process = found->second;
    process.frozen = order.frozen;
    world_.say("{}: job {}.{} {}", name_, order.key.job, order.key.incarnation, order.frozen ? "stands still" : "goes on");
    if (order.frozen) {
        ++world_.count["job: stood still"];
        process.until -= world_.now;
    } else {
        process.until += world_.now;
        plan_end(order.key);
    }
}

void SimNode::run_member(node::JobKey key)
{
    const auto& cores = folder_[key].order.placement.cores;
    witness_.member_prepared(name_, key, cores);
    processes_[key] = {.cores = cores, .ignores_term = true, .life = ++process_lives_, .member = true};
    ++world_.count["job: member prepared"];
    world_.say("{}: job {}.{} is prepared", name_, key.job, key.incarnation);
    if (daemon_)
        step(node::MemberPrepared{key});
}

void SimNode::finish_member(const node::FinishMember& finish)
{
    const auto found = processes_.find(finish.key);
    if (found == processes_.end())
        return; // not there yet; the core says it again
    world_.after(world_.between(100us, 50ms), [this, key = finish.key, life = found->second.life] {
        if (auto process = processes_.find(key); process != processes_.end() && process->second.life == life)
            end_process(key, {}, true);
    });
}

// The last process of a job is gone. Without a record its shepherd died.
void SimNode::end_process(node::JobKey key, std::optional<int> wait_status, bool record)
{
    world_.say("{}: job {}.{} is gone{}", name_, key.job, key.incarnation, record ? "" : ", without a record");
    check_deadlines(key);
    if (processes_.at(key).member)
        witness_.member_ended(name_, key);
    else
        witness_.ended(name_, key, record ? wait_status : std::nullopt);
    processes_.erase(key);
    if (!record) {
        ++world_.count["fault: shepherd died"];
        if (daemon_)
            step(node::ShepherdDied{key});
        return;
    }
    auto& entry = folder_.at(key);
    entry.exit = node::ExitFacts{.wait_status = wait_status, .launch_error = {}, .launch_fault = node::LaunchFault::none,
                                 .usage = {.elapsed = clock() - entry.started, .cpu_user = {}, .cpu_system = {}, .memory_peak = {}},
                                 .stop_reached = entry.stop.has_value()};
    if (daemon_)
        step(node::JobEnded{key, *entry.exit});
}

// A daemon that is there ends a job at its time limit, and a job that it was told to end, with the grace and no later.
void SimNode::check_deadlines(node::JobKey key) const
{
    const auto found = folder_.find(key);
    if (!daemon_ || found == folder_.end())
        return;
    const auto& record = found->second;
    const auto latest = [&](Instant due) { return std::max(due, daemon_since_) + 30s + 10s; };
    if (const auto limit = record.order.request.time_limit;
        limit && record.order.role == node::Role::script && !record.suspensions.since && clock() > latest(record.started + *limit + record.suspensions.before))
        broken("incarnation {} of job {} outlived its time limit on {}", key.incarnation, key.job, name_);
    if (record.stopped && clock() > latest(*record.stopped))
        broken("incarnation {} of job {} on {} was told to end and went on", key.incarnation, key.job, name_);
}

void SimNode::signal(const node::SignalJob& sent)
{
    const auto found = processes_.find(sent.key);
    if (found == processes_.end() || found->second.member)
        return;
    // What stands still cannot act on its SIGTERM.
    const bool ends = sent.signal == SIGKILL || (sent.signal == SIGTERM && !found->second.ignores_term && !found->second.frozen);
    if (!ends)
        return;
    world_.after(world_.between(100us, 50ms), [this, key = sent.key, life = found->second.life, number = sent.signal] {
        if (auto process = processes_.find(key); process != processes_.end() && process->second.life == life)
            end_process(key, number, true);
    });
}

} // namespace jarvis::sim
