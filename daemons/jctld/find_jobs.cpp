// Which jobs an answer is about: jobs, arrays, tasks, and tasks that are no jobs of their own.
#include "cluster/relations.hpp"
#include "queries.hpp"
#include "wire/convert.hpp"

#include <algorithm>

namespace jarvis::jctld {

namespace {

// Tasks that are no jobs of their own are shown one by one up to this many; more of them in one line.
constexpr std::uint64_t most_single_tasks = 100;

class Finder {
    const cluster::State& state_;
    const JobFilter& filter_;
    Ended ended_;

    bool shows(JobState state) const { return filter_.states.empty() || filter_.states.contains(state); }

    void each_or_one(const cluster::Job& array, const cluster::ArrayProgress& progress, const IndexSet& tasks)
    {
        if (tasks.size() > most_single_tasks)
            shown.push_back({cluster::unsplit_task(array, progress, tasks.first()), tasks});
        else
            tasks.for_each([&](std::uint32_t k) { shown.push_back(cluster::unsplit_task(array, progress, k)); });
    }

    void take_waiting(const cluster::Job& array, const cluster::ArrayProgress& progress, const IndexSet& tasks)
    {
        if (auto waiting = cluster::common(tasks, progress.waiting); !waiting.empty() && shows(JobState::pending))
            each_or_one(array, progress, waiting);
    }

    // Those that ended without having been jobs of their own; the history has them by itself.
    void take_unstarted(const cluster::Job& array, const cluster::ArrayProgress& progress, const IndexSet& tasks)
    {
        if (ended_ == Ended::for_history)
            return;
        for (const auto& unstarted : progress.unstarted)
            if (auto over = cluster::common(tasks, unstarted.tasks); !over.empty() && shows(unstarted.end.state))
                each_or_one(array, progress, over);
    }

    void take_split(std::uint64_t array, const IndexSet& tasks)
    {
        for (auto it = state_.jobs.upper_bound({array}); it != state_.jobs.end() && it->first.value == array; ++it)
            if (tasks.contains(it->first.task) && filter_.matches(*it->second))
                shown.push_back(it->second);
    }

    // The line of an array itself: among others while some of its tasks wait.
    void take_record(const cluster::JobPtr& array, bool named)
    {
        const auto& waiting = state_.arrays.at(array->id.value).waiting;
        if (!waiting.empty())
            shown.push_back({array, waiting});
        else if (named && ended_ != Ended::for_history)
            shown.push_back(array);
    }

public:
    std::vector<ShownJob> shown;
    std::vector<JobSelection> unknown;

    Finder(const cluster::State& state, const JobFilter& filter, Ended ended) : state_(state), filter_(filter), ended_(ended) {}

    void take_named(const JobSelection& selection)
    {
        const auto job = state_.find({selection.job});
        const bool is_array = job && job->is_array();
        if (!job || (selection.tasks && (!is_array || !selection.tasks->intersects(job->request->array->tasks)))) {
            unknown.push_back(selection);
            return;
        }
        if (!is_array) {
            if (filter_.matches(*job))
                shown.push_back(job);
            return;
        }
        const auto& progress = state_.arrays.at(selection.job);
        const auto before = shown.size();
        const auto& tasks = selection.tasks ? *selection.tasks : job->request->array->tasks;
        if (filter_.matches_but_state(*job)) {
            if (selection.tasks)
                take_waiting(*job, progress, tasks);
            else if (shows(job->state))
                take_record(job, true);
            take_unstarted(*job, progress, tasks);
        }
        take_split(selection.job, tasks);
        if (shown.size() == before && !filter_.narrows())
            unknown.push_back(selection); // its tasks were forgotten
    }

    void take(const cluster::JobPtr& job, bool ended)
    {
        if (!job->is_array()) {
            if ((ended || !is_final(job->state)) && filter_.matches(*job))
                shown.push_back(job);
            return;
        }
        if (filter_.matches(*job))
            take_record(job, false);
        if (ended && filter_.matches_but_state(*job))
            take_unstarted(*job, state_.arrays.at(job->id.value), job->request->array->tasks);
    }

    // Jobs and arrays of these owners that have not ended, found by an index; tasks that are jobs stand behind their array.
    void take_active_of_owners()
    {
        for (const auto uid : filter_.uids) {
            const auto [first, last] = state_.index.names.equal_range(uid);
            for (auto named = first; named != last; ++named) {
                const auto at = state_.jobs.find(named->id());
                for (auto it = at; it != state_.jobs.end() && it->first.value == named->number.value; ++it)
                    take(it->second, false);
            }
        }
    }

