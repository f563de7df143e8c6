#include "journal_thread.hpp"

#include "daemon/log.hpp"
#include "daemon/process.hpp"
#include "journal/codec.hpp"
#include "recovery.hpp"

#include <future>

namespace jarvis::jctld {

namespace {

// Batches that may wait for the disk, and how many of them share one fsync. The owner waits when it is that far ahead, and
// its next batch is the larger for it.
constexpr std::size_t queue_bound = 64;
constexpr std::size_t groups_per_fsync = 64;
constexpr auto probe_interval = std::chrono::seconds(1);

// What everybody is told until it is over.
Error failing(std::string_view why)
{
    return {Errc::unavailable, fmt::format("the controller's storage has failed: {}; it is tried again every second", why)};
}

template <class F>
void for_each_blob(const cluster::EventGroup& group, F f)
{
    for (const auto& event : group.events)
        if (const auto* submitted = std::get_if<cluster::JobSubmitted>(&event)) {
            f(*submitted->request->script);
            f(*submitted->request->environment);
        }
}

} // namespace

JournalThread::JournalThread(Store& store, BlobCache& blobs, Replica& replica, ControllerMetrics& metrics, SequenceNumber last,
                             Listeners listeners)
    : store_(store), blobs_(blobs), replica_(replica), metrics_(metrics), listeners_(std::move(listeners)), handed_(last)
{
}

JournalThread::~JournalThread()
{
    stop();
}

void JournalThread::start()
{
    thread_ = std::jthread([this] {
        daemon::name_thread("journal");
        run();
    });
}

void JournalThread::stop()
{
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void JournalThread::push(Decided decided)
{
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return queue_.size() < queue_bound || closed_; });
    queue_.push_back(std::move(decided));
    lock.unlock();
    changed_.notify_all();
}

std::vector<Decided> JournalThread::next(std::chrono::milliseconds limit)
{
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [this] { return !queue_.empty() || closed_; });
    std::vector<Decided> taken;
    while (!queue_.empty() && taken.size() < groups_per_fsync) {
        taken.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    lock.unlock();
    changed_.notify_all();
    return taken;
}

bool JournalThread::ended()
{
    std::lock_guard lock(mutex_);
    return closed_ && queue_.empty();
}

void JournalThread::run()
{
    auto probed = std::chrono::steady_clock::now();
    while (!ended()) {
        auto decided = next(probe_interval);
        if (!decided.empty())
            process(std::move(decided));
        const auto now = std::chrono::steady_clock::now();
        if (now - probed < probe_interval || store_.status().condition == plugin::StorageCondition::ok)
            continue;
        probed = now;
        // Says whether it is over; what it says is status()'s affair.
        (void)store_.use([](plugin::Storage& storage) { return storage.probe(); });
        if (auto status = store_.status(); status.condition == plugin::StorageCondition::failed) {
            listeners_.failed(failing(status.text));
            recover();
        }
    }
}

void JournalThread::process(std::vector<Decided> decided)
{
    std::vector<Decided> valid, stale;
    for (auto& item : decided)
        (item.generation == generation_ ? valid : stale).push_back(std::move(item));
    if (!stale.empty())
        reject(std::move(stale), {Errc::unavailable, "the controller's storage has failed"});
    if (valid.empty())
        return;
    if (auto stored = append(valid); !stored) {
        daemon::log().error("the journal cannot be written: {}", stored.error.message);
        const auto* outcome = stored.outcome == plugin::AppendOutcome::unknown ? "outcome unknown" : "not stored";
        Error error{Errc::unavailable, fmt::format("the controller's storage has failed ({}): {}", outcome, stored.error.message)};
        listeners_.failed(error);
        reject(std::move(valid), error);
        recover();
        return;
    }
    for (auto& item : valid)
        hand_on(std::move(item));
}

plugin::Append JournalThread::append(const std::vector<Decided>& decided)
{
    std::vector<std::string> bytes;
    std::vector<std::vector<plugin::Blob>> blobs;
    std::vector<BlobBytes> held; // keeps the blobs' bytes
    std::vector<plugin::Group> groups;
    bytes.reserve(decided.size());
    blobs.reserve(decided.size());
    for (const auto& item : decided) {
        const auto& group = item.batch.group;
        if (group.events.empty())
            continue;
        auto& named = blobs.emplace_back();
        for_each_blob(group, [&](const BlobHash& hash) {
            auto blob = blobs_.get(hash);
            named.push_back({hash, blob ? std::optional<std::string_view>(*blob) : std::nullopt});
            held.push_back(std::move(blob));
        });
        groups.push_back({.sequence = group.sequence,
                          .data = bytes.emplace_back(journal::encode_group(group)),
                          .blobs = named,
                          .use_reserve = item.use_reserve});
    }
    if (groups.empty())
        return {};
    const auto began = std::chrono::steady_clock::now();
    auto stored = store_.append(groups);
    metrics_.append_time.add(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began));
    (stored ? metrics_.appends : metrics_.failed_appends).add();
    return stored;
}

void JournalThread::hand_on(Decided decided)
{
    if (!decided.batch.group.events.empty())
        handed_ = decided.batch.group.sequence;
    replica_.push({std::move(decided.batch)});
}

void JournalThread::reject(std::vector<Decided> decided, const Error& error)
{
    for (auto& item : decided)
        listeners_.reject(std::move(item.batch.effects), error);
}

// Called when `failed` was: from then on the owner decides nothing, and says to whoever asks what is wrong now.
void JournalThread::recover()
{
    ++generation_;
    for (;;) {
        auto back = reopen_and_replay();
        if (back)
            break;
        listeners_.failed(failing(back.error().message));
        daemon::log().debug("the storage is still failing: {}", back.error().message);
        const auto until = std::chrono::steady_clock::now() + probe_interval;
        while (std::chrono::steady_clock::now() < until) {
            if (ended())
                return;
            if (auto stale = next(probe_interval); !stale.empty())
                reject(std::move(stale), {Errc::unavailable, "the controller's storage has failed: " + back.error().message});
        }
    }
    daemon::log().info("the storage works again; going on from group {}", handed_);
    listeners_.restart_owner(copy_of_replica(), generation_);
}

Result<void> JournalThread::reopen_and_replay()
{
    if (auto opened = store_.reopen(); !opened)
        return opened;
    if (auto probed = store_.use([](plugin::Storage& storage) { return storage.probe(); }); !probed)
        return probed;
    auto replayed = replay(store_, SequenceNumber{handed_.value + 1}, copy_of_replica(), [this](cluster::EventGroup group) {
        handed_ = group.sequence;
        replica_.push({cluster::Batch{.group = std::move(group), .effects = {}, .advice = {}}});
    });
    return replayed ? Result<void>{} : std::unexpected(replayed.error());
}

cluster::State JournalThread::copy_of_replica()
{
    std::promise<cluster::State> copy;
    auto future = copy.get_future();
    Replica::Question question = [&copy](const Replica& replica) { copy.set_value(replica.state()); };
    while (!replica_.ask(std::move(question)))
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return future.get();
}

} // namespace jarvis::jctld
