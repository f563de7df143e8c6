#include "history_query.hpp"

#include "daemon/log.hpp"
#include "daemon/off_loop.hpp"
#include "history_follower.hpp"
#include "journal/step_codec.hpp"
#include "views.hpp"
#include "wire/convert.hpp"
#include "wire/convert_step.hpp"
#include "wire/limits.hpp"

namespace jarvis::jctld {

namespace {

// An answer is collected before it is sent; whoever wants more than this narrows the question.
constexpr std::uint32_t max_rows = 200'000;
constexpr std::size_t max_steps = 1'000'000;
// How long a question waits for steps that are journaled and not yet in the history.
constexpr auto steps_patience = std::chrono::seconds(2);

using Key = std::pair<JobId, std::uint32_t>; // and incarnation
using Found = std::map<Key, wire::JobDetail>;

struct Question {
    JobFilter filter;
    std::optional<WallTime> since, until;
};

Result<Question> question_from(const wire::QueryHistory& message, std::uint32_t uid)
{
    auto filter = filter_from(message.filter(), uid);
    if (!filter)
        return std::unexpected(filter.error());
    Question question{.filter = std::move(*filter), .since = {}, .until = {}};
    if (message.has_since_us())
        question.since = WallTime(Duration(message.since_us()));
    if (message.has_until_us())
        question.until = WallTime(Duration(message.until_us()));
    return question;
}

bool in_window(const Question& question, const cluster::Job& job)
{
    return (!question.since || !job.ended || job.ended->wall >= *question.since) &&
           (!question.until || job.submitted_wall < *question.until);
}

void take_known(const JobAnswer& answer, const Question& question, const cluster::Caller& caller, Found& found)
{
    const JobListRenderer renderer(answer, caller, true, 0);
    for (std::size_t i = 0; i < answer.jobs.size(); ++i)
        if (const auto& job = *answer.jobs[i].job; in_window(question, job))
            found.emplace(Key{job.id, job.incarnation.value}, renderer.detail_of(i));
}

// A row of tasks that ended without having been jobs is there by the first of them.
bool is_named(const JobFilter& filter, JobId id, const wire::JobSummary& summary)
{
    if (filter.jobs.empty())
        return true;
    const auto [first, last] = std::ranges::equal_range(filter.jobs, id.value, {}, &JobSelection::job);
    return std::any_of(first, last, [&](const JobSelection& selection) {
        if (!selection.tasks)
            return true;
        if (!summary.has_pending_tasks())
            return id.is_task() && selection.tasks->contains(id.task);
        auto tasks = wire::from_message(summary.pending_tasks());
        return tasks && tasks->intersects(*selection.tasks);
    });
}

bool matches(const JobFilter& filter, JobId id, const wire::JobSummary& summary)
{
    return (filter.names.empty() || filter.names.contains(summary.name())) &&
           (filter.partitions.empty() || filter.partitions.contains(summary.partition())) && is_named(filter, id, summary);
}

Result<Found> read_history(plugin::Storage& storage, const Question& question, const cluster::Caller& caller)
{
    const std::vector<std::uint32_t> uids(question.filter.uids.begin(), question.filter.uids.end());
    const std::vector<JobState> states(question.filter.states.begin(), question.filter.states.end());
    std::vector<std::uint64_t> numbers;
    for (const auto& selection : question.filter.jobs)
        if (numbers.empty() || numbers.back() != selection.job)
            numbers.push_back(selection.job);
    const plugin::HistoryFilter filter{.jobs = numbers, .uids = uids, .states = states, .since = question.since,
                                       .until = question.until, .limit = max_rows + 1, .after = {}};
    Found found;
    if (question.filter.request) // a request id is known as long as the controller knows its job, and no longer
        return found;
    std::uint32_t rows = 0;
    Result<void> parsed;
    auto read = storage.query_history(filter, [&](const plugin::HistoryRow& row) {
        if (++rows > max_rows) {
            parsed = fail(Errc::invalid, "more than {} jobs of the history match; narrow the question with --since, --until or --user", max_rows);
            return false;
        }
        wire::JobDetail detail;
        if (!detail.ParseFromArray(row.record.data(), static_cast<int>(row.record.size()))) {
            parsed = fail(Errc::corrupt, "the history's record of job {} cannot be read", row.job);
            return false;
        }
        if (!matches(question.filter, row.job, detail.summary()))
            return true;
        if (row.uid != caller.uid && caller.role < cluster::Role::operator_)
            strip_contents(detail);
        found.emplace(Key{row.job, row.incarnation.value}, std::move(detail));
        return true;
    });
    if (!parsed)
        return std::unexpected(parsed.error());
    if (!read)
        return std::unexpected(read.error());
    return found;
}

using Steps = std::vector<std::pair<Key, std::vector<StepEnd>>>;

// The steps of those that were found, in their order.
Result<Steps> read_steps(plugin::Storage& storage, const Found& found)
{
    if (!storage.keeps_parts())
        return fail(Errc::unavailable, "the storage plugin {} keeps no steps", storage.name());
    Steps all;
    std::size_t count = 0;
    for (const auto& [key, detail] : found) {
        if (!detail.summary().has_started_us())
            continue;
        std::vector<StepEnd> steps;
        Result<void> decoded;
        auto read = storage.history_parts({key.first, Incarnation{key.second}}, [&](const plugin::HistoryPart& part) {
            auto bundle = journal::decode_steps(part.record);
            if (!bundle) {
                decoded = fail(bundle.error(), "job {}", key.first);
                return false;
            }
            std::ranges::move(*bundle, std::back_inserter(steps));
            return count + steps.size() <= max_steps;
        });
        if (!read || !decoded)
            return std::unexpected(!read ? read.error() : decoded.error());
        count += steps.size();
        if (count > max_steps)
            return fail(Errc::invalid, "these jobs have more than {} steps; name fewer of them, or ask without steps", max_steps);
        if (!steps.empty())
            all.emplace_back(key, std::move(steps));
    }
    return all;
}

// Those that were named and of which nothing was found.
std::vector<JobSelection> not_found(const JobFilter& filter, const Found& found)
{
    std::vector<JobSelection> unknown;
    for (const auto& selection : filter.jobs) {
        const JobFilter one{.jobs = {selection}, .uids = {}, .partitions = {}, .states = {}, .names = {}, .request = {}};
        auto at = found.lower_bound({JobId{selection.job}, 0});
        while (at != found.end() && at->first.first.value == selection.job && !is_named(one, at->first.first, at->second.summary()))
            ++at;
        if (at == found.end() || at->first.first.value != selection.job)
            unknown.push_back(selection);
    }
    return unknown;
}

// An answer in parts.
class Answerer {
    std::uint64_t tag_;
    SequenceNumber sequence_;
    std::size_t size_ = 0;
    std::vector<wire::Reply> replies_;

