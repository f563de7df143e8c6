// The shell around the node core: feeds it what happened and carries out its effects. One loop with one thread owns all of
// it; what may block goes to a pool.
#pragma once

#include "base/box.hpp"
#include "cgroup_tree.hpp"
#include "config/config.hpp"
#include "controller_link.hpp"
#include "daemon/task_group.hpp"
#include "launcher.hpp"
#include "messages.hpp"
#include "node/launch_plan.hpp"
#include "node/node_core.hpp"
#include "node_check.hpp"
#include "node_metrics.hpp"
#include "node_offer.hpp"
#include "peer_link.hpp"
#include "run_folder.hpp"
#include "step_server.hpp"
#include "user_socket.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace jarvis::noded {

// What is found out once, before the daemon runs.
struct Setup {
    config::Config config;
    std::string node_name;
    std::string boot_id;
    config::Node node;     // what the configuration says of it
    std::string signature; // of the machine (topology_change.hpp), from before it was asked for its topology
    Topology topology; // as offered
    bool bound = true; // jobs are bound to cores of it
    std::vector<std::string> notes; // of its discovery
    RunFolder folder;
    std::vector<std::string> own_folders; // where our commands are
    LauncherOptions launcher;
    std::string agent; // jagent's program
    std::vector<HostPort> addresses;                    // of the controller, over TLS
    std::shared_ptr<wire::TlsCredentials> credentials;  // with addresses
};

class NodeDaemon {
    // What the shell must know of a job to reach its processes; the core knows the rest. Kept until RemoveRecord.
    struct Tracked {
        Box<wire::LaunchOrder> order; // until a shepherd was made for it
        std::string cgroup;           // empty: level none
        bool sent = false;            // to the launcher that is connected now, or to an earlier one
        bool followed = false;        // by its pidfd, since its launcher is gone
        std::string unfit{};          // why this node should get no more jobs, seen when it was taken up
        bool stop_reached = false;    // a signal of a stop found somebody
        bool member = false;
        bool repeating = false;       // a stop that found nobody is being repeated
        bool freezing = false;        // so is a freeze or its end
        bool finishing = false;       // a member's shepherd is being told to end
        bool lost = false;            // its shepherd is dead, and what it left is being removed
        bool ended = false;           // the core was told
    };

    NodeMetrics metrics_;
    asio::io_context& io_;
    asio::thread_pool pool_{1};
    asio::thread_pool question_pool_{1}; // for what people ask: it may wait for the kernel, and holds up nothing else
    std::size_t questions_ = 0;          // under way
    Setup setup_;
    node::LaunchSettings launch_settings_;
    Registration registration_;
    node::State core_;
    std::deque<node::Input> inputs_;
    bool stepping_ = false;
    bool swept_ = false;
    bool recovered_ = false;     // the core knows what the run-time folder knew
    std::optional<Instant> armed_;
    asio::steady_timer wake_;
    std::map<node::JobKey, Tracked> jobs_;
    std::shared_ptr<CgroupTree> tree_; // null: confinement level none
    std::string tree_cluster_; // whose jobs are here, and whose tree it is
    bool tree_in_service_ = false; // a service manager keeps launcher and tree
    std::optional<node::Greeted> early_greeting_; // of a controller, before there was a launcher
    bool launcher_runs_ = false;
    bool dialling_ = false;
    Topology known_;         // by whose indexes the jobs here were placed
    bool held_back_ = false; // less than there is is given, until the jobs that were placed by `known_` have ended
    Launcher launcher_;
    ControllerLink controller_;
    UserSocket users_;
    PeerLink peers_;
    StepServer steps_;
    daemon::TaskGroup tasks_; // last: its tasks refer to all of the above

    // node_daemon.cpp: the core's shell
    void feed(node::Input input);
    void step(node::Input input);
    void arm_wake();
    void execute(node::Launch& launch);
    void execute(node::RecordStop& stop);
    void execute(node::SignalJob& signal);
    void execute(node::FinishMember& finish);
    void execute(node::RemoveRecord& record);
    void execute(node::Send& send);
    void execute(node::CloseConnection& close);
    void execute(node::RecordSuspensions& record); // suspension.cpp
    void execute(node::Freeze& freeze);
    bool set_frozen(const node::JobKey& key, const Tracked& job, bool frozen);
    asio::awaitable<void> repeat_freeze(node::JobKey key);
    LauncherEvents launcher_events();
    ControllerEvents controller_events();
    static void distrust(node::Input& input, const Error& why);
    void dial_controller();
    void run_launcher();
    void serve_users();

    // jobs.cpp: launcher, processes and records
    Tracked* living(const node::JobKey& key); // null: not known, or ended
    void send_order(Tracked& job);
    void on_list(const wire::ShepherdList& list);
    void on_launched(const wire::Launched& launched);
    void on_gone(const wire::ShepherdGone& gone);
    void recover(const std::set<node::JobKey>& shepherds);
    node::RecoveredJob take_up(const RunFolder::Record& record, node::RecoveredJob job,
                               const std::set<node::JobKey>& shepherds);
    void look_at_devices(const node::JobKey& key, Tracked& job); // device_watch.cpp
    void finish(const node::JobKey& key);
    void start_following(const node::JobKey& key, Tracked& job);
    asio::awaitable<void> follow(node::JobKey key);
    bool deliver(const node::SignalJob& signal, const Tracked& job);
    asio::awaitable<void> repeat_stop(node::SignalJob signal);
    asio::awaitable<void> await_prepared(node::JobKey key);
    asio::awaitable<void> finish_member(node::JobKey key);
    asio::awaitable<void> lose(node::JobKey key);
    asio::awaitable<bool> clean_cgroup(JobId job); // whether it is gone
    asio::awaitable<void> clean_and_dial();
    asio::awaitable<void> sweep_temporary_folders();

    // steps.cpp: steps of the jobs here
    StepSurroundings step_surroundings();
    void serve_steps();
    void note_end(const node::Input& input);
    void take_up_steps();

    // rediscovery.cpp: changes of the machine
    asio::awaitable<void> watch_machine();
    void adopt(Offer offer);
    std::vector<std::string> lost_under_jobs(const Topology& fresh) const;

    // questions.cpp: what the controller asks for somebody
    void take_question(const wire::NodeQuestion& question);
    asio::awaitable<void> answer_question(wire::NodeQuestion question, wire::ChannelPtr asker);
    asio::awaitable<Result<wire::JobSample>> sample_usage(wire::UsageQuestion question);
    CheckSituation check_situation() const;
    void send_answer(const wire::ChannelPtr& asker, wire::NodeAnswer answer);

    // confinement.cpp: our cgroup tree
    void serve_cluster(const std::string& cluster);
    void prepare_tree(const std::string& cluster);
    void keep_tree(bool launcher);
    Result<std::string> tree_parent(const std::string& tree);
    Result<CgroupTree> open_tree(const std::string& cluster);
    void enter_tree();
    void confine_jobs();
    void add_problem(Confinement level, const std::string& problem);
    std::string choose_private_shm();
    void end_launcher_and_tree();

public:
    NodeDaemon(asio::io_context& io, Setup setup);
    const daemon::Metrics& metrics() const { return metrics_.registry(); }
    void start();
    // The log is opened anew.
    void reload();
    // Ends in order and leaves jobs and launcher running; the loop then runs out of work.
    void stop();
};

} // namespace jarvis::noded
