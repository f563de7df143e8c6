// The thread that owns the state: takes commands from everywhere, decides them in batches, and pushes what came of it to
// the journal. The only code that touches the owner's state.
#pragma once

#include "cluster/owner.hpp"
#include "daemon/mailbox.hpp"
#include "journal_thread.hpp"
#include "store.hpp"

#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace jarvis::jctld {

// Elapsed time of the cluster, read off CLOCK_BOOTTIME.
class ElapsedTime {
    Duration offset_{};

public:
    // Goes on where the state left off: by CLOCK_BOOTTIME if the machine has not rebooted since, else by wall time.
    static cluster::BootClock resume(const cluster::State& state, const std::string& boot_id);
    explicit ElapsedTime(Duration offset) : offset_(offset) {}
    Instant now() const;
};

class OwnerThread {
    Store& store_;
    JournalThread& journal_;
    std::function<void(cluster::Token, const Error&)> reject_;
    std::optional<cluster::Owner> owner_; // nothing while the storage has failed
    ElapsedTime clock_;
    Generation generation_ = 0;
    daemon::Mailbox<cluster::Command> mailbox_;
    std::chrono::steady_clock::time_point wall_checked_{};
    bool begun_ = false; // the first command of this run of the controller was decided

    std::mutex mutex_; // of what the journal's thread leaves here
    std::optional<std::pair<cluster::State, Generation>> restart_;
    std::optional<Error> failure_;
    std::jthread thread_;

    void run();
    std::chrono::milliseconds patience() const;
    std::optional<Error> look_for_restart();
    void add_clock_commands(std::vector<cluster::Command>& commands);
    void decide(std::vector<cluster::Command> commands, plugin::StorageCondition condition);
    void reject(const std::vector<cluster::Command>& commands, const Error& error);

public:
    OwnerThread(Store& store, JournalThread& journal, cluster::State state, ElapsedTime clock,
                std::function<void(cluster::Token, const Error&)> reject);
    ~OwnerThread();
    void start();
    // Decides what is queued and ends.
    void stop();

    // From any thread. False when too many commands wait: the caller says "busy".
    [[nodiscard]] bool push(cluster::Command command) { return mailbox_.push(std::move(command)); }

    // From the journal's thread.
    void fail(Error error);
    void restart(cluster::State state, Generation generation);
};

} // namespace jarvis::jctld
