// A bounded queue from many threads to one.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace jarvis::daemon {

// Items come out in the order in which they went in, in batches. When it is full, push says no and the item stays with
// the caller, who answers "busy" or waits: nothing is dropped silently and nobody is blocked.
template <class T>
class Mailbox {
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<T> items_;
    std::size_t bound_;
    bool closed_ = false;
    std::function<void()> wake_;

    std::vector<T> cut(std::size_t max)
    {
        std::vector<T> batch;
        batch.reserve(std::min(max, items_.size()));
        while (!items_.empty() && batch.size() < max) {
            batch.push_back(std::move(items_.front()));
            items_.pop_front();
        }
        return batch;
    }

public:
    // `wake` is called, on the pushing thread, when the mailbox stops being empty and when it closes: a consumer that is a
    // strand posts itself there, and takes until a batch is empty. It must not call the mailbox.
    explicit Mailbox(std::size_t bound, std::function<void()> wake = {}) : bound_(bound), wake_(std::move(wake)) {}
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    // False, and `item` untouched, when the mailbox is full or closed.
    [[nodiscard]] bool push(T&& item)
    {
        bool was_empty;
        {
            std::lock_guard lock(mutex_);
            if (closed_ || items_.size() >= bound_)
                return false;
            was_empty = items_.empty();
            items_.push_back(std::move(item));
        }
        if (was_empty) {
            ready_.notify_one();
            if (wake_)
                wake_();
        }
        return true;
    }

    // What is there now, at most `max` items.
    std::vector<T> take(std::size_t max)
    {
        std::lock_guard lock(mutex_);
        return cut(max);
    }
    // Waits for items; an empty batch means that the mailbox is closed and everything was taken.
    std::vector<T> wait(std::size_t max)
    {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [this] { return closed_ || !items_.empty(); });
        return cut(max);
    }
    // Waits no longer than `limit`; an empty batch means that too.
    std::vector<T> wait_for(std::size_t max, std::chrono::milliseconds limit)
    {
        std::unique_lock lock(mutex_);
        ready_.wait_for(lock, limit, [this] { return closed_ || !items_.empty(); });
        return cut(max);
    }

    // Takes no more items; those that are there can still be taken.
    void close()
    {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        ready_.notify_all();
        if (wake_)
            wake_();
    }
    bool closed() const
    {
        std::lock_guard lock(mutex_);
        return closed_;
    }
    std::size_t size() const
    {
        std::lock_guard lock(mutex_);
        return items_.size();
    }
};

} // namespace jarvis::daemon
