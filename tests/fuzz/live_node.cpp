#include "live_node.hpp"

#include "messages.hpp"
#include "node_input.hpp"
#include "require.hpp"
#include "wire/convert.hpp"
#include "wire/frame.hpp"

#include <algorithm>

namespace jarvis::fuzz {

using namespace std::chrono_literals;

namespace {

const std::string cluster = "0123456789abcdef";
const std::string boot_id = "boot-1";

// Four cores.
Topology some_topology()
{
    Topology topology;
    for (std::uint32_t core = 0; core < 4; ++core)
        topology.cores.push_back({.pus = {core, core + 4}, .package = 0});
    topology.numa_nodes = {{.os_index = 0, .memory = mebibytes(4096), .cores = CoreSet::range(0, 4)}};
    return topology;
}

const noded::Registration registration{.name = "n1", .boot_id = boot_id, .instance = "one", .topology = some_topology(), .capabilities = {}, .notes = {}};

node::LaunchSettings launch_settings()
{
    return {.facts = {.node_name = "n1", .configuration = "/etc/jarvis/jarvis.toml", .own_folders = {"/opt/jarvis/bin"}},
            .jobs_folder = "/run/jarvis/jobs", .jobs_cgroup = "/sys/fs/cgroup/jarvis/jobs", .temporary_root = "/tmp",
            .limits = {{"NOFILE", 1, 2}}, .ceilings = {{"NOFILE", 0, 2048}}};
}

void check_end(const wire::Ended& ended)
{
    JARVIS_REQUIRE(wire::job_id_of(ended));
    JARVIS_REQUIRE(wire::from_message(ended.end()));
    JARVIS_REQUIRE(wire::from_message(ended.usage()));
}

// Each name once, in order.
void check_environment(const std::vector<std::string>& environment)
{
    std::vector<std::string> names;
    for (const auto& variable : environment)
        names.push_back(variable.substr(0, variable.find('=')));
    JARVIS_REQUIRE(std::ranges::is_sorted(names) && std::ranges::adjacent_find(names) == names.end());
}

} // namespace

LiveNode::LiveNode(Draw& draw)
{
    state_.rules.allow_root_jobs = draw.flag();
    if (draw.rarely(4))
        state_.rules.only_uid = 1000;
    feed(node::Recovered{.cluster = {}, .epoch = {}, .jobs = {}});
    feed(node::Greeted{cluster, Epoch{1}});
    feed(node::Welcomed{cluster, Epoch{1}, 1, 10s, 30s});
}

void LiveNode::feed(node::Input input)
{
    auto outcome = node::step(state_, std::move(input), now_);
    for (const auto& effect : outcome.effects)
        std::visit([this](const auto& e) { carry_out(e); }, effect);
}

// An incarnation is launched once, and alone.
void LiveNode::carry_out(const node::Launch& launch)
{
    const auto& key = launch.order.key;
    for (const auto& [other, job] : state_.jobs)
        JARVIS_REQUIRE(other.job != key.job || other == key || job.phase == node::Phase::ended || job.phase == node::Phase::waiting);
    const auto plan = node::plan_launch(launch.order, launch_settings(), registration.topology);
    if (!plan)
        return feed(node::JobEnded{key, {.wait_status = {}, .launch_error = plan.error().message, .launch_fault = node::LaunchFault::system,
                                         .usage = {}, .stop_reached = false}});
    // Of one that cannot be planned nothing is kept: after a restart the same order comes again.
    JARVIS_REQUIRE(launched_.insert(key).second);
    check_environment(plan->environment);
    auto order = noded::order_from(*plan, launch, boot_id);
    const auto recovered = noded::recovered_from(order);
    JARVIS_REQUIRE(recovered && recovered->key == key && recovered->started == launch.started);
    folder_[key] = {.order = std::move(order), .stop = {}, .suspension = {}, .exit = {}};
}

void LiveNode::carry_out(const node::RecordStop& stop)
{
    const auto record = noded::record_from(stop.stop);
    const auto read = noded::stop_from(record);
    JARVIS_REQUIRE(read && *read == stop.stop);
    if (const auto found = folder_.find(stop.key); found != folder_.end())
        found->second.stop = record;
}

void LiveNode::carry_out(const node::RecordSuspensions& record)
{
    const auto written = noded::record_from(record.suspensions);
    const auto read = noded::suspensions_from(written);
    JARVIS_REQUIRE(read && *read == record.suspensions);
    if (const auto found = folder_.find(record.key); found != folder_.end())
        found->second.suspension = written;
}

void LiveNode::carry_out(const node::Freeze& freeze)
{
    if (const auto found = state_.jobs.find(freeze.key); found != state_.jobs.end())
        JARVIS_REQUIRE(found->second.suspensions.since.has_value() == freeze.frozen);
}

void LiveNode::carry_out(const node::SignalJob& signal) { JARVIS_REQUIRE(signal.signal > 0 && signal.signal <= 64); }

void LiveNode::carry_out(const node::FinishMember& member)
{
    if (const auto found = state_.jobs.find(member.key); found != state_.jobs.end())
        JARVIS_REQUIRE(found->second.role == node::Role::member);
}

void LiveNode::carry_out(const node::RemoveRecord& removal) { forget(removal.key); }

void LiveNode::forget(node::JobKey key)
{
    folder_.erase(key);
    launched_.erase(key);
}

// What is said is a message that the controller can read.
void LiveNode::carry_out(const node::Send& send)
{
    const auto message = noded::message_from(send, registration);
    const auto read = wire::parse<wire::FromNode>(message.SerializeAsString());
    JARVIS_REQUIRE(read);
    for (const auto& ended : (read->has_register_() ? read->register_().report() : read->report()).ended())
        check_end(ended);
    if (read->has_ended())
        check_end(read->ended());
}

void LiveNode::carry_out(const node::CloseConnection& close)
{
    JARVIS_REQUIRE(!close.reason.empty() && state_.link == node::Link::down);
}

// One of the jobs that were launched ends, or its shepherd dies.
void LiveNode::end_job(Draw& draw)
{
    if (folder_.empty())
        return;
    const auto found = std::next(folder_.begin(), draw.below(folder_.size()));
    const auto key = found->first;
    auto& record = found->second;
    if (record.exit || record.lost)
        return;
    if (draw.rarely(4)) {
        record.lost = true;
        return feed(node::ShepherdDied{key});
    }
    record.exit = some_exit(draw, key);
    auto facts = noded::facts_from(*record.exit);
    if (!facts)
        facts = node::ExitFacts{.launch_error = facts.error().message, .launch_fault = node::LaunchFault::system};
    facts->stop_reached = record.stop.has_value();
    feed(node::JobEnded{key, std::move(*facts)});
}

// The daemon's, or the machine's. What the folder holds is damaged now and then.
void LiveNode::restart(Draw& draw)
{
    const auto rules = state_.rules;
    state_ = {};
    state_.rules = rules;
    const bool rebooted = draw.rarely(4);
    node::Recovered recovered{.cluster = cluster, .epoch = Epoch{1}, .jobs = {}};
    for (auto it = folder_.begin(); it != folder_.end();) {
        auto& [key, record] = *it++;
        if (draw.rarely(16))
            (void)record.order.MergeFromString(std::string(draw.text()));
        if (record.stop && draw.rarely(16))
            (void)record.stop->MergeFromString(std::string(draw.text()));
        auto job = noded::recovered_from(record.order);
        if (!job || job->key != key) {
            forget(key);
            continue;
        }
        if (record.stop)
            if (auto stop = noded::stop_from(*record.stop))
                job->stop = std::move(*stop);
        if (record.suspension)
            if (auto suspensions = noded::suspensions_from(*record.suspension))
                job->suspensions = *suspensions;
        if (record.exit)
            job->facts = noded::facts_from(*record.exit).value_or(node::ExitFacts{});
        using As = node::RecoveredJob::As;
        job->as = record.exit ? As::ended : rebooted ? As::rebooted : record.lost ? As::shepherd_died : As::running;
        record.lost = record.lost || rebooted;
        recovered.jobs.push_back(std::move(*job));
    }
    feed(std::move(recovered));
    feed(node::Greeted{cluster, Epoch{1}});
}

void LiveNode::step(Draw& draw)
{
    now_ += draw.pick<Duration>({0s, 1us, 1s, 30s, 1h, 24h});
    switch (draw.below(8)) {
    case 0: feed(node::TimePassed{}); break;
    case 1: feed(node::Disconnected{}); break;
    case 2: feed(node::Greeted{cluster, Epoch{1u + draw.below(2)}}); break;
    case 3: end_job(draw); break;
    case 4: feed(node::MemberPrepared{some_key(draw)}); break;
    case 5:
        if (draw.rarely(4))
            restart(draw);
        break;
    default:
        if (auto input = noded::input_from(some_order(draw, state_)))
            feed(std::move(*input));
        break;
    }
    check();
}

// When all that was due is done, nothing is due.
void LiveNode::check() const
{
    auto state = state_;
    (void)node::step(state, node::TimePassed{}, now_);
    const auto wake = node::next_wake(state);
    JARVIS_REQUIRE(!wake || *wake > now_);
}

} // namespace jarvis::fuzz
