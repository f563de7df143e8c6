#include "replica.hpp"

#include "cluster/apply.hpp"
#include "daemon/process.hpp"

namespace jarvis::jctld {

namespace {

// What may wait here: the journal's thread waits when there are more groups, and one question more is refused.
constexpr std::size_t groups_bound = 1024;
constexpr std::size_t questions_bound = 4096;

bool changes_nodes(const cluster::Event& event)
{
    return std::holds_alternative<cluster::NodeRegistered>(event) || std::holds_alternative<cluster::Configured>(event);
}

} // namespace

Replica::Replica(cluster::State state, ControllerMetrics& metrics, Listeners listeners)
    : state_(std::move(state)), briefs_(make_briefs(state_)), counter_(metrics, state_), listeners_(std::move(listeners))
{
}

Replica::~Replica()
{
    stop();
}

void Replica::start()
{
    thread_ = std::jthread([this] {
        daemon::name_thread("replica");
        run();
    });
}

void Replica::stop()
{
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void Replica::push(Durable durable)
{
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return groups_.size() < groups_bound || closed_; });
    groups_.push_back(std::move(durable));
    lock.unlock();
    changed_.notify_all();
}

bool Replica::ask(Question question)
{
    {
        std::lock_guard lock(mutex_);
        if (closed_ || questions_.size() >= questions_bound)
            return false;
        questions_.push_back(std::move(question));
    }
    changed_.notify_all();
    return true;
}

void Replica::run()
{
    for (;;) {
        std::deque<Durable> groups;
        std::optional<Question> question;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return closed_ || !groups_.empty() || !questions_.empty(); });
            groups.swap(groups_);
            if (groups.empty() && !questions_.empty()) {
                question = std::move(questions_.front());
                questions_.pop_front();
            }
        }
        if (groups.empty() && !question)
            return;
        if (!groups.empty())
            changed_.notify_all(); // there is room again
        for (auto& durable : groups)
            take(std::move(durable));
        if (question) {
            refresh_briefs();
            (*question)(*this);
        }
    }
}

// Made when somebody looks, not for each of a thousand nodes that come back one after the other.
void Replica::refresh_briefs()
{
    if (std::exchange(briefs_stale_, false))
        briefs_ = make_briefs(state_, briefs_, std::exchange(registered_, {}));
}

EndedIds Replica::take_events(const cluster::EventGroup& group)
{
    EndedCollector collector;
    bool nodes_changed = false;
    for (const auto& event : group.events) {
        collector.before(state_, event, group.at);
        counter_.before(state_, event);
        cluster::apply(state_, event, group.at);
        collector.after(state_, event);
        counter_.after(state_, event);
        nodes_changed |= changes_nodes(event);
        if (const auto* registered = std::get_if<cluster::NodeRegistered>(&event))
            registered_.insert(registered->node);
    }
    state_.sequence = group.sequence;
    counter_.after_group(state_, group);
    briefs_stale_ |= nodes_changed;
    auto ended = collector.take_ids();
    if (briefs_->size() < state_.nodes.size())
        refresh_briefs(); // what ended may have run on the new ones
    auto for_history = collector.take(group.sequence);
    for_history.nodes = briefs_;
    listeners_.history(std::move(for_history));
    (void)snapshot_if_due(group.events.size());
    return ended;
}

bool Replica::snapshot_if_due(std::size_t events) const
{
    if (!listeners_.snapshot_due(events, state_.jobs.size()))
        return false;
    listeners_.snapshot(state_);
    return true;
}

void Replica::take(Durable durable)
{
    auto& group = durable.batch.group;
    EndedIds ended;
    if (!group.events.empty()) {
        ended = take_events(group);
        listeners_.feed({std::move(group), state_.wall_offset});
    }
    for (auto& advice : durable.batch.advice)
        board_[advice.partition] = std::move(advice);
    listeners_.publish(state_.sequence, std::move(durable.batch.effects), std::move(ended));
}

} // namespace jarvis::jctld