    void open()
    {
        if (!replies_.empty())
            replies_.back().set_more(true);
        auto& reply = replies_.emplace_back();
        reply.set_tag(tag_);
        reply.set_sequence(sequence_.value);
        (void)reply.mutable_jobs();
        size_ = 0;
    }
    // True: a new part has begun.
    bool make_room()
    {
        const bool full = size_ > wire::limits::reply_part / 2;
        if (full)
            open();
        return full;
    }

public:
    Answerer(std::uint64_t tag, SequenceNumber sequence) : tag_(tag), sequence_(sequence) { open(); }

    void put(wire::JobDetail detail)
    {
        make_room();
        size_ += detail.ByteSizeLong();
        *last().add_details() = std::move(detail);
    }
    void put(const Key& key, std::span<const StepEnd> steps)
    {
        wire::JobSteps* into = nullptr;
        for (const auto& step : steps) {
            if (make_room() || !into) {
                into = last().add_steps();
                wire::put_job_id(key.first, *into);
                into->set_incarnation(key.second);
            }
            auto message = wire::to_message(step);
            size_ += message.ByteSizeLong();
            *into->add_steps() = std::move(message);
        }
    }
    wire::JobList& last() { return *replies_.back().mutable_jobs(); }
    std::vector<wire::Reply> take() { return std::move(replies_); }
};

} // namespace

asio::awaitable<Result<std::vector<wire::Reply>>> find_history(Front& front, cluster::Caller caller, wire::Request request)
{
    auto question = question_from(request.query_history(), caller.uid);
    if (!question)
        co_return std::unexpected(question.error());
    auto collect = [filter = question->filter](const Replica& replica) { return find_jobs(replica, filter, Ended::for_history); };
    auto known = co_await front.ask(std::move(collect));
    if (!known)
        co_return std::unexpected(known.error());
    auto merged = co_await daemon::off_loop(front.parts().history_pool, [&]() -> Result<std::vector<wire::Reply>> {
        const bool with_steps = request.query_history().steps();
        if (with_steps && !front.parts().history.wait_for_steps(steps_patience))
            daemon::log().warn("the accounting history is behind: the newest steps are not in an answer");
        auto found = front.parts().store.use([&](plugin::Storage& storage) { return read_history(storage, *question, caller); });
        if (!found && found.error().code == Errc::invalid)
            return std::unexpected(found.error());
        // The replica's word is the newer one, and the only one while the history cannot be read.
        Found all;
        take_known(*known, *question, caller, all);
        if (found)
            all.merge(*found);
        else
            daemon::log().warn("the accounting history cannot be read: {}", found.error().message);
        Result<Steps> steps;
        if (with_steps)
            steps = front.parts().store.use([&](plugin::Storage& storage) { return read_steps(storage, all); });
        if (!steps && steps.error().code == Errc::invalid)
            return std::unexpected(steps.error());
        Answerer answer(request.tag(), known->sequence);
        for (const auto& selection : not_found(question->filter, all))
            put_unknown(selection, answer.last());
        for (auto& [key, detail] : all)
            answer.put(std::move(detail));
        if (steps)
            for (const auto& [key, of_job] : *steps)
                answer.put(key, of_job);
        if (!found || !steps)
            answer.last().set_history_missing(!found ? found.error().message : steps.error().message);
        return answer.take();
    });
    co_return merged;
}

} // namespace jarvis::jctld
