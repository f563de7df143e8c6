#include "model/job_id_text.hpp"

#include "base/escape.hpp"

#include <algorithm>
#include <charconv>

namespace jarvis {

namespace {

template <class... Args>
std::unexpected<Error> refuse(std::string_view text, fmt::format_string<Args...> format, Args&&... args)
{
    return fail(Errc::invalid, "\"{}{}\" is no job id: {}", escape_for_terminal(text.substr(0, 60)),
                text.size() > 60 ? "..." : "", fmt::format(format, std::forward<Args>(args)...));
}

// The tasks behind a job's number: "_3", "[3]", "_[1-4,9]".
Result<IndexSet> parse_tasks(std::string_view text, std::string_view rest)
{
    const bool underscore = rest.starts_with('_');
    if (underscore)
        rest.remove_prefix(1);
    if (rest.starts_with('[')) {
        if (!rest.ends_with(']'))
            return refuse(text, "it does not end with \"]\"");
        rest = rest.substr(1, rest.size() - 2);
    } else if (!underscore) {
        return refuse(text, "an id is a number, as in 7; tasks of an array are 7_3 or 7_[1-4,9]");
    } else if (rest.empty() || rest.find_first_not_of("0123456789") != std::string_view::npos) {
        return refuse(text, "the number of a task goes behind \"_\", as in 7_3; several stand in brackets, as in 7_[1-4,9]");
    }
    auto tasks = parse_index_set(rest, max_array_task);
    if (!tasks)
        return refuse(text, "{}", tasks.error().message);
    return tasks;
}

} // namespace

Result<JobSelection> parse_job_selection(std::string_view text)
{
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    JobSelection selection;
    const auto error = std::from_chars(text.data(), text.data() + digits, selection.job).ec;
    if (digits == 0)
        return refuse(text, "an id is a number, as in 7; tasks of an array are 7_3 or 7_[1-4,9]");
    if (error != std::errc() || selection.job == 0 || selection.job > max_job_id.value)
        return refuse(text, "ids go from 1 to {}", max_job_id.value);
    if (digits < text.size()) {
        auto tasks = parse_tasks(text, text.substr(digits));
        if (!tasks)
            return std::unexpected(tasks.error());
        selection.tasks = std::move(*tasks);
    }
    return selection;
}

Result<JobId> parse_job_id(std::string_view text)
{
    const auto selection = parse_job_selection(text);
    if (!selection)
        return std::unexpected(selection.error());
    if (!selection->tasks)
        return JobId{selection->job};
    if (selection->tasks->size() != 1)
        return refuse(text, "expected one job or one task, as in 7 or 7_3");
    return JobId{selection->job, selection->tasks->first()};
}

std::string format(const JobSelection& selection)
{
    if (!selection.tasks)
        return fmt::format("{}", selection.job);
    if (selection.tasks->size() == 1)
        return fmt::format("{}_{}", selection.job, selection.tasks->first());
    return fmt::format("{}_[{}]", selection.job, format_index_set(*selection.tasks));
}

} // namespace jarvis
