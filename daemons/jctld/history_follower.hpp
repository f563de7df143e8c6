// The accounting history: a follower that writes ended incarnations and steps to the storage's history, on a thread of its own.
// When that fails it tries again until it works; the journal is not trimmed before it has caught up.
#pragma once

#include "ended_jobs.hpp"
#include "store.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace jarvis::jctld {

class HistoryFollower {
    Store& store_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<EndedJobs> queue_;
    bool ends_wait_ = false;  // something in the queue is worth waking up for
    bool closed_ = false;
    SequenceNumber applied_;
    SequenceNumber newest_steps_; // the last group with steps
    std::jthread thread_;

    void run();
    bool apply(const std::vector<EndedJobs>& items);

public:
    HistoryFollower(Store& store, SequenceNumber applied) : store_(store), applied_(applied) {}
    ~HistoryFollower();
    void start();
    // Writes what is queued, unless the storage fails, and ends.
    void stop();

    // From the replica's thread, in the order of the groups; also those that ended nothing.
    void push(EndedJobs ended);
    // The last group whose ends are in the history.
    SequenceNumber applied();
    // Any thread that may block. Waits, but not for ever, until the history has the steps that were pushed. False: it has not.
    bool wait_for_steps(std::chrono::milliseconds limit);
};

} // namespace jarvis::jctld
