// The feed of events: the newest groups in memory, for whoever reads along. The replica's thread puts each durable group in;
// readers are on the front's loop, keep their place themselves, and read older groups from the journal. So a slow reader
// holds up nobody and costs no memory.
#pragma once

#include "cluster/events.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <mutex>
#include <set>

namespace jarvis::jctld {

namespace asio = boost::asio;

// A group, and how elapsed time was wall time then.
struct FeedItem {
    cluster::EventGroup group;
    Duration wall_offset{};
};
using FeedItemPtr = std::shared_ptr<const FeedItem>;

class EventFeed {
    asio::any_io_executor executor_;
    std::mutex mutex_;
    std::deque<FeedItemPtr> items_;
    std::size_t events_ = 0; // in the items
    SequenceNumber last_;
    std::set<asio::steady_timer*> waiters_;
    bool waking_ = false; // a wake() is on its way

    void wake();

public:
    // `last` is the newest group of the recovery; waiting is done on the executor.
    EventFeed(asio::any_io_executor executor, SequenceNumber last) : executor_(std::move(executor)), last_(last) {}

    // From the replica's thread.
    void push(FeedItem item);
    SequenceNumber last();

    struct Part {
        std::vector<FeedItemPtr> items;
        SequenceNumber first; // that is in memory
    };
    // Some groups from `from` on, none when there are none yet, or when `from` is before the first in memory.
    Part from(SequenceNumber from, std::size_t groups);

    // While it lives, push() ends its wait. Made before from() is asked, it misses nothing.
    class Waiter {
        EventFeed& feed_;
        asio::steady_timer timer_;

    public:
        explicit Waiter(EventFeed& feed);
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter();
        asio::awaitable<void> wait(std::chrono::milliseconds limit);
    };
};

} // namespace jarvis::jctld
