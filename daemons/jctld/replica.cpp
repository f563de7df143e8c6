#include "replica.hpp"

#include "cluster/apply.hpp"

namespace jarvis::jctld {

namespace {

// Questions and groups that may wait; the journal's thread waits when it is full, a question is refused.
constexpr std::size_t mailbox_bound = 4096;

bool changes_nodes(const cluster::Event& event)
{
    return std::holds_alternative<cluster::NodeRegistered>(event) || std::holds_alternative<cluster::Configured>(event);
}

} // namespace

Replica::Replica(cluster::State state, Listeners listeners)
    : state_(std::move(state)), briefs_(make_briefs(state_)), listeners_(std::move(listeners)), mailbox_(mailbox_bound)
{
}

Replica::~Replica()
{
    stop();
}

void Replica::start()
{
    thread_ = std::jthread([this] { run(); });
}

void Replica::stop()
{
    mailbox_.close();
    if (thread_.joinable())
        thread_.join();
}

void Replica::push(Durable durable)
{
    std::variant<Durable, Question> item(std::move(durable));
    while (!mailbox_.push(std::move(item)) && !mailbox_.closed())
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void Replica::run()
{
    for (;;) {
        auto items = mailbox_.wait(256);
        if (items.empty())
            return;
        for (auto& item : items) {
            if (auto* durable = std::get_if<Durable>(&item))
                take(std::move(*durable));
            else
                std::get<Question>(item)(*this);
        }
    }
}

std::vector<JobId> Replica::take_events(const cluster::EventGroup& group)
{
    EndedCollector collector;
    bool nodes_changed = false;
    for (const auto& event : group.events) {
        collector.before(state_, event, group.at);
        cluster::apply(state_, event, group.at);
        collector.after(state_, event);
        nodes_changed |= changes_nodes(event);
    }
    state_.sequence = group.sequence;
    if (nodes_changed)
        briefs_ = make_briefs(state_);
    auto jobs = collector.take();
    std::vector<JobId> ended;
    for (const auto& job : jobs)
        ended.push_back(job->id);
    listeners_.history({group.sequence, std::move(jobs), briefs_});
    (void)snapshot_if_due(group.events.size());
    return ended;
}

bool Replica::snapshot_if_due(std::size_t events) const
{
    if (!listeners_.snapshot_due(events))
        return false;
    listeners_.snapshot(state_);
    return true;
}

void Replica::take(Durable durable)
{
    auto& group = durable.batch.group;
    std::vector<JobId> ended;
    if (!group.events.empty())
        ended = take_events(group);
    for (auto& advice : durable.batch.advice)
        board_[advice.partition] = std::move(advice);
    listeners_.publish(state_.sequence, std::move(durable.batch.effects), std::move(ended));
}

} // namespace jarvis::jctld
