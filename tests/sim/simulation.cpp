#include "simulation.hpp"

#include "base/units.hpp"
#include "network.hpp"
#include "sim_client.hpp"
#include "sim_controller.hpp"
#include "sim_node.hpp"

#include <memory>

namespace jarvis::sim {

namespace {

using namespace std::chrono_literals;

constexpr Duration day = 24h;
constexpr std::size_t node_count = 4;
constexpr Duration longest_unknown = 5min; // a few heartbeats, and time for a job to end in

Topology some_topology(World& world)
{
    Topology topology;
    const auto numa_nodes = 1 + world.below(3), cores = 2 + world.below(3), packages = 1 + world.below(2);
    for (std::uint32_t numa = 0; numa < numa_nodes; ++numa) {
        const auto first = static_cast<std::uint32_t>(topology.cores.size());
        for (std::uint32_t core = 0; core < cores; ++core)
            topology.cores.push_back({.pus = {static_cast<std::uint32_t>(topology.cores.size())}, .package = static_cast<std::uint32_t>(numa % packages), .l3 = static_cast<std::uint32_t>(topology.cores.size() / 2)});
        topology.numa_nodes.push_back({.os_index = numa, .memory = mebibytes(4096), .cores = CoreSet::range(first, static_cast<std::uint32_t>(cores))});
    }
    if (world.chance(0.3))
        topology.numa_nodes.push_back({.os_index = 8, .memory = mebibytes(2048), .cores = {}, .kind = MemoryKind::slow});
    const auto count = topology.numa_nodes.size();
    for (std::size_t a = 0; a < count; ++a)
        for (std::size_t b = 0; b < count; ++b)
            topology.distances.push_back(a == b ? 10 : a % packages == b % packages ? 12 : 32);
    // Each near to a NUMA node with cores.
    for (std::uint64_t device = 0, devices = world.below(4); device < devices; ++device)
        topology.devices.push_back({.resource = "gpu", .type = device % 2 == 0 ? "large" : "small", .address = fmt::format("{}", device), .paths = {},
                                    .near = topology.numa_nodes[device % numa_nodes].cores});
    return topology;
}

cluster::Settings settings(World& world)
{
    cluster::Settings settings;
    settings.nodes = {"n0", "n1", "n2", "n3"};
    settings.partitions = {{.name = "batch", .nodes = {"n0", "n1", "n2", "n3"}, .is_default = true, .default_time = {}, .max_time = {}, .up = true,
                            .confinement = Confinement::none, .default_memory_per_cpu = {}},
                           {.name = "small", .nodes = {"n2", "n3"}, .is_default = false, .default_time = {}, .max_time = 3h, .up = true,
                            .confinement = Confinement::none, .default_memory_per_cpu = mebibytes(256)}};
    settings.node_classes = {{.name = "guests", .accept_all = true}};
    settings.partitions[0].node_classes = {"guests"};
    // In every second cluster nodes are down before they come back.
    settings.down_after = world.chance(0.5) ? world.between(1min, 15min) : Duration(1000h);
    return settings;
}

class Simulation {
    World world_;
    Options options_;
    Witness witness_;
    SimController controller_;
    Network network_;
    SimClients clients_;
    std::vector<std::unique_ptr<SimNode>> nodes_;
    std::map<std::string, Duration> lost_;     // connected nodes that the controller takes for lost, since when
    std::map<node::JobKey, Duration> unknown_; // what runs and the controller does not know, since when

public:
    Simulation(std::uint64_t seed, const Options& options)
        : world_(seed), options_(options),
          controller_(world_, settings(world_),
                      {.reply = [this](cluster::Reply reply) { network_.send([this, reply = std::move(reply)] { clients_.take(reply); }); },
                       .to_node = [this](cluster::Effect effect) { network_.route(std::move(effect)); },
                       .down = [this] { network_.drop_all(); },
                       .durable = [this](const cluster::Event& event) { compare(event); }}),
          network_(world_, controller_), clients_(world_, [this](cluster::Command command) {
              network_.send([this, command = std::move(command)]() mutable { controller_.take(std::move(command)); });
          })
    {
        world_.trace = options.trace;
        const auto guests = world_.below(2);
        for (std::size_t i = 0; i < node_count + guests; ++i)
            nodes_.push_back(std::make_unique<SimNode>(
                world_, witness_, i < node_count ? fmt::format("n{}", i) : std::string("g0"), some_topology(world_),
                SimNode::Outside{.send = [this](SimNode& n, std::uint64_t c, node::Send s) { network_.from_node(n, c, std::move(s)); },
                                 .connect = [this](SimNode& n) { network_.dial(n); },
                                 .hang_up = [this](SimNode& n) { network_.hang_up(n); },
                                 .steps = [this](SimNode& n, std::uint64_t c, node::JobKey key, std::uint64_t first,
                                                 std::vector<StepEnd> steps) { network_.steps_from_node(n, c, key, first, std::move(steps)); }}));
    }

