// Snapshots: a follower that writes the replica's state to the storage, on a thread of its own, checks what it wrote, and
// then lets older journal, older snapshots and unnamed blobs go.
#pragma once

#include "cluster/state.hpp"
#include "history_follower.hpp"
#include "store.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace jarvis::jctld {

class SnapshotFollower {
public:
    struct Written {
        SequenceNumber sequence;
        std::string note; // what the check said
    };
    using Done = std::function<void(Result<Written>)>;
    // Whether a snapshot serves who wants it: a note for them, or why it does not.
    using Check = std::function<Result<std::string>(const cluster::StoredState&)>;

private:
    struct Wish {
        Done done;
        Check check;
    };
    Store& store_;
    HistoryFollower& history_;
    std::size_t interval_;
    std::atomic<std::size_t> events_since_; // the last snapshot
    std::size_t events_in_ = 0;             // those that the one that is being written has
    std::atomic<bool> wanted_{false}, busy_{false};

    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<cluster::StoredState> state_;
    std::vector<Wish> waiting_;
    bool closed_ = false;
    std::jthread thread_;

    void run();
    void put_off(SequenceNumber sequence, std::size_t events, const Error& why);
    static void tell(const Wish& wish, const cluster::StoredState& state, const Result<void>& result);
    Result<void> write(const cluster::StoredState& state);
    Result<void> verify(const cluster::StoredState& state);
    Result<void> let_go(const cluster::StoredState& state);

public:
    // One snapshot for so many events, or, where that is more, for half as many as there are jobs: so the work that an event makes for
    // snapshots does not grow with the queue.
    // `events`: so many there have been since the last one, before this program started.
    SnapshotFollower(Store& store, HistoryFollower& history, std::size_t interval, std::size_t events)
        : store_(store), history_(history), interval_(interval), events_since_(events)
    {
    }
    ~SnapshotFollower();
    void start();
    void stop();

    // From the replica's thread.
    bool due(std::size_t events, std::size_t jobs);
    void push(cluster::StoredState state);
    // From any thread: `done` is called, on this follower's thread, after the next snapshot that begins. The caller sees
    // to it that the replica looks at due(). The check is of the state that was written.
    void want(Done done, Check check = {});
};

} // namespace jarvis::jctld
