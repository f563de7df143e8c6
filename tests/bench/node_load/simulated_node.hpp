// A node without a machine: the product's node core, its connection and its messages, and jobs that only take time.
#pragma once

#include "controller_link.hpp"
#include "daemon/task_group.hpp"
#include "messages.hpp"
#include "node/node_core.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>

namespace jarvis::bench {

namespace asio = boost::asio;

// What all nodes have counted since the start. Each is written by any node's thread.
struct Counts {
    using Counter = std::atomic<std::uint64_t>;
    Counter welcomed = 0;        // nodes that the controller knows as connected now
    Counter registrations = 0;   // Register messages sent
    Counter reports = 0;         // full reports: heartbeats
    Counter from_nodes = 0;      // messages of all kinds, after the Hello
    Counter to_nodes = 0;
    Counter launched = 0;        // simulated processes
    Counter ended = 0;
    Counter signalled = 0;       // of those, by a signal
    Counter forgotten = 0;       // records removed: the end is journaled
    Counter launched_twice = 0;  // one incarnation; must not happen
    Counter refused = 0;         // the node core closed a connection
    Counter last_welcome_us = 0; // CLOCK_MONOTONIC

    void add(Counter& counter, std::uint64_t n = 1) { counter.fetch_add(n, std::memory_order_relaxed); }
};

// How long jobs run: about so long, each a little longer or shorter by its id, so that ends do not come in waves.
using RunTime = std::atomic<std::int64_t>; // microseconds

class SimulatedNode {
    struct Process {
        asio::steady_timer timer;
        Instant started;
    };

    asio::io_context& io_;
    Counts& counts_;
    const RunTime& run_time_;
    noded::Registration registration_;
    node::State core_;
    std::deque<node::Input> inputs_;
    bool stepping_ = false;
    bool welcomed_ = false;
    std::optional<Instant> armed_;
    asio::steady_timer wake_;
    std::map<node::JobKey, Process> processes_;
    std::set<node::JobKey> launched_;
    noded::ControllerLink controller_;
    daemon::TaskGroup tasks_; // last: its task refers to the above

    noded::ControllerEvents controller_events();
    void feed(node::Input input);
    void arm_wake();
    void set_welcomed(bool welcomed);
    void execute(node::Launch& launch);
    void execute(node::RecordStop&) {}
    void execute(node::RecordSuspensions&) {}
    void execute(node::Freeze&) {}
    void execute(node::SignalJob& signal);
    void execute(node::FinishMember& finish);
    void execute(node::RemoveRecord& record);
    void execute(node::Send& send);
    void execute(node::CloseConnection& close);
    void end_process(const node::JobKey& key, std::int32_t wait_status);

public:
    SimulatedNode(asio::io_context& io, noded::ControllerLinkOptions link, noded::Registration registration, Counts& counts,
                  const RunTime& run_time);
    // On the loop's thread, as everything else here.
    void start();
    void stop();
};

} // namespace jarvis::bench
