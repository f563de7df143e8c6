#include "client/efficiency.hpp"

#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/job_table.hpp"
#include "client/job_text.hpp"
#include "client/state_text.hpp"
#include "client/table.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace jarvis::client {

namespace {

constexpr std::int64_t mib = std::int64_t{1} << 20;
constexpr std::int64_t gib = std::int64_t{1} << 30;

double seconds(Duration duration)
{
    return std::chrono::duration<double>(duration).count();
}
double share(Duration part, Duration whole)
{
    return whole > Duration::zero() ? seconds(part) / seconds(whole) : 0;
}

template <class T>
void add(std::optional<T>& sum, bool told, T one)
{
    if (told)
        sum = sum.value_or(T{}) + one;
}

template <class T>
void raise(std::optional<T>& most, bool told, T one)
{
    if (told)
        most = std::max(most.value_or(T{}), one);
}

void add_detail(Efficiency& sum, const wire::UsageDetail& detail)
{
    add(sum.throttled, detail.has_throttled_us(), Duration(detail.throttled_us()));
    add(sum.cpu_pressure, detail.has_cpu_pressure_us(), Duration(detail.cpu_pressure_us()));
    add(sum.memory_pressure, detail.has_memory_pressure_us(), Duration(detail.memory_pressure_us()));
    add(sum.io_pressure, detail.has_io_pressure_us(), Duration(detail.io_pressure_us()));
    add(sum.faults, detail.has_major_faults(), detail.major_faults());
    add(sum.read, detail.has_read(), detail.read());
    add(sum.written, detail.has_written(), detail.written());
}

void add_job(Efficiency& sum, const wire::JobDetail& job)
{
    const auto& summary = job.summary();
    const auto& usage = summary.usage();
    const auto elapsed = std::max(Duration(usage.elapsed_us() > 0 ? usage.elapsed_us() : job.elapsed_us()), Duration::zero());
    ++sum.jobs;
    ++sum.states[std::string(state_name(summary.state()))];
    sum.running = sum.running || !is_final(state_of(summary.state()).value_or(JobState::failed));
    sum.cores = std::max(sum.cores, summary.cores());
    sum.node_count = std::max(sum.node_count, summary.node_count());
    sum.elapsed = std::max(sum.elapsed, elapsed);
    sum.elapsed_sum += elapsed;
    sum.held += elapsed * static_cast<std::int64_t>(summary.cores());
    sum.cpu += Duration(usage.cpu_user_us()) + Duration(usage.cpu_system_us());
    if (summary.has_time_limit_us() && Duration(summary.time_limit_us()) < max_duration)
        sum.limit = std::max(sum.limit.value_or(Duration{}), Duration(summary.time_limit_us()));
    if (summary.memory() > 0)
        raise(sum.memory_asked, true, summary.memory() / std::max<std::int64_t>(summary.node_count(), 1));
    raise(sum.memory_peak, usage.has_memory_peak(), usage.memory_peak());
    // What of the peak was page cache nobody has counted; what of it was left at the end is the best guess, and one process had at
    // least its share.
    if (usage.has_memory_peak()) {
        const auto most = std::min(usage.detail().largest_process(), usage.memory_peak());
        raise(sum.memory_held, true, std::max(usage.memory_peak() - usage.detail().page_cache(), most));
    }
    add_detail(sum, usage.detail());
}

// The least round size with some air: a peak of one run is not that of the next.
std::int64_t with_air(std::int64_t bytes)
{
    const auto wanted = std::max(bytes + bytes / 4, bytes + 64 * mib);
    const auto step = wanted < gib ? 128 * mib : wanted < 16 * gib ? gib : 4 * gib;
    return (wanted + step - 1) / step * step;
}

Duration with_air(Duration time)
{
    const auto wanted = time + time / 4;
    const Duration step = wanted < std::chrono::hours(1)    ? std::chrono::minutes(5)
                          : wanted < std::chrono::hours(12) ? std::chrono::minutes(30)
                                                            : Duration(std::chrono::hours(2));
    return (wanted + step - Duration(1)) / step * step;
}

std::string size(std::int64_t bytes)
{
    return format_memory_size({bytes});
}
std::string percent(double value)
{
    return fmt::format("{:.0f} %", std::min(value, 9.99) * 100);
}

bool ended_as(const Efficiency& job, std::string_view state)
{
    return job.states.contains(std::string(state));
}

// What failed or was cancelled may have been about to use more.
bool ran_through(const Efficiency& job)
{
    return !job.running && (ended_as(job, "COMPLETED") || ended_as(job, "TIMEOUT"));
}

// What was asked for by core is said by core again.
std::string memory_option(const Efficiency& job, std::int64_t bytes)
{
    if (!job.memory_by_core)
        return "--mem=" + format_memory_size_exact({bytes});
    const auto cores = std::max<std::int64_t>(job.cores / std::max(job.node_count, 1u), 1);
    const auto each = (bytes / cores + 16 * mib - 1) / (16 * mib) * (16 * mib);
    return "--mem-per-cpu=" + format_memory_size_exact({std::max(each, 16 * mib)});
}

std::string memory_advice(const Efficiency& job)
{
    if (ended_as(job, "OUT_OF_MEMORY") && job.memory_asked)
        return fmt::format("it ran out of memory at {}: ask for more with --mem, or find out what grows (jstat shows it while it runs)",
                           size(*job.memory_asked));
    if (!job.memory_asked || !job.memory_peak || !ran_through(job))
        return {};
    // Page cache comes and goes with the memory that there is; without it the job would be slower, not dead.
    const bool cached = job.memory_held && *job.memory_held < *job.memory_peak / 2;
    const auto needed = with_air(cached ? *job.memory_held : *job.memory_peak);
    if (needed > *job.memory_asked / 2 || *job.memory_asked < 512 * mib)
        return {};
    const auto option = memory_option(job, needed);
    if (cached)
        return fmt::format("asked {}, held about {} beside the page cache of its files: {} would do", size(*job.memory_asked),
                           size(*job.memory_held), option);
    return fmt::format("asked {}, never used more than {}: {} would do", size(*job.memory_asked), size(*job.memory_peak), option);
}

std::string cores_advice(const Efficiency& job)
{
    if (job.cores < 2 || job.exclusive || !(job.running || ran_through(job)) || job.elapsed < std::chrono::seconds(60) ||
        job.held <= Duration::zero())
        return {};
    const auto used = job.cpu_share() * job.cores;
    const bool one_at_a_time = used < 1.1;
    const auto enough = one_at_a_time ? 1 : static_cast<std::uint32_t>(std::ceil(used * 1.1));
    if (enough > job.cores / 2)
        return {};
    const auto begin = fmt::format("held {} cores and used {:.1f} of them on average", job.cores, used);
    if (job.tasks == 1 && job.node_count <= 1)
        return fmt::format("{}: {}-c {} would do", begin, one_at_a_time ? "it seems to run on one at a time; " : "", enough);
    return fmt::format("{}: fewer tasks or cores would do, or its tasks wait for each other", begin);
}

std::string time_advice(const Efficiency& job)
{
    if (ended_as(job, "TIMEOUT") && job.limit)
        return fmt::format("it was ended at its time limit of {}: ask for more with --time, or save its work as it goes (--signal)",
                           format_duration_exact(*job.limit));
    if (!job.limit || job.running || !ended_as(job, "COMPLETED"))
        return {};
    const auto enough = with_air(job.elapsed);
    if (enough > *job.limit / 4)
        return {};
    return fmt::format("asked for {} and ran {}: with --time={} the scheduler finds a gap for it sooner", format_duration_exact(*job.limit),
                       format_duration_exact(std::chrono::ceil<std::chrono::seconds>(job.elapsed)), format_duration_exact(enough));
}

// A share of its time in which it did not get on.
std::string waits_advice(const Efficiency& job)
{
    if (job.throttled && share(*job.throttled, job.held) > 0.05)
        return fmt::format("a processor quota held it back for {} of its time", percent(share(*job.throttled, job.held)));
    if (job.memory_pressure && share(*job.memory_pressure, job.elapsed_sum) > 0.1)
        return fmt::format("it was short of memory for {} of its time, and the kernel had to make room{}: more memory would make it faster",
                           percent(share(*job.memory_pressure, job.elapsed_sum)),
                           job.faults.value_or(0) > 0 ? fmt::format(" ({} pages were read back)", *job.faults) : "");
    if (job.io_pressure && share(*job.io_pressure, job.elapsed_sum) > 0.2)
        return fmt::format(
            "some process of it waited for a disk for {} of its time: JARVIS_TMPDIR or fewer, larger reads and writes may help",
            percent(share(*job.io_pressure, job.elapsed_sum)));
    if (job.cpu_pressure && share(*job.cpu_pressure, job.elapsed_sum) > 0.3 && job.cpu_share() > 0.9)
        return fmt::format("some process of it waited for a core for {} of its time: it starts more than its {} cores can run",
                           percent(share(*job.cpu_pressure, job.elapsed_sum)), job.cores);
    return {};
}

std::string states_text(const Efficiency& job)
{
    if (job.jobs == 1)
        return job.states.begin()->first;
    std::vector<std::string> parts;
    for (const auto& [state, count] : job.states)
        parts.push_back(fmt::format("{} {}", count, state));
    return fmt::format("{} tasks: {}", job.jobs, fmt::join(parts, ", "));
}

std::string bar(double value, const Style& style)
{
    constexpr int width = 20;
    const auto full = static_cast<std::size_t>(std::clamp(static_cast<int>(std::lround(value * width)), 0, width));
    return "[" +
           paint(std::string(full, '#'),
                 value < 0.25  ? Colour::red
                 : value < 0.5 ? Colour::yellow
                               : Colour::green,
                 style) +
           std::string(width - full, '.') + "]";
}

std::string line(std::string_view label, double value, std::string_view words, const Style& style)
{
    return fmt::format("{:<8} {} {:>5}  {}\n", label, bar(value, style), percent(value), words);
}

// What can be told of what held it back.
std::string waits_text(const Efficiency& job)
{
    std::vector<std::string> parts;
    const auto part = [&](const std::optional<Duration>& waited, Duration whole, std::string_view for_what) {
        if (waited)
            parts.push_back(fmt::format("{} {}", for_what, percent(share(*waited, whole))));
    };
    part(job.cpu_pressure, job.elapsed_sum, "for a core");
    part(job.memory_pressure, job.elapsed_sum, "for memory");
    part(job.io_pressure, job.elapsed_sum, "for a disk");
    part(job.throttled, job.held, "held back by a quota");
    return fmt::format("{}", fmt::join(parts, ", "));
}

} // namespace

