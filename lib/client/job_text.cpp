#include "client/job_text.hpp"

#include "wire/convert.hpp"

namespace jarvis::client {

namespace {

std::string with_tasks(std::uint64_t job, const wire::IndexSet& tasks)
{
    auto set = wire::from_message(tasks);
    return set ? format(JobSelection{job, std::move(*set)}) : fmt::format("{}_[?]", job);
}

} // namespace

std::string tasks_text(const wire::IndexSet& tasks)
{
    const auto set = wire::from_message(tasks);
    return set ? format_index_set(*set) : "?";
}

std::string array_text(const wire::JobSummary& job) { return fmt::format("{}", job.job_id()); }

std::string job_id_text(const wire::JobSummary& job) { return fmt::format("{}", wire::job_id_in(job)); }

std::string job_line_text(const wire::JobSummary& job, std::size_t most)
{
    if (job.pending_tasks().first_size() == 0)
        return job_id_text(job);
    const auto throttle = job.throttle() > 0 ? fmt::format("%{}", job.throttle()) : std::string();
    const auto open = fmt::format("{}_[", job.job_id());
    auto tasks = tasks_text(job.pending_tasks());
    constexpr std::string_view cut = "...";
    const auto around = open.size() + throttle.size() + 1;
    if (around + tasks.size() > most) {
        const auto room = most > around + cut.size() ? most - around - cut.size() : 0;
        const auto comma = room > 0 ? tasks.rfind(',', room - 1) : std::string::npos;
        tasks = (comma == std::string::npos ? "" : tasks.substr(0, comma + 1)) + std::string(cut);
    }
    return open + tasks + throttle + ']';
}

std::string selection_text(const wire::JobSelection& selection)
{
    return selection.has_tasks() ? with_tasks(selection.job_id(), selection.tasks()) : fmt::format("{}", selection.job_id());
}

std::string changed_text(const wire::ChangeReply::Item& item)
{
    return item.has_tasks() && item.tasks().first_size() > 0 ? with_tasks(item.job_id(), item.tasks())
                                                             : fmt::format("{}", item.job_id());
}

} // namespace jarvis::client
