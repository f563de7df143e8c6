// The order in which the jobs of one partition start.
#pragma once

#include "base/ids.hpp"

#include <compare>
#include <cstdint>
#include <optional>

#include <absl/container/btree_set.h>

namespace jarvis::sched {

// Ordered so that the job that should start first comes first: higher priority, then the older job.
struct QueueKey {
    std::int64_t priority = 0;
    JobNumber job;

    friend std::strong_ordering operator<=>(const QueueKey& a, const QueueKey& b)
    {
        if (auto order = b.priority <=> a.priority; order != 0)
            return order;
        return a.job <=> b.job;
    }
    friend bool operator==(const QueueKey&, const QueueKey&) = default;
};

// The jobs of one partition that may start as far as they themselves are concerned: pending, not held, begin time
// reached. Inserting, removing and finding the head cost a logarithm, however many jobs wait.
class JobQueue {
    absl::btree_set<QueueKey> keys_;

public:
    void insert(QueueKey key) { keys_.insert(keys_.end(), key); } // most come last
    void erase(QueueKey key) { keys_.erase(key); }
    std::size_t size() const { return keys_.size(); }
    const absl::btree_set<QueueKey>& keys() const { return keys_; }

    // Strict order: the job that starts next is the head, and while it does not fit nothing behind it starts.
    std::optional<JobId> next() const
    {
        if (keys_.empty())
            return std::nullopt;
        return JobId{keys_.begin()->job.value};
    }

    friend bool operator==(const JobQueue&, const JobQueue&) = default;
};

} // namespace jarvis::sched