    Counts run()
    {
        controller_.start();
        for (auto& node : nodes_)
            world_.after(world_.between(0s, 10s), [&node] { node->start_daemon(); });
        for (std::uint64_t i = 0; i < options_.jobs; ++i)
            world_.after(world_.between(0s, day), [this, i] {
                if (!options_.without_jobs.contains(i))
                    clients_.make_wish();
            });
        watch();
        for (std::uint64_t i = 0; i < options_.faults; ++i)
            world_.after(world_.between(1min, day), [this, i] {
                if (!options_.without_faults.contains(i))
                    some_fault();
            });
        world_.after(day - 3min, [this] { storm(); });
        while (world_.step(day))
            ;
        become_quiet();
        return world_.count;
    }

private:
    // What the journal says of ends, against what was seen.
    void compare(const cluster::Event& event)
    {
        if (const auto* started = std::get_if<cluster::JobStarted>(&event))
            world_.say("journal: start of {}.{} on node {}", started->job, started->incarnation, started->placement.nodes.front().node);
        if (const auto* stop = std::get_if<cluster::JobStopRequested>(&event))
            world_.say("journal: stop of {}", stop->job);
        if (const auto* ended = std::get_if<cluster::JobEnded>(&event)) {
            world_.say("journal: end of {}.{}: {}", ended->job, ended->incarnation, name(ended->end.state));
            const auto job = controller_.truth().find(ended->job);
            world_.count["job: over several nodes"] += job->run && job->run->placement.nodes.size() > 1;
            if (!job->is_array())
                witness_.over({ended->job, ended->incarnation}, ended->end.exit_code);
        }
        if (const auto* down = std::get_if<cluster::NodeDowned>(&event)) {
            const auto& node = controller_.truth().nodes[down->node.value];
            world_.say("journal: node {} is down: {}", node.name, down->down.reason);
            world_.count["fault: node silent for too long"] += down->down.by.empty();
            for (const auto& [ref, noted] : node.condemned)
                witness_.condemn(node.name, {ref.job, ref.incarnation});
        }
        if (const auto* steps = std::get_if<cluster::StepsEnded>(&event))
            witness_.steps_journaled({steps->job, steps->incarnation}, steps->first, steps->steps);
        if (const auto* requeued = std::get_if<cluster::JobRequeued>(&event)) {
            world_.say("journal: requeue of {}.{}", requeued->job, requeued->incarnation);
            if (requeued->end) // not of one that had ended before
                witness_.over({requeued->job, requeued->incarnation}, requeued->end->exit_code);
        }
    }

    SimNode& some_node(bool busy)
    {
        const auto first = world_.below(nodes_.size());
        for (std::size_t i = 0; busy && i < nodes_.size(); ++i)
            if (auto& node = *nodes_[(first + i) % nodes_.size()]; node.busy())
                return node;
        return *nodes_[first];
    }

