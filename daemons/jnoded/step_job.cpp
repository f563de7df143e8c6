#include "step_job.hpp"

#include "base/hostlist.hpp"
#include "daemon/log.hpp"
#include "step_cgroup.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/convert_step.hpp"
#include "wire/job_id.hpp"
#include "wire/limits.hpp"

#include <algorithm>

namespace jarvis::noded {
namespace {

using daemon::log;

// Making their groups keeps the loop from other work for a third of a second.
constexpr std::uint32_t max_tasks = 8192;
// While no controller acknowledges them, so many ends of a job are kept: some MiB.
constexpr std::size_t max_ended = 16384;
constexpr int max_ends_in_message = 512;
constexpr std::uint64_t highest_number = std::uint64_t{1} << 53; // that the controller believes

// What of it was not there before is added to the step's usage. Both were checked, so the sum is a number; that it stays one which
// the controller takes is seen to here, since half of it is what somebody's jrun says.
void add_usage(wire::Usage& usage, const wire::Usage& more)
{
    usage.set_cpu_user_us(std::min(usage.cpu_user_us() + more.cpu_user_us(), wire::limits::duration_us));
    usage.set_cpu_system_us(std::min(usage.cpu_system_us() + more.cpu_system_us(), wire::limits::duration_us));
    if (more.has_memory_peak())
        usage.set_memory_peak(std::max(usage.memory_peak(), more.memory_peak()));
}

// What of its end is known from the beginning.
wire::StepEnd end_of(const wire::StepStarted& started)
{
    wire::StepEnd end;
    end.set_step(started.grant().step());
    end.set_name(started.request().name());
    end.set_node_list(started.grant().node_list());
    end.set_node_count(static_cast<std::uint32_t>(started.grant().tasks_per_node_size()));
    end.set_tasks(static_cast<std::uint32_t>(started.grant().tasks_size()));
    std::map<std::uint32_t, CoreSet> cores;
    for (const auto& task : started.grant().tasks())
        cores[task.node()] |= core_set(task.cores());
    std::uint32_t count = 0;
    for (const auto& [node, on_node] : cores)
        count += on_node.count();
    end.set_cores(count);
    end.set_started_us(started.started_us());
    end.set_ended_us(std::max(wall_now().time_since_epoch().count(), started.started_us()));
    return end;
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

StepJob::StepJob(const node::JobKey& key, StepPlace place, StepLog step_log)
    : key_(key), place_(std::move(place)), log_(std::move(step_log))
{
}

Result<StepJob> StepJob::open(const node::JobKey& key, const wire::LaunchOrder& order, const Topology& topology,
                              const std::string& node_name, const std::string& job_folder)
{
    std::vector<wire::StepRecord> records;
    auto log = StepLog::open(job_folder, [&](wire::StepRecord&& record) { records.push_back(std::move(record)); });
    if (!log)
        return std::unexpected(log.error());
    StepJob job(key, StepPlace(order, topology), std::move(*log));
    std::vector<node::StepHost> hosts{{node_name, job.place_.numa()}};
    for (auto& name : expand_hostlist(order.node_list()).value_or(std::vector<std::string>()))
        if (name != node_name)
            hosts.push_back({std::move(name), {}});
    std::uint32_t next = 0;
    for (const auto& record : records)
        next = std::max(next, record.next_step());
    job.steps_ = node::JobSteps(std::move(hosts), next);
    for (auto& record : records)
        if (auto taken = job.take(std::move(record)); !taken)
            return fail(taken.error(), "{}/steps", job_folder);
    return job;
}

// Of an end that the controller would not read nothing may be sent: it closes the connection over it, each time anew.
Result<void> StepJob::take(wire::StepRecord&& record)
{
    if (record.has_started()) {
        if (auto good = wire::from_message(end_of(record.started())); !good)
            return std::unexpected(good.error());
        if (const auto since_boot = record.started().started_boottime_us(); since_boot < 0 || since_boot > wire::limits::duration_us)
            return fail(Errc::corrupt, "a step started {} microseconds after the boot", since_boot);
        const auto step = record.started().grant().step();
        const auto nodes = expand_hostlist(record.started().grant().node_list()).value_or(std::vector<std::string>());
        node::PlacedTasks tasks;
        for (const auto& task : record.started().grant().tasks())
            tasks.push_back({.host = task.node() < nodes.size() ? host_named(nodes[task.node()]) : 0,
                             .local = task.local(),
                             .cores = core_set(task.cores())});
        steps_.restore(step, tasks, record.started().request().sharing() == wire::StepRequest::OVERLAP);
        running_[step].started = std::move(*record.mutable_started());
    } else if (record.has_processes()) {
        if (const auto found = running_.find(record.step()); found != running_.end())
            found->second.processes = record.processes();
    } else if (record.has_ended()) {
        const auto step = record.ended().end().step();
        const auto number = record.ended().number();
        if (number <= last_number_ || number > highest_number)
            return fail(Errc::corrupt, "an end has number {}, and the one before it {}", number, last_number_);
        if (auto good = wire::from_message(record.ended().end()); !good)
            return std::unexpected(good.error());
        running_.erase(step);
        (void)steps_.end(step); // nobody waits yet
        last_number_ = number;
        ended_.push_back(std::move(*record.mutable_ended()));
    } else if (record.body_case() == wire::StepRecord::kAcknowledged) {
        if (last_number_ > 0 || record.acknowledged() > highest_number)
            return fail(Errc::corrupt, "ends up to {} are said to be acknowledged", record.acknowledged());
        acknowledged_ = last_number_ = record.acknowledged();
    }
    return {};
}

std::uint32_t StepJob::host_named(const std::string& name) const
{
    const auto found = std::ranges::find(steps_.hosts(), name, &node::StepHost::name);
    return found == steps_.hosts().end() ? 0 : static_cast<std::uint32_t>(found - steps_.hosts().begin());
}

std::vector<std::string> StepJob::unknown_nodes() const
{
    std::vector<std::string> nodes;
    for (const auto& host : steps_.hosts())
        if (host.numa.empty())
            nodes.push_back(host.name);
    return nodes;
}

std::vector<node::GrantedStep> StepJob::learn(const std::string& node, std::vector<CoreSet> numa)
{
    return steps_.learn(host_named(node), std::move(numa));
}

std::vector<std::string> other_nodes(const wire::StepGrant& grant)
{
    auto nodes = expand_hostlist(grant.node_list()).value_or(std::vector<std::string>());
    if (grant.here() < nodes.size())
        nodes.erase(nodes.begin() + grant.here());
    return nodes;
}

Result<wire::StepGrant> StepJob::begin(const node::GrantedStep& granted, const wire::StepRequest& request, pid_t pid,
                                       std::uint64_t start_time)
{
    wire::StepStarted started;
    auto& grant = *started.mutable_grant();
    grant.set_step(granted.step);
    std::vector<std::uint32_t> counts(steps_.hosts().size());
    for (const auto& placed : granted.tasks)
        ++counts[placed.host];
    std::vector<std::uint32_t> places(counts.size()); // of hosts in the step's node list
    std::vector<std::string> names;
    for (std::size_t host = 0; host < counts.size(); ++host) {
        places[host] = static_cast<std::uint32_t>(names.size());
        if (counts[host] == 0)
            continue;
        names.push_back(steps_.hosts()[host].name);
        grant.add_tasks_per_node(counts[host]);
    }
    grant.set_node_list(hostlist_in_order(names));
    grant.set_here(counts.front() > 0 ? 0 : static_cast<std::uint32_t>(names.size())); // this node is the job's first
    grant.mutable_tasks()->Reserve(static_cast<int>(granted.tasks.size()));
    std::vector<TaskHere> here;
    for (std::uint32_t rank = 0; const auto& placed : granted.tasks) {
        auto& task = *grant.add_tasks();
        task.set_node(places[placed.host]);
        task.set_local(placed.local);
        placed.cores.for_each([&](std::uint32_t core) { task.add_cores(core); });
        if (placed.host == 0)
            here.push_back({rank, placed.cores, &task});
        ++rank;
    }
    *started.mutable_request() = request;
    started.set_started_us(wall_now().time_since_epoch().count());
    started.set_started_boottime_us(boottime_us());
    started.set_pid(pid);
    started.set_start_time(start_time);
    if (!here.empty())
        grant.set_cgroup(place_.step_group(granted.step));
    const auto prepared = place_.prepare(granted.step, here, request.cpu_binding(), request.memory_binding());
    wire::StepRecord record;
    *record.mutable_started() = started;
    if (auto written = log_.append(record); !written)
        return std::unexpected(written.error());
    auto& running = running_[granted.step];
    running.started = std::move(started);
    running.ticket = granted.ticket;
    if (!prepared) {
        wire::StepOver over;
        over.set_exit_code(1);
        over.set_cause(prepared.error().message);
        end(granted.step, over);
        return std::unexpected(prepared.error());
    }
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
    shorten(); // jrun may say it as often as it likes
}

void StepJob::end(std::uint32_t step, const wire::StepOver& over, std::span<const wire::Usage> elsewhere)
{
    const auto found = running_.find(step);
    if (found == running_.end())
        return;
    const auto& started = found->second.started;
    wire::StepRecord record;
    auto& numbered = *record.mutable_ended();
    numbered.set_number(++last_number_);
    auto& ended = *numbered.mutable_end();
    ended = end_of(started);
    ended.set_exit_code(std::clamp(over.exit_code(), 0, 255));
    ended.set_signal(std::clamp(over.signal(), 0, wire::limits::signal));
    ended.set_cause(over.cause());
    *ended.mutable_usage() = over.usage();
    ended.mutable_usage()->set_elapsed_us(std::max<std::int64_t>(boottime_us() - started.started_boottime_us(), 0));
    if (const auto& group = started.grant().cgroup(); !group.empty())
        add_step_usage(group, *ended.mutable_usage());
    for (const auto& usage : elsewhere)
        add_usage(*ended.mutable_usage(), usage);
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
        const auto size = message.steps_size();
        if (size == max_ends_in_message)
            break;
        if (size > 0 && numbered.number() != message.steps(size - 1).number() + 1)
            break; // a full disk kept the one between from an earlier daemon's file: those of a message follow one another
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