double Efficiency::cpu_share() const
{
    return share(cpu, held);
}

Efficiency efficiency_of(std::span<const wire::JobDetail* const> jobs, const std::string& id)
{
    Efficiency sum;
    sum.id = id;
    for (const auto* job : jobs) {
        if (sum.jobs == 0) {
            const auto& resources = job->request().resources();
            sum.name = job->summary().name();
            sum.user = job->summary().user();
            sum.nodes = job->summary().nodes();
            sum.memory_by_core = resources.has_memory_per_cpu();
            sum.exclusive = resources.exclusive() || resources.wishes().alone_on() > 0;
            sum.tasks = std::max(resources.tasks(), 1u);
            sum.cores_per_task = std::max(resources.cpus_per_task(), 1u);
        }
        add_job(sum, *job);
    }
    return sum;
}

std::vector<std::string> advice(const Efficiency& job)
{
    std::vector<std::string> sentences;
    for (auto& sentence : {waits_advice(job), memory_advice(job), cores_advice(job), time_advice(job)})
        if (!sentence.empty())
            sentences.push_back(sentence);
    return sentences;
}

std::string efficiency_text(const Efficiency& job, const Style& style)
{
    std::string text = fmt::format("job {}  {}  {}  {}{}\n", job.id, escape_for_terminal(job.name), escape_for_terminal(job.user),
                                   states_text(job), job.running ? ", so far" : "");
    text += line("cores", job.cpu_share(),
                 fmt::format("{:.2f} of {}{}", job.cpu_share() * job.cores, job.cores,
                             job.node_count > 1 ? fmt::format(" on {} nodes", job.node_count) : ""),
                 style);
    if (job.memory_asked && job.memory_peak) {
        const auto held = job.memory_held.value_or(*job.memory_peak);
        text += line("memory", static_cast<double>(held) / static_cast<double>(*job.memory_asked),
                     fmt::format("{} of {}{}{}", size(held), size(*job.memory_asked), job.node_count > 1 ? " on a node" : "",
                                 held < *job.memory_peak / 100 * 95 ? fmt::format("; with page cache {}", size(*job.memory_peak)) : ""),
                     style);
    } else {
        text +=
            fmt::format("memory   {}{}\n", job.memory_asked ? size(*job.memory_asked) + " asked; " : "", "what it used was not counted");
    }
    if (job.limit)
        text +=
            line("time", share(job.elapsed, *job.limit),
                 fmt::format("{} of {}{}", format_duration(job.elapsed), format_duration(*job.limit), job.jobs > 1 ? ", the longest" : ""),
                 style);
    else
        text += fmt::format("time     {}, no limit\n", format_duration(job.elapsed));
    if (const auto waits = waits_text(job); !waits.empty())
        text += fmt::format("waited   {}\n", waits);
    if (job.read || job.faults.value_or(0) > 0)
        text += fmt::format("disks    {}{}\n",
                            job.read ? fmt::format("read {}, written {}", size(*job.read), size(job.written.value_or(0))) : "",
                            job.faults.value_or(0) > 0 ? fmt::format("{}{} pages read back", job.read ? ", " : "", *job.faults) : "");
    for (const auto& sentence : advice(job))
        text += paint("advice   ", Colour::cyan, style) + sentence + "\n";
    return text;
}

} // namespace jarvis::client
