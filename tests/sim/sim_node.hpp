// A node: a machine (boot id, processes, run-time folder) and on it, now and then, a daemon with the node's pure core.
#pragma once

#include "cluster/outcome.hpp"
#include "model/step.hpp"
#include "node/node_core.hpp"
#include "world.hpp"

#include <optional>
#include <set>

namespace jarvis::sim {

// Looks at every process of the cluster, as no part of the product can.
class Witness {
    std::map<JobId, node::JobKey> running_;      // the one process that a job may have
    std::set<node::JobKey> started_;             // every incarnation that ever ran
    std::map<node::JobKey, int> statuses_;       // and how its process ended, if it did by itself or by a signal
    std::set<node::JobKey> over_;                // of which the journal says that they are over
    std::map<JobId, std::string> where_;         // the node of each in `running_`
    std::set<std::pair<std::string, node::JobKey>> condemned_; // by node: over without anybody having seen it, since the node was taken to be down
    std::map<std::string, std::map<node::JobKey, CoreSet>> cores_;
    std::map<node::JobKey, std::set<std::string>> prepared_; // members that were ready once

    std::map<node::JobKey, std::vector<std::uint32_t>> steps_; // in the order of their ends
    std::map<node::JobKey, std::uint64_t> journaled_steps_;

    void hold(const std::string& node, node::JobKey key, const CoreSet& cores);

public:
    // The script of a job on so many nodes.
    void started(const std::string& node, node::JobKey key, const CoreSet& cores, std::uint32_t node_count);
    void ended(const std::string& node, node::JobKey key, std::optional<int> wait_status);
    // The part of a job on a node that is not its first: it holds cores, and nothing runs there by itself.
    void member_prepared(const std::string& node, node::JobKey key, const CoreSet& cores);
    void member_ended(const std::string& node, node::JobKey key) { cores_[node].erase(key); }
    // The journal says that this incarnation is over, with this exit code if it had one: it must be so, for good.
    void over(node::JobKey key, std::optional<int> exit_code);
    // Each step comes into the journal once, and in its order.
    void step_ended(node::JobKey key, std::uint32_t step) { steps_[key].push_back(step); }
    void steps_journaled(node::JobKey key, std::uint64_t first, const std::vector<StepEnd>& steps);
    // The journal says that this node is down, and a part of this incarnation was on it: it may be over before it ends there.
    void condemn(const std::string& node, node::JobKey key) { condemned_.emplace(node, key); }
    const std::map<JobId, node::JobKey>& running() const { return running_; }
    const std::string& node_of(JobId running) const { return where_.at(running); }
    bool quiet() const { return running_.empty(); }
};

class SimNode {
public:
    struct Outside {
        // To the controller, over this connection; lost if that is no more.
        std::function<void(SimNode&, std::uint64_t connection, node::Send)> send;
        std::function<void(SimNode&)> connect; // the daemon would like to
        std::function<void(SimNode&)> hang_up; // the daemon is gone
        // Ends of a job's steps, over this connection.
        std::function<void(SimNode&, std::uint64_t connection, node::JobKey, std::uint64_t first, std::vector<StepEnd>)> steps;
    };

    SimNode(World& world, Witness& witness, std::string name, Topology topology, Outside outside);

    const std::string& name() const { return name_; }
    bool daemon_up() const { return daemon_.has_value(); }
    cluster::Registration registration() const;
    // Not declared: it joins a class by its certificate.
    bool certified() const { return name_.starts_with('g'); }
    // The run-time folder and the processes are empty.
    bool quiet() const { return folder_.empty() && processes_.empty(); }
    bool busy() const { return !processes_.empty(); }

    void start_daemon();
    void kill_daemon();
    void reboot();
    // Its clock goes forward at once, as that of a machine that was suspended.
    void jump_clock(Duration by);
    // A connection was made, with this number; the controller greeted.
    void connected(std::uint64_t connection, const std::string& cluster, Epoch epoch);
    void disconnected(std::uint64_t connection);
    void receive(std::uint64_t connection, node::Input message);
    // The controller has journaled the ends of these steps, or does not want them.
    void steps_acknowledged(node::JobKey key, std::uint64_t through);

    std::uint64_t connection = 0; // 0: none

private:
    struct Process {
        CoreSet cores;
        bool ignores_term = false;
        std::uint64_t life = 0;
        bool member = false;
        int status = 0;              // with which it will exit
        bool shepherd_dies = false;
        Duration until{};            // the world's time of its end; of a frozen one, what is left
        bool frozen = false;
    };
    // What is in a job's run-time folder.
    struct Record {
        node::StartOrder order;
        Epoch epoch;
        std::string cluster, boot_id;
        Instant started;
        std::optional<node::Stop> stop;
        std::optional<Instant> stopped; // when that was
        node::Suspensions suspensions{};
        std::optional<node::ExitFacts> exit;
        std::vector<StepEnd> steps{};      // all that have ended
        std::uint64_t steps_acknowledged = 0;
    };

    World& world_;
    Witness& witness_;
    std::string name_;
    Topology topology_;
    Outside outside_;
    double clock_rate_;       // against the world's
    Duration clock_shift_{};
    std::uint64_t boots_ = 1;
    std::uint64_t life_ = 0; // of the daemon
    std::uint64_t process_lives_ = 0;
    std::map<node::JobKey, Record> folder_;
    std::map<node::JobKey, Process> processes_;
    std::optional<node::State> daemon_;
    Instant daemon_since_{};
    std::uint64_t wake_ = 0;

    std::string boot_id() const { return fmt::format("{}-{}", name_, boots_); }
    Instant clock() const { return Instant(Duration(static_cast<std::int64_t>(static_cast<double>(world_.now.count()) * clock_rate_)) + clock_shift_); }
    void step(node::Input input);
    void plan_wake();
    void carry_out(node::Effect effect);
    void launch(const node::Launch& launch);
    void run_process(node::JobKey key);
    void run_member(node::JobKey key);
    void finish_member(const node::FinishMember& finish);
    void end_process(node::JobKey key, std::optional<int> wait_status, bool record);
    void signal(const node::SignalJob& signal);
    void freeze(const node::Freeze& freeze);
    void plan_end(node::JobKey key);
    void end_steps(node::JobKey key);
    void tell_steps(node::JobKey key);
    void check_deadlines(node::JobKey key) const;
    node::Recovered recovered() const;
};

} // namespace jarvis::sim
