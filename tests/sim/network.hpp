// What lies between people, controller and nodes: messages that are late, lost, doubled or overtaken, and the connections of
// nodes as the controller's front keeps them, which are cut, or carry nothing any more in one direction.
#pragma once

#include "sim_controller.hpp"
#include "sim_node.hpp"
#include "world.hpp"

namespace jarvis::sim {

class Network {
    struct Link {
        SimNode* node = nullptr;
        cluster::SessionId session = 0; // of its last Register
        bool welcome = false;
        std::uint64_t sent_serial = 0, taken_serial = 0;
        Duration heard{}; // when something of its session came last
        bool dumb = false, deaf = false; // nothing comes from it; nothing gets to it
    };
    using LinkPlace = std::map<std::uint64_t, Link>::iterator;

    World& world_;
    SimController& controller_;
    std::uint64_t last_connection_ = 0;
    cluster::SessionId last_session_ = 0;
    std::map<std::uint64_t, Link> links_;

    void listen(std::uint64_t connection);
    void lost(std::uint64_t connection);
    void cut(std::uint64_t connection, std::string_view why);
    LinkPlace link_of(cluster::SessionId session);
    LinkPlace link_of(NodeId id);
    std::string cluster_name() const;
    void order(NodeId node, node::Order order);
    void acknowledge(const cluster::AckStepsOnNode& steps);
    void to_node(LinkPlace link, node::Input message);

public:
    Network(World& world, SimController& controller) : world_(world), controller_(controller) {}

    // In bad times late, lost or doubled; each `deliver` is called once.
    template <class F>
    void send(F deliver)
    {
        using namespace std::chrono_literals;
        if (world_.fault(world_.loss)) {
            ++world_.count["fault: message lost"];
            return;
        }
        if (world_.fault(0.02)) {
            ++world_.count["fault: message doubled"];
            world_.after(world_.between(1ms, 2min), deliver);
        }
        world_.after(world_.between(50us, world_.fault(0.02) ? Duration(30s) : Duration(5ms)), std::move(deliver));
    }

    // A node's daemon would like to have a connection; it is gone.
    void dial(SimNode& node);
    void hang_up(SimNode& node);
    void from_node(SimNode& node, std::uint64_t connection, node::Send sent);
    void steps_from_node(SimNode& node, std::uint64_t connection, node::JobKey key, std::uint64_t first, std::vector<StepEnd> steps);
    // An effect of the controller, to the node or connection that it names.
    void route(cluster::Effect effect);
    // The controller is gone, and every connection with it.
    void drop_all();

    // Faults.
    void cut_one();
    void half_cut(SimNode& node);
    void heal();
    // The node is welcome, and both directions carry.
    bool is_well_connected(const std::string& node) const;
};

} // namespace jarvis::sim
