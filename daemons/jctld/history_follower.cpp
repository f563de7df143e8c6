#include "history_follower.hpp"

#include "daemon/log.hpp"
#include "daemon/process.hpp"
#include "views.hpp"

namespace jarvis::jctld {

namespace {

constexpr std::size_t groups_at_once = 1024;
constexpr auto retry_interval = std::chrono::seconds(1);
// Groups without an end are passed on too, so that the journal can be trimmed, but not one by one.
constexpr auto idle_interval = std::chrono::seconds(5);

} // namespace

HistoryFollower::~HistoryFollower()
{
    stop();
}

void HistoryFollower::start()
{
    thread_ = std::jthread([this] {
        daemon::name_thread("history");
        run();
    });
}

void HistoryFollower::stop()
{
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void HistoryFollower::push(EndedJobs ended)
{
    std::lock_guard lock(mutex_);
    const bool wakes = !ended.jobs.empty() && !std::exchange(ends_wait_, true);
    if (!queue_.empty() && queue_.back().jobs.empty() && ended.jobs.empty())
        queue_.back().sequence = ended.sequence;
    else
        queue_.push_back(std::move(ended));
    if (wakes)
        changed_.notify_all();
}

SequenceNumber HistoryFollower::applied()
{
    std::lock_guard lock(mutex_);
    return applied_;
}

void HistoryFollower::run()
{
    for (;;) {
        std::vector<EndedJobs> items;
        bool last = false;
        {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, idle_interval, [this] { return closed_ || ends_wait_; });
            const auto count = std::min(queue_.size(), groups_at_once);
            items.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + static_cast<std::ptrdiff_t>(count)));
            queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
            ends_wait_ = !queue_.empty();
            last = closed_ && queue_.empty();
        }
        while (!items.empty() && !apply(items)) {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, retry_interval, [this] { return closed_; });
            if (closed_)
                return; // the next start takes them from the journal
        }
        if (last)
            return;
    }
}

bool HistoryFollower::apply(const std::vector<EndedJobs>& items)
{
    std::vector<std::string> records;
    std::vector<plugin::HistoryRow> rows;
    std::size_t count = 0;
    for (const auto& item : items)
        count += item.jobs.size();
    records.reserve(count);
    for (const auto& item : items)
        for (const auto& shown : item.jobs) {
            const auto& job = shown.job;
            records.push_back(job_detail(shown, *item.nodes).SerializeAsString());
            rows.push_back({.sequence = item.sequence,
                            .job = job->id,
                            .incarnation = job->incarnation,
                            .uid = job->request->account->uid,
                            .state = job->state,
                            .user = job->request->account->user,
                            .submitted = job->submitted_wall,
                            .started = job->run ? job->run->started_wall : WallTime{},
                            .ended = job->ended->wall,
                            .record = records.back()});
        }
    const auto through = items.back().sequence;
    auto applied = store_.use([&](plugin::Storage& storage) { return storage.apply_history(through, rows); });
    if (!applied) {
        daemon::log().warn("the accounting history cannot be written, trying again: {}", applied.error().message);
        return false;
    }
    std::lock_guard lock(mutex_);
    applied_ = through;
    return true;
}

} // namespace jarvis::jctld
