// The query replica: a follower with a state of its own, on a thread of its own. It answers queries, so that no query ever
// touches the owner's state, and it passes on what is durable: first to the other followers, then replies and effects to the
// front. A reply therefore leaves only when the replica knows what it says.
#pragma once

#include "cluster/owner.hpp"
#include "cluster/reasons.hpp"
#include "ended_jobs.hpp"
#include "event_counter.hpp"
#include "event_feed.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace jarvis::jctld {

// A group that is durable, with what was to follow from it. Recovered groups have no effects.
struct Durable {
    cluster::Batch batch;
};

class Replica {
public:
    struct Listeners {
        // The front: replies and effects of one batch, and the jobs that ended. Sequence is of the last durable group.
        std::function<void(SequenceNumber, std::vector<cluster::Effect>, EndedIds ended)> publish;
        std::function<void(EndedJobs)> history;
        std::function<void(FeedItem)> feed;
        // Asked after every group; true: a snapshot is wanted, and gets a copy of the state.
        std::function<bool(std::size_t events, std::size_t jobs)> snapshot_due;
        std::function<void(cluster::StoredState)> snapshot;
    };
    using Question = std::move_only_function<void(const Replica&)>;

private:
    cluster::State state_;
    cluster::AdviceBoard board_;
    NodeBriefs briefs_;
    bool briefs_stale_ = false;      // a node has come since
    std::set<NodeId> registered_;    // since the briefs were made
    EventCounter counter_;
    Listeners listeners_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Durable> groups_;     // always before questions, so that no question holds up a reply
    std::deque<Question> questions_;
    bool closed_ = false;
    std::jthread thread_;

    void run();
    void take(Durable durable);
    void refresh_briefs();
    EndedIds take_events(const cluster::EventGroup& group);

public:
    Replica(cluster::State state, ControllerMetrics& metrics, Listeners listeners);
    ~Replica();
    void start();
    // Takes what is queued and ends.
    void stop();

    // From the journal's thread: waits while the replica is far behind.
    void push(Durable durable);
    // From any thread; false when too many questions wait.
    [[nodiscard]] bool ask(Question question);

    // For questions, on the replica's thread.
    const cluster::State& state() const { return state_; }
    const cluster::AdviceBoard& board() const { return board_; }
    const NodeBriefs& briefs() const { return briefs_; }
    // Hands a copy of the state to the snapshot follower if it wants one; true when it did.
    bool snapshot_if_due(std::size_t events = 0) const;
};


} // namespace jarvis::jctld
