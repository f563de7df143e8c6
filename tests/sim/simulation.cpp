#include "simulation.hpp"

#include "sim_client.hpp"
#include "sim_controller.hpp"
#include "sim_node.hpp"

#include <memory>

namespace jarvis::sim {

namespace {

using namespace std::chrono_literals;

constexpr Duration day = 24h;
constexpr std::size_t node_count = 4;

Topology some_topology(World& world)
{
    Topology topology;
    const auto numa_nodes = 1 + world.below(2), cores = 2 + world.below(3);
    for (std::uint32_t numa = 0; numa < numa_nodes; ++numa) {
        const auto first = static_cast<std::uint32_t>(topology.cores.size());
        for (std::uint32_t core = 0; core < cores; ++core)
            topology.cores.push_back({.pus = {static_cast<std::uint32_t>(topology.cores.size())}, .package = numa});
        topology.numa_nodes.push_back({.os_index = numa, .memory = mebibytes(4096), .cores = CoreSet::range(first, static_cast<std::uint32_t>(cores))});
    }
    return topology;
}

cluster::Settings settings(World& world)
{
    cluster::Settings settings;
    settings.nodes = {"n0", "n1", "n2", "n3"};
    settings.partitions = {{.name = "batch", .nodes = {"n0", "n1", "n2", "n3"}, .is_default = true, .default_time = {}, .max_time = {}, .up = true,
                            .confinement = Confinement::none, .default_memory_per_cpu = {}},
                           {.name = "small", .nodes = {"n0", "n1"}, .is_default = false, .default_time = {}, .max_time = 3h, .up = true,
                            .confinement = Confinement::none, .default_memory_per_cpu = mebibytes(256)}};
    // In every second cluster nodes are down before they come back.
    settings.down_after = world.chance(0.5) ? world.between(1min, 15min) : Duration(1000h);
    return settings;
}

class Simulation {
    World world_;
    Options options_;
    Witness witness_;
    SimController controller_;
    SimClients clients_;
    std::vector<std::unique_ptr<SimNode>> nodes_;

    // Connections of nodes, as the controller's front keeps them.
    struct Link {
        SimNode* node = nullptr;
        cluster::SessionId session = 0; // of its last Register
        bool welcome = false;
        std::uint64_t sent_serial = 0, taken_serial = 0;
        Duration heard{}; // when something of its session came last
        bool dumb = false, deaf = false; // nothing comes from it; nothing gets to it
    };
    std::uint64_t last_connection_ = 0;
    cluster::SessionId last_session_ = 0;
    std::map<std::uint64_t, Link> links_;

public:
    Simulation(std::uint64_t seed, const Options& options)
        : world_(seed), options_(options),
          controller_(world_, settings(world_),
                      {.reply = [this](cluster::Reply reply) { over_network([this, reply = std::move(reply)] { clients_.take(reply); }); },
                       .to_node = [this](cluster::Effect effect) { route(std::move(effect)); },
                       .down = [this] { drop_all(); },
                       .durable = [this](const cluster::Event& event) { compare(event); }}),
          clients_(world_, [this](cluster::Command command) { over_network([this, command = std::move(command)] { controller_.take(command); }); })
    {
        world_.trace = options.trace;
        for (std::size_t i = 0; i < node_count; ++i)
            nodes_.push_back(std::make_unique<SimNode>(
                world_, witness_, fmt::format("n{}", i), some_topology(world_),
                SimNode::Outside{.send = [this](SimNode& n, std::uint64_t c, node::Send s) { from_node(n, c, std::move(s)); },
                                 .connect = [this](SimNode& n) { dial(n); },
                                 .hang_up = [this](SimNode& n) { hang_up(n); }}));
    }

    std::map<std::string, std::uint64_t> run()
    {
        controller_.start();
        for (auto& node : nodes_)
            world_.after(world_.between(0s, 10s), [&node] { node->start_daemon(); });
        for (std::uint64_t i = 0; i < options_.jobs; ++i)
            world_.after(world_.between(0s, day), [this] { clients_.make_wish(); });
        for (std::uint64_t i = 0; i < options_.faults; ++i)
            world_.after(world_.between(1min, day), [this] { some_fault(); });
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
            for (const auto& [ref, noted] : node.condemned)
                witness_.condemn(node.name, {ref.job, ref.incarnation});
        }
        if (const auto* requeued = std::get_if<cluster::JobRequeued>(&event)) {
            world_.say("journal: requeue of {}.{}", requeued->job, requeued->incarnation);
            if (requeued->end) // not of one that had ended before
                witness_.over({requeued->job, requeued->incarnation}, requeued->end->exit_code);
        }
    }