    void some_fault()
    {
        auto& node = some_node(world_.chance(0.5));
        switch (world_.below(12)) {
        case 0:
        case 1:
            controller_.crash();
            world_.after(world_.between(1s, 10min), [this] { if (!controller_.up()) controller_.start(); });
            break;
        case 2:
            node.kill_daemon();
            world_.after(world_.between(100ms, 20min), [&node] { if (!node.daemon_up()) node.start_daemon(); });
            break;
        case 3:
            node.reboot();
            world_.after(world_.between(10s, 30min), [&node] { if (!node.daemon_up()) node.start_daemon(); });
            break;
        case 4:
            network_.cut_one();
            break;
        case 5:
            ++world_.count["fault: wall clock jumped"];
            controller_.jump_wall(world_.between(-1h, 1h));
            break;
        case 6: network_.half_cut(node); break;
        case 8: node.jump_clock(world_.between(0s, 2h)); break;
        case 9: controller_.fill_storage(world_.between(1s, 10min)); break;
        case 10: close_a_partition(); break;
        case 7:
            ++world_.count["fault: node set down"];
            controller_.take(cluster::DownNodes{0, {0, "root", cluster::Role::admin}, {node.name()}, "it smells of smoke", !node.daemon_up() && node.quiet()});
            world_.after(world_.between(1min, 2h), [this, &node] {
                controller_.take(cluster::ResumeNodes{0, {0, "root", cluster::Role::admin}, {node.name()}});
            });
            break;
        default:
            ++world_.count["drain"];
            controller_.take(cluster::DrainNodes{0, {0, "root", cluster::Role::admin}, {node.name()}, "maintenance"});
            world_.after(world_.between(1min, 2h), [this, &node] {
                controller_.take(cluster::ResumeNodes{0, {0, "root", cluster::Role::admin}, {node.name()}});
            });
        }
    }

    // By a change of the configuration, for a while.
    void close_a_partition()
    {
        auto settings = controller_.settings();
        settings.partitions[1].up = false;
        controller_.configure(std::move(settings));
        world_.after(world_.between(1min, 2h), [this] { open_partitions(); });
    }

    void open_partitions()
    {
        auto settings = controller_.settings();
        settings.partitions[1].up = true;
        controller_.configure(std::move(settings));
    }

    // What runs and is not known to the controller is ended within minutes, wherever the connection is good. (When every second
    // message is lost, nothing is said of how long things take.)
    void watch()
    {
        std::map<node::JobKey, Duration> now;
        if (controller_.serving() && world_.loss < 0.1)
            for (const auto& [id, key] : witness_.running())
                if (!is_known(key) && network_.is_well_connected(witness_.node_of(id)))
                    now.emplace(key, unknown_.contains(key) ? unknown_.at(key) : world_.now);
        for (const auto& [key, since] : now)
            if (world_.now - since > longest_unknown)
                broken("incarnation {} of job {} runs on {}, and the controller does not know it for {}", key.incarnation, key.job,
                       witness_.node_of(key.job), format_duration_exact(world_.now - since));
        unknown_ = std::move(now);
        watch_nodes();
        world_.after(1min, [this] { watch(); });
    }

    // A node whose connection is good is not taken for lost for longer than until its next registration.
    void watch_nodes()
    {
        std::map<std::string, Duration> now;
        for (const auto& node : controller_.truth().nodes)
            if (!node.connected && controller_.serving() && network_.is_well_connected(node.name))
                now.emplace(node.name, lost_.contains(node.name) ? lost_.at(node.name) : world_.now);
        for (const auto& [name, since] : now)
            if (world_.now - since > longest_unknown)
                broken("node {} is connected, and has been taken for lost for {}", name, format_duration_exact(world_.now - since));
        lost_ = std::move(now);
    }

    bool is_known(const node::JobKey& key) const
    {
        const auto job = controller_.truth().find(key.job);
        return job && holds_resources(job->state) && job->incarnation == key.incarnation;
    }

    bool quiet() const
    {
        if (!clients_.satisfied() || !witness_.quiet())
            return false;
        for (JobId job : clients_.acknowledged())
            if (controller_.ends(job) == 0)
                return false;
        return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& n) { return n->quiet(); });
    }

    // Every second message is lost while many change their mind: in the quiet that follows all of it must be made good.
    void storm()
    {
        world_.loss = 0.5;
        for (JobId job : clients_.acknowledged())
            if (const auto known = controller_.truth().find(job); known && !is_final(known->state) && world_.chance(0.5))
                clients_.give_up(job);
    }

