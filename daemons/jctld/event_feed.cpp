#include "event_feed.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace jarvis::jctld {

namespace {

// Enough for readers that keep up, and a few megabytes.
constexpr std::size_t events_in_memory = 10'000;

} // namespace

void EventFeed::push(FeedItem item)
{
    auto shared = std::make_shared<const FeedItem>(std::move(item));
    std::lock_guard lock(mutex_);
    last_ = shared->group.sequence;
    events_ += shared->group.events.size();
    items_.push_back(std::move(shared));
    while (events_ > events_in_memory && items_.size() > 1) {
        events_ -= items_.front()->group.events.size();
        items_.pop_front();
    }
    if (!waiters_.empty() && !std::exchange(waking_, true))
        asio::post(executor_, [this] { wake(); });
}

void EventFeed::wake()
{
    std::lock_guard lock(mutex_);
    waking_ = false;
    for (auto* timer : waiters_)
        timer->cancel();
}

SequenceNumber EventFeed::last()
{
    std::lock_guard lock(mutex_);
    return last_;
}

EventFeed::Part EventFeed::from(SequenceNumber from, std::size_t groups)
{
    std::lock_guard lock(mutex_);
    Part part{.items = {}, .first = items_.empty() ? SequenceNumber{last_.value + 1} : items_.front()->group.sequence};
    if (from < part.first)
        return part;
    // Sequence numbers have no gaps.
    for (auto at = from.value - part.first.value; at < items_.size() && part.items.size() < groups; ++at)
        part.items.push_back(items_[at]);
    return part;
}

EventFeed::Waiter::Waiter(EventFeed& feed) : feed_(feed), timer_(feed.executor_)
{
    std::lock_guard lock(feed_.mutex_);
    feed_.waiters_.insert(&timer_);
}

EventFeed::Waiter::~Waiter()
{
    std::lock_guard lock(feed_.mutex_);
    feed_.waiters_.erase(&timer_);
}

asio::awaitable<void> EventFeed::Waiter::wait(std::chrono::milliseconds limit)
{
    timer_.expires_after(limit);
    (void)co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

} // namespace jarvis::jctld