    // A message is late, and in bad times lost or doubled. Those of one connection and direction keep their order as TCP
    // has it; doubled ones do not.
    template <class F>
    void over_network(F deliver)
    {
        if (world_.fault(world_.loss)) {
            ++world_.count["fault: message lost"];
            return;
        }
        if (world_.fault(0.02)) {
            ++world_.count["fault: message doubled"];
            world_.after(world_.between(1ms, 2min), deliver);
        }
        world_.after(world_.between(50us, world_.fault(0.02) ? Duration(30s) : Duration(5ms)), deliver);
    }

    void dial(SimNode& node)
    {
        world_.after(world_.between(10ms, 2s), [this, &node] {
            if (!node.daemon_up() || node.connection != 0)
                return;
            if (!controller_.serving() || world_.fault(0.05)) {
                dial(node);
                return;
            }
            const auto number = ++last_connection_;
            links_[number] = {.node = &node, .heard = world_.now};
            listen(number);
            node.connected(number, std::string(controller_.uuid().begin(), controller_.uuid().end()), controller_.epoch());
        });
    }

    // A node that says nothing of its session for three heartbeats is cut off: it may be in an older one, of whose end it
    // does not know.
    void listen(std::uint64_t number)
    {
        world_.after(10s, [this, number] {
            const auto link = links_.find(number);
            if (link == links_.end())
                return;
            if (world_.now - link->second.heard > 35s)
                return cut(number, "silent");
            listen(number);
        });
    }

    void hang_up(SimNode& node)
    {
        const auto number = std::exchange(node.connection, 0);
        lost(number);
    }

    // The controller notices that a connection is gone.
    void lost(std::uint64_t number)
    {
        auto found = links_.find(number);
        if (found == links_.end())
            return;
        const auto link = found->second;
        links_.erase(found);
        for (const auto& [other, newer] : links_)
            if (newer.node == link.node && newer.session > link.session)
                return;
        if (link.session != 0)
            controller_.take(cluster::NodeDisconnected{link.node->name()});
    }

    void drop_all()
    {
        auto links = std::exchange(links_, {});
        for (auto& [number, link] : links)
            world_.after(world_.between(0s, 3s), [node = link.node, number = number] { node->disconnected(number); });
    }

    void cut(std::uint64_t number, std::string_view why)
    {
        ++world_.count[fmt::format("connection cut: {}", why)];
        auto* node = links_.at(number).node;
        lost(number);
        world_.after(world_.between(0s, 1min), [node, number] { node->disconnected(number); });
    }

    void from_node(SimNode& node, std::uint64_t connection, node::Send sent)
    {
        over_network([this, &node, connection, sent = std::move(sent)] {
            auto found = links_.find(connection);
            if (found == links_.end())
                return;
            auto& link = found->second;
            if (link.dumb)
                return;
            if (const auto* registered = std::get_if<node::Register>(&sent.message)) {
                link.session = ++last_session_;
                link.welcome = false;
                link.sent_serial = 0;
                link.taken_serial = sent.serial;
                link.heard = world_.now;
                controller_.take(cluster::RegisterNode{link.session, node.name(), node.registration(), report_of(registered->report)});
                return;
            }
            if (!link.welcome || sent.session != link.session || sent.serial <= link.taken_serial)
                return;
            link.taken_serial = sent.serial;
            link.heard = world_.now;
            const auto id = controller_.truth().index.nodes.at(node.name());
            const auto* whole = std::get_if<node::Report>(&sent.message);
            controller_.take(cluster::NodeReported{id, whole ? report_of(*whole) : report_of_one(sent.message), whole != nullptr});
        });
    }

    static cluster::NodeReport report_of(const node::Report& report)
    {
        cluster::NodeReport result;
        for (const auto& running : report.running) {
            result.running.push_back({running.key.job, running.key.incarnation});
            if (running.prepared)
                result.prepared.push_back(result.running.back());
        }
        for (const auto& ended : report.ended)
            result.ended.push_back({{ended.key.job, ended.key.incarnation}, ended.end, ended.usage});
        return result;
    }

    static cluster::NodeReport report_of_one(const node::Message& message)
    {
        if (const auto* prepared = std::get_if<node::ReportPrepared>(&message))
            return {.running = {}, .ended = {}, .prepared = {{prepared->key.job, prepared->key.incarnation}}};
        return report_of({.running = {}, .ended = {std::get<node::ReportEnded>(message)}});
    }

    std::map<std::uint64_t, Link>::iterator link_of(cluster::SessionId session)
    {
        return std::find_if(links_.begin(), links_.end(), [&](const auto& l) { return l.second.session == session; });
    }

