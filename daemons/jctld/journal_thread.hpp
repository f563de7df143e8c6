// The journal's thread: takes what the owner decided, stores it in groups of groups with one fsync, and hands it to the
// replica. When the storage fails, the outcome of what was under way is unknown: everything in flight is answered so, the
// storage is reopened, what is really there goes to the replica, and the owner starts again from that.
#pragma once

#include "blob_cache.hpp"
#include "cluster/owner.hpp"
#include "replica.hpp"
#include "store.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace jarvis::jctld {

// Counts the restarts of the owner; what an earlier one decided is void.
using Generation = std::uint64_t;

struct Decided {
    Generation generation = 0;
    cluster::Batch batch;
    bool use_reserve = false;
};

class JournalThread {
public:
    struct Listeners {
        // Replies of batches that are void.
        std::function<void(std::vector<cluster::Effect>, const Error&)> reject;
        // The owner goes on from this state, as this generation; it decided nothing since `failed` was called.
        std::function<void(cluster::State, Generation)> restart_owner;
        // What is decided from now on is void, until restart_owner.
        std::function<void(Error)> failed;
    };

private:
    Store& store_;
    BlobCache& blobs_;
    Replica& replica_;
    ControllerMetrics& metrics_;
    Listeners listeners_;
    SequenceNumber handed_; // the last group that the replica was given
    Generation generation_ = 0;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Decided> queue_;
    bool closed_ = false;
    std::jthread thread_;

    void run();
    std::vector<Decided> next(std::chrono::milliseconds limit);
    bool ended();
    void process(std::vector<Decided> decided);
    plugin::Append append(const std::vector<Decided>& decided);
    void hand_on(Decided decided);
    void reject(std::vector<Decided> decided, const Error& error);
    void recover();
    Result<void> reopen_and_replay();
    cluster::State copy_of_replica();

public:
    JournalThread(Store& store, BlobCache& blobs, Replica& replica, ControllerMetrics& metrics, SequenceNumber last, Listeners listeners);
    ~JournalThread();
    void start();
    // Stores what is queued and ends.
    void stop();
    // From the owner's thread: waits while too much is queued.
    void push(Decided decided);
};

} // namespace jarvis::jctld
