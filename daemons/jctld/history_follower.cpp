#include "history_follower.hpp"

#include "daemon/log.hpp"
#include "daemon/process.hpp"
#include "journal/step_codec.hpp"
#include "views.hpp"

namespace jarvis::jctld {

namespace {

constexpr std::size_t groups_at_once = 1024;
constexpr auto retry_interval = std::chrono::seconds(1);
// Groups without an end are passed on too, so that the journal can be trimmed, but not one by one.
constexpr auto idle_interval = std::chrono::seconds(5);

// Of all steps in them; what the parts point to is put into `bundles`.
std::vector<plugin::HistoryPart> parts_of(const std::vector<EndedJobs>& items, std::vector<std::string>& bundles)
{
    std::size_t count = 0;
    for (const auto& item : items)
        count += item.steps.size();
    bundles.reserve(count);
    std::vector<plugin::HistoryPart> parts;
    for (const auto& item : items)
        for (const auto& steps : item.steps) {
            bundles.push_back(journal::encode_steps(steps.steps));
            parts.push_back({item.sequence, steps.job, steps.incarnation, steps.first, bundles.back()});
        }
    return parts;
}

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
    const bool wakes = !ended.empty() && !std::exchange(ends_wait_, true);
    if (!ended.steps.empty())
        newest_steps_ = ended.sequence;
    if (!queue_.empty() && queue_.back().empty() && ended.empty())
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

bool HistoryFollower::wait_for_steps(std::chrono::milliseconds limit)
{
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this, through = newest_steps_] { return closed_ || applied_ >= through; }) && !closed_;
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
    std::vector<std::string> bundles;
    const auto parts = parts_of(items, bundles);
    const auto through = items.back().sequence;
    auto applied = store_.use([&](plugin::Storage& storage) { return storage.apply_history(through, rows, parts); });
    if (!applied) {
        daemon::log().warn("the accounting history cannot be written, trying again: {}", applied.error().message);
        return false;
    }
    {
        std::lock_guard lock(mutex_);
        applied_ = through;
    }
    changed_.notify_all();
    return true;
}

} // namespace jarvis::jctld