    void take_all()
    {
        // A state that was asked for by name is shown, ended or not.
        const bool ended = ended_ != Ended::left_out || !filter_.states.empty();
        if (!ended && !filter_.uids.empty())
            return take_active_of_owners();
        for (const auto& [id, job] : state_.jobs)
            take(job, ended);
    }
};

JobAnswer answer_of(const Replica& replica, Finder found)
{
    const auto& state = replica.state();
    JobAnswer answer{.sequence = state.sequence, .jobs = std::move(found.shown), .reasons = {}, .unknown = std::move(found.unknown),
                     .nodes = replica.briefs()};
    const auto id = [](const ShownJob& shown) { return shown.job->id; };
    if (!std::ranges::is_sorted(answer.jobs, {}, id))
        std::ranges::stable_sort(answer.jobs, {}, id);
    cluster::WaitReasons reasons(state, replica.board());
    answer.reasons.reserve(answer.jobs.size());
    for (const auto& shown : answer.jobs)
        answer.reasons.push_back(shown.job->state == JobState::pending ? reasons.of(*shown.job) : nullptr);
    return answer;
}

} // namespace

bool JobFilter::matches_but_state(const cluster::Job& job) const
{
    return (uids.empty() || uids.contains(job.request->account->uid)) &&
           (partitions.empty() || partitions.contains(*job.request->partition)) &&
           (names.empty() || names.contains(job.request->name)) && (!request || job.request_id == *request);
}

bool JobFilter::matches(const cluster::Job& job) const
{
    return matches_but_state(job) && (states.empty() || states.contains(job.state));
}

Result<JobFilter> filter_from(const wire::JobFilter& message, std::uint32_t uid)
{
    JobFilter filter;
    for (auto id : message.ids())
        filter.jobs.push_back({id, {}});
    for (const auto& selection : message.selections()) {
        auto read = wire::from_message(selection);
        if (!read)
            return std::unexpected(read.error());
        filter.jobs.push_back(std::move(*read));
    }
    std::ranges::stable_sort(filter.jobs, {}, &JobSelection::job);
    filter.jobs.erase(std::unique(filter.jobs.begin(), filter.jobs.end()), filter.jobs.end());
    filter.uids = {message.uids().begin(), message.uids().end()};
    filter.partitions = {message.partitions().begin(), message.partitions().end()};
    filter.names = {message.names().begin(), message.names().end()};
    for (auto number : message.states()) {
        auto state = wire::job_state_from(number);
        if (!state)
            return std::unexpected(state.error());
        filter.states.insert(*state);
    }
    if (!message.request_id().empty()) {
        if (message.request_id().size() != 16)
            return fail(Errc::invalid, "a request id has 16 bytes (32 hexadecimal digits), not {}", message.request_id().size());
        cluster::RequestId request{.uid = uid, .id = {}};
        std::copy(message.request_id().begin(), message.request_id().end(), request.id.begin());
        filter.request = request;
    }
    return filter;
}

void put_unknown(const JobSelection& selection, wire::JobList& list)
{
    if (selection.tasks)
        *list.add_unknown_selections() = wire::to_message(selection);
    else
        list.add_unknown_ids(selection.job);
}

JobAnswer find_jobs(const Replica& replica, const JobFilter& filter, Ended ended)
{
    const auto& state = replica.state();
    Finder finder(state, filter, ended);
    if (filter.request) {
        const auto found = state.index.requests.find(*filter.request);
        if (found != state.index.requests.end())
            finder.take_named({found->second.value, {}});
    } else if (!filter.jobs.empty()) {
        for (const auto& selection : filter.jobs)
            finder.take_named(selection);
    } else {
        finder.take_all();
    }
    return answer_of(replica, std::move(finder));
}

JobAnswer find_job(const Replica& replica, JobId id)
{
    const auto& state = replica.state();
    const JobFilter all;
    Finder finder(state, all, Ended::shown);
    const auto array = id.is_task() ? state.find(id.array()) : nullptr;
    if (auto job = state.find(id)) {
        if (job->is_array() && !job->ended)
            finder.shown.push_back({job, state.arrays.at(id.value).waiting});
        else
            finder.shown.push_back(std::move(job));
    } else if (array && array->is_array()) {
        if (auto task = cluster::unsplit_task(*array, state.arrays.at(id.value), id.task))
            finder.shown.push_back(std::move(task));
    }
    return answer_of(replica, std::move(finder));
}

std::vector<JobSelection> select_jobs(const Replica& replica, const JobFilter& filter)
{
    const auto& state = replica.state();
    auto answer = find_jobs(replica, filter, Ended::left_out);
    auto selections = std::move(answer.unknown); // so that they are answered as such
    for (const auto& shown : answer.jobs) {
        const auto& job = *shown.job;
        const auto array = state.arrays.find(job.id.value);
        if (shown.tasks && array != state.arrays.end() && !filter.states.empty())
            selections.push_back({job.id.value, job.is_array() ? array->second.waiting : *shown.tasks});
        else if (job.id.is_task())
            selections.push_back({job.id.value, IndexSet{job.id.task}});
        else
            selections.push_back({job.id.value, {}});
    }
    return selections;
}

} // namespace jarvis::jctld