    // Faults are over: everybody comes back, and everything that was acknowledged ends.
    void become_quiet()
    {
        world_.faults = false;
        world_.loss = 0;
        network_.heal();
        if (!controller_.up())
            controller_.start();
        open_partitions();
        for (auto& node : nodes_)
            if (!node->daemon_up())
                node->start_daemon();
        check_orders();
        const auto limit = world_.now + day * 60;
        auto look = world_.now;
        while (world_.now < limit && !quiet()) {
            look += 1h;
            for (const auto& [id, job] : controller_.truth().jobs)
                if (job->hold && job->hold->by.starts_with("the scheduler")) {
                    ++world_.count["job: held for good"];
                    clients_.give_up(id);
                }
            for (const auto& [id, job] : controller_.truth().jobs)
                if (never_starts(*job)) {
                    ++world_.count["job: waits for good"];
                    clients_.give_up(id.array());
                }
            // Those too that nobody knows to be there: a singleton may wait for one.
            clients_.release_all(controller_.submitted());
            while (world_.step(look))
                ;
        }
        if (!clients_.satisfied())
            broken("the submit of {} was never answered", clients_.unanswered());
        for (JobId job : clients_.acknowledged()) {
            if (!controller_.submitted().contains(job))
                broken("job {} was acknowledged and is not in the journal", job);
            if (controller_.ends(job) != 1)
                broken("job {} was acknowledged and ended {} times; it is {}", job, controller_.ends(job), describe(job));
        }
        if (!quiet())
            broken("something is left over on a node");
        controller_.check_replay();
        world_.count["job: acknowledged"] += clients_.acknowledged().size();
    }

    // A dependency of it can never hold. Tasks of arrays are given time to have their like settled first.
    bool never_starts(const cluster::Job& job) const
    {
        if (job.state != JobState::pending || !job.waits)
            return false;
        return job.waits->never || (job.is_array() && job.waits->open.empty() && controller_.truth().arrays.at(job.id.value).released.empty());
    }

    // Where the controller and the nodes disagree about what runs.
    std::map<node::JobKey, std::string> disagreements() const
    {
        std::map<node::JobKey, std::string> found;
        for (const auto& [id, job] : controller_.truth().jobs) {
            const node::JobKey key{id, job->incarnation};
            if (!holds_resources(job->state))
                continue;
            const auto process = witness_.running().find(id);
            if (job->stop)
                found.emplace(key, "was told to end and has not");
            else if (process == witness_.running().end() || process->second != key)
                found.emplace(key, "was started and does not run");
        }
        for (const auto& [id, key] : witness_.running())
            if (!is_known(key))
                found.emplace(key, "runs and should not");
        return found;
    }

    // When nothing fails, nodes do before long what they were told, also if they had to be told again.
    void check_orders()
    {
        const auto pass = [this](Duration time) {
            for (const auto until = world_.now + time; world_.step(until);)
                ;
        };
        pass(10min);
        const auto before = disagreements();
        pass(2min);
        for (const auto& [key, what] : disagreements())
            if (before.contains(key))
                broken("incarnation {} of job {} {}", key.incarnation, key.job, what);
        for (const auto& node : controller_.truth().nodes)
            if (network_.is_well_connected(node.name) && (!node.connected || !node.condemned.empty()))
                broken("node {} is connected, and the controller takes it for {}", node.name, state_name(node));
    }

    std::string describe(JobId id) const
    {
        const auto job = controller_.truth().find(id);
        if (!job)
            return "forgotten";
        if (job->state != JobState::pending)
            return fmt::format("{} as incarnation {}", name(job->state), job->incarnation);
        const auto reason = cluster::wait_reason(controller_.truth(), controller_.board(), *job);
        return fmt::format("{} as incarnation {}, {}: {}", name(job->state), job->incarnation, reason.code, reason.text);
    }
};

} // namespace

Counts simulate(std::uint64_t seed, const Options& options)
{
    return Simulation(seed, options).run();
}

} // namespace jarvis::sim
