#include "client/job_watch.hpp"

#include "client/session.hpp"
#include "client/state_text.hpp"

#include <algorithm>
#include <chrono>

#include <sys/eventfd.h>
#include <unistd.h>

namespace jarvis::client {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// A job that starts at once on this machine has met its caller by the first look. Later looks come after a tenth of the time that was
// waited already, so that thousands who wait for long ask seldom.
constexpr std::chrono::milliseconds first_look = 300ms, longest_pause = 5s;

// Where its script runs; empty: it does not run.
Result<std::string> node_of_script(std::string_view program, std::uint64_t job)
{
    wire::Request request;
    auto& query = *request.mutable_query_jobs();
    query.mutable_filter()->add_ids(job);
    query.set_detail(true);
    const auto jobs = ask_jobs(program, std::move(request));
    if (!jobs)
        return std::unexpected(jobs.error());
    for (const auto& detail : jobs->details)
        if (detail.summary().job_id() == job && state_of(detail.summary().state()) == JobState::running && detail.nodes_size() > 0)
            return detail.nodes(0).name();
    return std::string();
}

} // namespace

JobWatch::JobWatch(std::string program, std::uint64_t job, Talk talk)
    : program_(std::move(program)), job_(job), talk_(std::move(talk)), changed_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      waiting_([this] { wait(); }), looking_([this] { look(); })
{
}

JobWatch::~JobWatch()
{
    stop_looking();
    waiting_.join();
    looking_.join();
}

void JobWatch::tell() const
{
    const std::uint64_t one = 1;
    (void)!::write(changed_.get(), &one, sizeof one);
}

void JobWatch::clear() const
{
    std::uint64_t count = 0;
    (void)!::read(changed_.get(), &count, sizeof count);
}

void JobWatch::wait()
{
    auto end = wait_for_end(program_, job_, talk_);
    const std::lock_guard lock(mutex_);
    end_ = std::move(end);
    tell();
}

void JobWatch::look()
{
    const auto begin = Clock::now();
    auto pause = first_look;
    for (std::unique_lock lock(mutex_); !stopping_.wait_for(lock, pause, [this] { return stopped_; });) {
        lock.unlock();
        auto node = node_of_script(program_, job_);
        lock.lock();
        if (node && *node != node_) {
            node_ = std::move(*node);
            tell();
        }
        pause = std::clamp(std::chrono::duration_cast<std::chrono::milliseconds>((Clock::now() - begin) / 10), first_look, longest_pause);
    }
}

void JobWatch::stop_looking()
{
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    stopping_.notify_all();
}

std::string JobWatch::node() const
{
    const std::lock_guard lock(mutex_);
    return node_;
}

bool JobWatch::has_ended() const
{
    const std::lock_guard lock(mutex_);
    return end_.has_value();
}

Result<wire::JobDetail> JobWatch::end() const
{
    const std::lock_guard lock(mutex_);
    return end_ ? *end_ : fail(Errc::unavailable, "it has not ended");
}

} // namespace jarvis::client
