#include "snapshot_follower.hpp"

#include "allocator.hpp"
#include "daemon/log.hpp"
#include "daemon/process.hpp"
#include "journal/codec.hpp"
#include "journal/snapshot_comparer.hpp"

#include <algorithm>

namespace jarvis::jctld {

SnapshotFollower::~SnapshotFollower()
{
    stop();
}

void SnapshotFollower::start()
{
    thread_ = std::jthread([this] {
        daemon::name_thread("snapshots");
        run();
    });
}

void SnapshotFollower::stop()
{
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

bool SnapshotFollower::due(std::size_t events, std::size_t jobs)
{
    const auto since = events_since_.fetch_add(events) + events;
    return (wanted_ || since >= std::max(interval_, jobs / 2)) && !busy_;
}

void SnapshotFollower::push(cluster::StoredState state)
{
    wanted_ = false;
    busy_ = true;
    {
        std::lock_guard lock(mutex_);
        events_in_ = events_since_.exchange(0);
        state_ = std::move(state);
    }
    changed_.notify_all();
}

void SnapshotFollower::want(Done done, Check check)
{
    std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(done), std::move(check)});
    wanted_ = true;
}

void SnapshotFollower::run()
{
    for (;;) {
        std::optional<cluster::StoredState> state;
        std::size_t events = 0;
        std::vector<Wish> waiting;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return closed_ || state_; });
            state = std::exchange(state_, std::nullopt);
            events = events_in_;
            if (!state)
                return;
            waiting = std::exchange(waiting_, {});
        }
        auto result = write(*state);
        if (result)
            result = verify(*state);
        if (result)
            result = let_go(*state);
        if (result)
            daemon::log().info("snapshot {} written: {} jobs", state->sequence, state->jobs.size());
        else
            put_off(state->sequence, events, result.error());
        busy_ = false;
        for (const auto& wish : waiting)
            tell(wish, *state, result);
        state.reset();
        give_back_memory();
    }
}

// The next try comes after no more events than a short queue has between two snapshots.
void SnapshotFollower::put_off(SequenceNumber sequence, std::size_t events, const Error& why)
{
    daemon::log().warn("snapshot {} failed, and the journal is kept: {}", sequence, why.message);
    events_since_ += events - std::min(events, interval_);
}

void SnapshotFollower::tell(const Wish& wish, const cluster::StoredState& state, const Result<void>& result)
{
    if (!result)
        return wish.done(std::unexpected(result.error()));
    auto note = wish.check ? wish.check(state) : Result<std::string>();
    wish.done(note ? Result<Written>(Written{state.sequence, std::move(*note)}) : std::unexpected(note.error()));
}

Result<void> SnapshotFollower::write(const cluster::StoredState& state)
{
    return store_.use([&](plugin::Storage& storage) -> Result<void> {
        auto writer = storage.begin_snapshot(state.sequence);
        if (!writer)
            return std::unexpected(writer.error());
        auto written = journal::encode_snapshot(state, [&](std::string_view piece) { return writer->write(piece); });
        return written ? writer->commit() : written;
    });
}

// Reads it back and compares: older journal goes only when this one would really give the same state.
Result<void> SnapshotFollower::verify(const cluster::StoredState& state)
{
    journal::SnapshotComparer comparer(state);
    Result<void> fed;
    auto read = store_.use([&](plugin::Storage& storage) {
        return storage.read_snapshot(state.sequence, [&](std::string_view piece) {
            fed = comparer.feed(piece);
            return fed.has_value();
        });
    });
    if (!fed || !read)
        return fed ? read : fed;
    return comparer.finish();
}

Result<void> SnapshotFollower::let_go(const cluster::StoredState& state)
{
    const auto history = history_.applied();
    std::vector<BlobHash> referenced;
    for (const auto& [id, job] : state.jobs)
        if (!is_final(job->state)) {
            referenced.push_back(*job->request->script);
            referenced.push_back(*job->request->environment);
        }
    std::sort(referenced.begin(), referenced.end());
    referenced.erase(std::unique(referenced.begin(), referenced.end()), referenced.end());
    return store_.use([&](plugin::Storage& storage) -> Result<void> {
        auto snapshots = storage.snapshots();
        if (!snapshots)
            return std::unexpected(snapshots.error());
        // Ends that the history lacks are in the journal alone. A start reads them from the newest snapshot on that is not
        // behind the history, so that one stays, and the journal after it.
        const auto first = std::find_if(snapshots->begin(), snapshots->end(), [&](const auto& s) { return s.sequence <= history; });
        if (first != snapshots->end()) {
            if (auto trimmed = storage.trim(SequenceNumber{first->sequence.value + 1}); !trimmed)
                return trimmed;
            if (auto removed = storage.remove_snapshots(first->sequence); !removed)
                return removed;
        }
        auto swept = storage.sweep(referenced, state.sequence);
        return swept ? Result<void>{} : std::unexpected(swept.error());
    });
}

} // namespace jarvis::jctld
