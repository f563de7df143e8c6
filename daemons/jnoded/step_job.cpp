#include "step_job.hpp"

#include "base/hostlist.hpp"
#include "daemon/log.hpp"
#include "node/job_environment.hpp"
#include "step_cgroup.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/job_id.hpp"
#include "wire/limits.hpp"

#include <algorithm>

#include <unistd.h>

namespace jarvis::noded {
namespace {

using daemon::log;

// Making their groups keeps the loop from other work for a third of a second.
constexpr std::uint32_t max_tasks = 8192;
// While no controller acknowledges them, so many ends of a job are kept: some MiB.
constexpr std::size_t max_ended = 16384;
constexpr int max_ends_in_message = 512;

node::StepHost host_of(const std::string& name, const wire::LaunchOrder& order, const Topology& topology)
{
    CoreSet cores;
    for (const auto core : order.cores())
        if (core < wire::limits::cores)
            cores.insert(core);
    node::StepHost host{name, {}};
    for (const auto& numa : topology.numa_nodes) {
        const auto near = cores - (cores - numa.cores);
        if (near.empty())
            continue;
        host.numa.push_back(near);
        cores -= near;
    }
    if (!cores.empty() || host.numa.empty())
        host.numa.push_back(cores);
    return host;
}

CoreSet cores_in(const wire::StepTask& task)
{
    CoreSet cores;
    for (const auto core : task.cores())
        if (core < wire::limits::cores)
            cores.insert(core);
    return cores;
}

Result<Distribution> distribution_from(std::uint32_t number)
{
    if (number > static_cast<std::uint32_t>(Distribution::plane))
        return fail(Errc::invalid, "distribution {} is unknown", number);
    return static_cast<Distribution>(number);
}

} // namespace

Result<node::StepWish> wish_from(const wire::StepRequest& request)
{
    const auto within = [](std::uint32_t value, std::uint32_t least, std::uint32_t most, std::string_view what) -> Result<void> {
        if (value < least || value > most)
            return fail(Errc::invalid, "{} {} are out of range: {} to {} are possible", value, what, least, most);
        return {};
    };
    for (const auto& good : {within(request.tasks(), 1, max_tasks, "tasks"),
                             within(request.cores_per_task(), 1, wire::limits::cpus_per_task, "cores for each task"),
                             within(request.nodes_min(), 0, wire::limits::nodes, "nodes"),
                             within(request.nodes_max(), request.nodes_min(), wire::limits::nodes, "nodes"),
                             within(static_cast<std::uint32_t>(request.nodes_size()), 0, wire::limits::nodes, "names of nodes"),
                             within(request.plane(), 0, wire::limits::tasks, "tasks in a plane"),
                             wire::check_text(request.name(), wire::limits::name, "the step's name")})
        if (!good)
            return std::unexpected(good.error());
    const auto over_nodes = distribution_from(request.over_nodes());
    const auto inside = distribution_from(request.inside());
    if (!over_nodes || !inside)
        return std::unexpected(over_nodes ? inside.error() : over_nodes.error());
    return node::StepWish{.tasks = request.tasks(),
                          .cores_per_task = request.cores_per_task(),
                          .nodes_min = request.nodes_min(),
                          .nodes_max = request.nodes_max(),
                          .tasks_per_node = request.tasks_per_node(),
                          .nodes = {request.nodes().begin(), request.nodes().end()},
                          .over_nodes = *over_nodes,
                          .inside = *inside,
                          .plane = std::max(request.plane(), 1u),
                          .immediate = request.sharing() == wire::StepRequest::IMMEDIATE,
                          .overlap = request.sharing() == wire::StepRequest::OVERLAP};
}

StepJob::StepJob(const node::JobKey& key, const wire::LaunchOrder& order, const Topology& topology, StepLog step_log)
    : key_(key), owner_(order.account().uid()), cgroup_(order.cgroup()), confined_(order.confined()),
      pus_(order.pus().begin(), order.pus().end()), numa_nodes_(order.numa_nodes().begin(), order.numa_nodes().end()),
      topology_(topology), log_(std::move(step_log))
{
    std::ranges::sort(pus_);
}

Result<StepJob> StepJob::open(const node::JobKey& key, const wire::LaunchOrder& order, const Topology& topology,
                              const std::string& node_name, const std::string& job_folder)
{
    std::vector<wire::StepRecord> records;
    auto log = StepLog::open(job_folder, [&](wire::StepRecord&& record) { records.push_back(std::move(record)); });
    if (!log)
        return std::unexpected(log.error());
    StepJob job(key, order, topology, std::move(*log));
    std::uint32_t next = 0;
    for (const auto& record : records)
        next = std::max(next, record.next_step());
    job.steps_ = node::JobSteps({host_of(node_name, order, topology)}, next);
    for (auto& record : records)
        job.take(std::move(record));
    return job;
}

void StepJob::take(wire::StepRecord&& record)
{
    if (record.has_started()) {
        const auto step = record.started().grant().step();
        node::PlacedTasks tasks;
        for (const auto& task : record.started().grant().tasks())
            tasks.push_back({.host = 0, .local = task.local(), .cores = cores_in(task)});
        steps_.restore(step, tasks, record.started().request().sharing() == wire::StepRequest::OVERLAP);
        running_[step].started = std::move(*record.mutable_started());
    } else if (record.has_processes()) {
        if (const auto found = running_.find(record.step()); found != running_.end())
            found->second.processes = record.processes();
    } else if (record.has_ended()) {
        const auto step = record.ended().end().step();
        running_.erase(step);
        (void)steps_.end(step); // nobody waits yet
        last_number_ = std::max(last_number_, record.ended().number());
        if (record.ended().number() > acknowledged_)
            ended_.push_back(std::move(*record.mutable_ended()));
    } else if (record.body_case() == wire::StepRecord::kAcknowledged) {
        acknowledged_ = record.acknowledged();
        last_number_ = std::max(last_number_, acknowledged_);
    }
}

std::vector<std::uint32_t> StepJob::near_memory(const std::vector<std::uint32_t>& pus) const
{
    std::vector<std::uint32_t> nodes;
    for (const auto& numa : topology_.numa_nodes) {
        bool near = false;
        numa.cores.for_each([&](std::uint32_t core) {
            if (core < topology_.cores.size())
                for (const auto pu : topology_.cores[core].pus)
                    near = near || std::ranges::binary_search(pus, pu);
        });
        if (near && (numa_nodes_.empty() || std::ranges::find(numa_nodes_, numa.os_index) != numa_nodes_.end()))
            nodes.push_back(numa.os_index);
    }
    return nodes;
}

// The hardware threads of the cores that the job may use, and the memory that goes with them.
void StepJob::bind(wire::StepTask& task, const CoreSet& cores, const wire::StepRequest& request) const
{
    if (pus_.empty())
        return;
    std::vector<std::uint32_t> pus;
    cores.for_each([&](std::uint32_t core) {
        if (core < topology_.cores.size())
            for (const auto pu : topology_.cores[core].pus)
                if (std::ranges::binary_search(pus_, pu))
                    pus.push_back(pu);
    });
    std::ranges::sort(pus);
    task.mutable_pus()->Add(pus.begin(), pus.end());
    std::vector<std::uint32_t> memory;
    if (request.memory_binding() == wire::StepRequest::LOCAL)
        memory = near_memory(pus);
    else if (request.memory_binding() == wire::StepRequest::INTERLEAVE)
        memory = numa_nodes_.empty() ? near_memory(pus_) : numa_nodes_;
    task.mutable_numa_nodes()->Add(memory.begin(), memory.end());
}

Result<wire::StepGrant> StepJob::begin(const node::GrantedStep& granted, const wire::StepRequest& request, pid_t pid,
                                       std::uint64_t start_time)
{
    wire::StepStarted started;
    auto& grant = *started.mutable_grant();
    grant.set_step(granted.step);
    grant.set_node_list(steps_.hosts().front().name);
    grant.add_tasks_per_node(static_cast<std::uint32_t>(granted.tasks.size()));
    CoreSet all;
    for (const auto& task : granted.tasks)
        all |= task.cores;
    std::vector<TaskGroup> groups;
    for (const auto& placed : granted.tasks) {
        auto& task = *grant.add_tasks();
        task.set_node(placed.host);
        task.set_local(placed.local);
        placed.cores.for_each([&](std::uint32_t core) { task.add_cores(core); });
        CoreSet bound = placed.cores;
        if (request.cpu_binding() == wire::StepRequest::STEP)
            bound = all;
        if (request.cpu_binding() == wire::StepRequest::NUMA)
            for (const auto& numa : steps_.hosts().front().numa)
                if (numa.intersects(placed.cores))
                    bound |= all - (all - numa);
        bind(task, bound, request);
        TaskGroup group{.rank = static_cast<std::uint32_t>(groups.size()), .cpus = {}, .mems = {}};
        if (confined_) {
            group.cpus = node::format_pus({task.pus().begin(), task.pus().end()});
            group.mems = node::format_pus({task.numa_nodes().begin(), task.numa_nodes().end()});
        }
        groups.push_back(std::move(group));
    }
    *started.mutable_request() = request;
    started.set_started_us(wall_now().time_since_epoch().count());
    started.set_started_boottime_us(boottime_us());
    started.set_pid(pid);
    started.set_start_time(start_time);
    if (!cgroup_.empty())
        grant.set_cgroup(fmt::format("{}/step_{}", cgroup_, granted.step));
    wire::StepRecord record;
    *record.mutable_started() = started;
    if (auto written = log_.append(record); !written)
        return std::unexpected(written.error());
    if (!cgroup_.empty())
        if (auto made = make_step_groups(cgroup_, granted.step, groups, owner_); !made) {
            wire::StepOver over;
            over.set_exit_code(1);
            over.set_cause(made.error().message);
            running_[granted.step].started = std::move(started);
            end(granted.step, over);
            return std::unexpected(made.error());
        }
    auto& running = running_[granted.step];
    running.started = std::move(started);
    running.ticket = granted.ticket;
    return running.started.grant();
}

void StepJob::note_processes(std::uint32_t step, const wire::StepProcesses& processes)
{
    running_[step].processes = processes;
    wire::StepRecord record;
    record.set_step(step);
    *record.mutable_processes() = processes;
    if (auto written = log_.append(record); !written)
        log().warn({{"job", key_.job}}, "step {}: {}", step, written.error().message);
}

void StepJob::end(std::uint32_t step, const wire::StepOver& over)
{
    const auto found = running_.find(step);
    if (found == running_.end())
        return;
    const auto& started = found->second.started;
    wire::StepRecord record;
    auto& numbered = *record.mutable_ended();
    numbered.set_number(++last_number_);
    auto& ended = *numbered.mutable_end();
    ended.set_step(step);
    ended.set_name(started.request().name());
    ended.set_node_list(started.grant().node_list());
    ended.set_node_count(static_cast<std::uint32_t>(started.grant().tasks_per_node_size()));
    ended.set_tasks(static_cast<std::uint32_t>(started.grant().tasks_size()));
    CoreSet cores;
    for (const auto& task : started.grant().tasks())
        cores |= cores_in(task);
    ended.set_cores(cores.count());
    ended.set_started_us(started.started_us());
    ended.set_ended_us(std::max(wall_now().time_since_epoch().count(), started.started_us()));
    ended.set_exit_code(std::clamp(over.exit_code(), 0, 255));
    ended.set_signal(std::clamp(over.signal(), 0, wire::limits::signal));
    ended.set_cause(over.cause());
    *ended.mutable_usage() = over.usage();
    ended.mutable_usage()->set_elapsed_us(std::max<std::int64_t>(boottime_us() - started.started_boottime_us(), 0));
    if (const auto& group = started.grant().cgroup(); !group.empty())
        add_step_usage(group, *ended.mutable_usage());
    if (auto written = log_.append(record); !written)
        log().warn({{"job", key_.job}}, "step {}: a restart of this daemon will not know of its end: {}", step, written.error().message);
    ended_.push_back(std::move(numbered));
    running_.erase(found);
    if (ended_.size() > max_ended) {
        if (dropped_++ == 0)
            log().warn({{"job", key_.job}}, "more than {} of its steps have ended and no controller has taken them: the oldest are lost",
                       max_ended);
        ended_.pop_front();
    }
    shorten();
}

// Whatever has been acknowledged is of no more use.
void StepJob::shorten()
{
    if (!log_.is_long())
        return;
    std::vector<wire::StepRecord> records(1);
    records[0].set_next_step(steps_.next());
    records.emplace_back().set_acknowledged(acknowledged_);
    for (const auto& [step, running] : running_) {
        *records.emplace_back().mutable_started() = running.started;
        if (running.processes.processes_size() == 0)
            continue;
        records.emplace_back().set_step(step);
        *records.back().mutable_processes() = running.processes;
    }
    for (const auto& numbered : ended_)
        *records.emplace_back().mutable_ended() = numbered;
    if (auto written = log_.rewrite(records); !written)
        log().warn({{"job", key_.job}}, "{}", written.error().message);
}

wire::StepsEnded StepJob::unsent()
{
    wire::StepsEnded message;
    wire::put_job_id(key_.job, message);
    message.set_incarnation(key_.incarnation.value);
    for (const auto& numbered : ended_) {
        if (numbered.number() <= sent_)
            continue;
        if (message.steps_size() == max_ends_in_message)
            break;
        *message.add_steps() = numbered;
    }
    sent_ = message.steps_size() > 0 ? message.steps(message.steps_size() - 1).number() : last_number_;
    return message;
}

void StepJob::acknowledge(std::uint64_t through)
{
    if (through <= acknowledged_)
        return;
    acknowledged_ = std::min(through, last_number_);
    sent_ = std::max(sent_, acknowledged_);
    while (!ended_.empty() && ended_.front().number() <= acknowledged_)
        ended_.pop_front();
    shorten();
}

} // namespace jarvis::noded
