// What jobs have to do with each other and with themselves: arrays, selections of tasks, dependencies, retries.
#include "wire/convert.hpp"
#include "wire/job_id.hpp"
#include "wire/limits.hpp"

#include <algorithm>

namespace jarvis::wire {

namespace {

// Bits of RetryRule.on. Stored: never renumber.
struct RetryBit {
    std::uint32_t bit;
    bool jarvis::RetryRule::* flag;
};
constexpr RetryBit retry_bits[] = {{1, &jarvis::RetryRule::on_node_fail},
                                   {2, &jarvis::RetryRule::on_timeout},
                                   {4, &jarvis::RetryRule::on_signal},
                                   {8, &jarvis::RetryRule::on_out_of_memory},
                                   {16, &jarvis::RetryRule::on_system}};

Result<jarvis::Dependency> read_dependency(const Dependency& message)
{
    if (message.kind() < static_cast<std::uint32_t>(DependencyKind::after) ||
        message.kind() > static_cast<std::uint32_t>(DependencyKind::singleton))
        return fail(Errc::invalid, "dependency: the controller does not know kind {}; it may be older than the command", message.kind());
    jarvis::Dependency dependency{static_cast<DependencyKind>(message.kind()), {}, {}};
    auto delay = duration_from(message.delay_us(), "dependency");
    if (!delay)
        return std::unexpected(std::move(delay.error()));
    dependency.delay = *delay;
    if (*delay != Duration{} && dependency.kind != DependencyKind::after)
        return fail(Errc::invalid, "dependency: {} has no delay", name(dependency.kind));
    if (dependency.kind == DependencyKind::singleton)
        return dependency;
    auto job = job_id_of(message);
    if (!job)
        return fail(job.error(), "dependency");
    dependency.job = *job;
    return dependency;
}

} // namespace

IndexSet to_message(const jarvis::IndexSet& set)
{
    IndexSet message;
    const auto runs = index_runs(set);
    const bool steps = std::ranges::any_of(runs, [](const IndexRun& run) { return run.step != 1; });
    for (const auto& run : runs) {
        message.add_first(run.first);
        message.add_last(run.last);
        if (steps)
            message.add_step(run.step);
    }
    return message;
}

Result<jarvis::IndexSet> from_message(const IndexSet& message)
{
    if (message.first_size() != message.last_size())
        return fail(Errc::corrupt, "task list: {} ranges begin and {} end", message.first_size(), message.last_size());
    if (message.step_size() != 0 && message.step_size() != message.first_size())
        return fail(Errc::corrupt, "task list: {} ranges and {} steps", message.first_size(), message.step_size());
    jarvis::IndexSet set;
    std::uint64_t stepped = 0;
    for (int i = 0; i < message.first_size(); ++i) {
        const auto first = message.first(i), last = message.last(i), step = message.step_size() > 0 ? message.step(i) : 1;
        if (last < first || last > max_array_task || step == 0)
            return fail(Errc::invalid, "task list: {}-{}{} is no range of tasks; they go up to {}", first, last,
                        step == 1 ? "" : fmt::format(":{}", step), max_array_task);
        if (!set.empty() && first <= set.last())
            return fail(Errc::corrupt, "task list: {} stands behind {}", first, set.last());
        if (step == 1) {
            set.insert_range(first, last);
            continue;
        }
        // Each is a range of its own in the set: what that costs is bounded before it is made.
        stepped += (last - first) / step + 1;
        if (stepped > max_stepped_indexes)
            return fail(Errc::invalid, "task list: ranges with steps name more than {} tasks", max_stepped_indexes);
        for (std::uint64_t task = first; task <= last; task += step)
            set.insert(static_cast<std::uint32_t>(task));
    }
    return set;
}

JobSelection to_message(const jarvis::JobSelection& selection)
{
    JobSelection message;
    message.set_job_id(selection.job);
    if (selection.tasks)
        *message.mutable_tasks() = to_message(*selection.tasks);
    return message;
}

Result<jarvis::JobSelection> from_message(const JobSelection& message)
{
    auto job = job_id_from(message.job_id());
    if (!job)
        return std::unexpected(std::move(job.error()));
    jarvis::JobSelection selection{job->value, {}};
    if (!message.has_tasks())
        return selection;
    auto tasks = from_message(message.tasks());
    if (!tasks)
        return fail(tasks.error(), "job {}", *job);
    if (tasks->empty())
        return fail(Errc::invalid, "job {}: no tasks are named", *job);
    selection.tasks = std::move(*tasks);
    return selection;
}

ArraySpec to_message(const jarvis::ArraySpec& array)
{
    ArraySpec message;
    *message.mutable_tasks() = to_message(array.tasks);
    message.set_throttle(array.throttle);
    return message;
}

Result<jarvis::ArraySpec> from_message(const ArraySpec& message)
{
    auto tasks = from_message(message.tasks());
    if (!tasks)
        return fail(tasks.error(), "array");
    if (tasks->size() > max_array_size)
        return fail(Errc::invalid, "array: {} tasks; at most {} are possible", tasks->size(), max_array_size);
    if (tasks->empty() && message.throttle() != 0)
        return fail(Errc::invalid, "array: it has no tasks");
    return jarvis::ArraySpec{std::move(*tasks), message.throttle()};
}

Dependencies to_message(const jarvis::Dependencies& dependencies)
{
    Dependencies message;
    message.set_any(dependencies.any);
    for (const auto& dependency : dependencies.list) {
        auto& out = *message.add_list();
        out.set_kind(static_cast<std::uint32_t>(dependency.kind));
        put_job_id(dependency.job, out);
        out.set_delay_us(dependency.delay.count());
    }
    return message;
}

Result<jarvis::Dependencies> from_message(const Dependencies& message)
{
    if (static_cast<std::size_t>(message.list_size()) > max_dependencies)
        return fail(Errc::invalid, "{} dependencies; at most {} are possible", message.list_size(), max_dependencies);
    jarvis::Dependencies dependencies{message.any() && message.list_size() > 1, {}};
    dependencies.list.reserve(static_cast<std::size_t>(message.list_size()));
    for (const auto& item : message.list()) {
        auto dependency = read_dependency(item);
        if (!dependency)
            return std::unexpected(std::move(dependency.error()));
        dependencies.list.push_back(*dependency);
    }
    return dependencies;
}

RetryRule to_message(const jarvis::RetryRule& rule)
{
    RetryRule message;
    message.set_times(rule.times);
    message.set_backoff_first_us(rule.backoff_first.count());
    message.set_backoff_most_us(rule.backoff_most.count());
    std::uint32_t on = 0;
    for (auto [bit, flag] : retry_bits)
        if (rule.*flag)
            on |= bit;
    message.set_on(on);
    for (auto [first, last] : rule.exits) {
        auto& range = *message.add_exits();
        range.set_first(first);
        range.set_last(last);
    }
    return message;
}

Result<jarvis::RetryRule> from_message(const RetryRule& message)
{
    jarvis::RetryRule rule;
    rule.times = message.times();
    if (rule.times == 0)
        return rule;
    if (rule.times > max_retries)
        return fail(Errc::invalid, "retry: {} times; at most {} are possible", rule.times, max_retries);
    auto first = duration_from(message.backoff_first_us(), "retry");
    auto most = duration_from(message.backoff_most_us(), "retry");
    if (!first || !most)
        return std::unexpected(std::move(first ? most.error() : first.error()));
    if (*first > *most)
        return fail(Errc::invalid, "retry: the first wait is longer than the longest");
    rule.backoff_first = *first;
    rule.backoff_most = *most;
    std::uint32_t known = 0;
    for (auto [bit, flag] : retry_bits) {
        rule.*flag = (message.on() & bit) != 0;
        known |= bit;
    }
    if ((message.on() & ~known) != 0)
        return fail(Errc::invalid, "retry: the controller does not know one of the causes; it may be older than the command");
    if (static_cast<std::size_t>(message.exits_size()) > max_exit_ranges)
        return fail(Errc::invalid, "retry: {} ranges of exit codes; at most {} are possible", message.exits_size(), max_exit_ranges);
    for (const auto& range : message.exits()) {
        if (range.first() < 0 || range.last() < range.first() || range.last() > 255)
            return fail(Errc::invalid, "retry: {}-{} is no range of exit codes", range.first(), range.last());
        rule.exits.push_back({range.first(), range.last()});
    }
    return rule;
}

} // namespace jarvis::wire