    // The welcome connection of a node.
    std::map<std::uint64_t, Link>::iterator link_of(NodeId id)
    {
        const auto& name = controller_.truth().nodes.at(id.value).name;
        auto best = links_.end();
        for (auto it = links_.begin(); it != links_.end(); ++it)
            if (it->second.welcome && it->second.node->name() == name && (best == links_.end() || it->second.session > best->second.session))
                best = it;
        return best;
    }

    void route(cluster::Effect effect)
    {
        if (const auto* welcome = std::get_if<cluster::WelcomeNode>(&effect)) {
            if (auto link = link_of(welcome->session); link != links_.end()) {
                link->second.welcome = true;
                const auto& s = controller_.truth().settings;
                to_node(link, node::Welcomed{cluster_name(), controller_.epoch(), link->second.session, s.heartbeat, s.kill_grace});
            }
            return;
        }
        if (const auto* refused = std::get_if<cluster::RefuseNode>(&effect))
            broken("a node was refused: {}", refused->reason);
        if (const auto* start = std::get_if<cluster::StartOnNode>(&effect))
            order(start->node, start_order(*start));
        else if (const auto* stop = std::get_if<cluster::StopOnNode>(&effect))
            order(stop->node, stop_order(*stop));
        else if (const auto* signal = std::get_if<cluster::SignalOnNode>(&effect))
            order(signal->node, node::SignalOrder{{signal->job.job, signal->job.incarnation}, signal->signal, signal->batch_only});
        else if (const auto* ack = std::get_if<cluster::AckOnNode>(&effect))
            order(ack->node, node::AckEnded{{ack->job.job, ack->job.incarnation}});
    }

    std::string cluster_name() const { return {controller_.uuid().begin(), controller_.uuid().end()}; }

    static node::StartOrder start_order(const cluster::StartOnNode& start)
    {
        node::StartOrder order;
        order.key = {start.job.job, start.job.incarnation};
        order.role = start.member ? node::Role::member : node::Role::script;
        order.request = *start.request;
        order.node_count = static_cast<std::uint32_t>(start.placement->nodes.size());
        for (const auto& part : start.placement->nodes)
            if (part.node == start.node)
                order.placement = part;
        return order;
    }

    static node::StopOrder stop_order(const cluster::StopOnNode& stop)
    {
        const auto why = stop.why == cluster::StopWhy::unknown    ? node::StopWhy::unknown
                         : stop.why == cluster::StopWhy::finished ? node::StopWhy::finished
                                                                  : node::StopWhy::cancelled;
        return {{stop.job.job, stop.job.incarnation}, why, stop.cause};
    }

    void order(NodeId node, node::Order order)
    {
        auto link = link_of(node);
        if (link == links_.end())
            return;
        node::FromController message{controller_.epoch(), link->second.session, ++link->second.sent_serial, std::move(order)};
        to_node(link, std::move(message));
    }

    void to_node(std::map<std::uint64_t, Link>::iterator link, node::Input message)
    {
        if (!link->second.deaf)
            over_network([node = link->second.node, number = link->first, message = std::move(message)] { node->receive(number, message); });
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
        switch (world_.below(9)) {
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
            if (!links_.empty())
                cut(std::next(links_.begin(), static_cast<std::ptrdiff_t>(world_.below(links_.size())))->first, "fault");
            break;
        case 5:
            ++world_.count["fault: wall clock jumped"];
            controller_.jump_wall(world_.between(-1h, 1h));
            break;
        case 6: half_cut(node); break;
        case 7:
            ++world_.count["node set down"];
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

    // One direction of a node's connection carries nothing any more, for a while, and nobody is told.
    void half_cut(SimNode& node)
    {
        const auto link = links_.find(node.connection);
        if (link == links_.end())
            return;
        ++world_.count["fault: connection cut in one direction"];
        const bool dumb = world_.chance(0.5);
        (dumb ? link->second.dumb : link->second.deaf) = true;
        world_.after(world_.between(1s, 20min), [this, number = link->first] {
            if (const auto again = links_.find(number); again != links_.end())
                again->second.dumb = again->second.deaf = false;
        });
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
        if (!controller_.up())
            controller_.start();
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
            clients_.release_all();
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
            if (const auto job = controller_.truth().find(id); !job || !holds_resources(job->state) || job->incarnation != key.incarnation)
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
    }

    std::string describe(JobId id) const
    {
        const auto job = controller_.truth().find(id);
        return job ? fmt::format("{} as incarnation {}", name(job->state), job->incarnation) : "forgotten";
    }
};

} // namespace

std::map<std::string, std::uint64_t> simulate(std::uint64_t seed, const Options& options)
{
    return Simulation(seed, options).run();
}

} // namespace jarvis::sim
