#include "client/live_usage.hpp"

#include "base/escape.hpp"
#include "base/index_set.hpp"
#include "base/units.hpp"
#include "client/job_text.hpp"
#include "client/state_text.hpp"
#include "client/table.hpp"
#include "wire/convert.hpp"
#include "wire/limits.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <type_traits>

namespace jarvis::client {

namespace {

constexpr double us_per_second = 1e6;
constexpr std::string_view unknown = "-";

std::uint32_t cores_in(std::string_view list)
{
    constexpr std::uint32_t most = 1 << 16; // cores of a node that the wire lets through
    const auto cores = parse_index_set(list, most);
    return cores ? static_cast<std::uint32_t>(cores->size()) : 0;
}

const wire::NodeAnswers::Item* item_of(const wire::NodeAnswers& answers, const std::string& node)
{
    const auto found = std::find_if(answers.items().begin(), answers.items().end(), [&](const auto& item) { return item.node() == node; });
    return found == answers.items().end() ? nullptr : &*found;
}

// Nothing where a counter went back: the job was started anew between the samples.
std::optional<double> rate(std::int64_t before, std::int64_t now, std::int64_t elapsed_us)
{
    if (elapsed_us <= 0 || now < before)
        return std::nullopt;
    return static_cast<double>(now - before) * us_per_second / static_cast<double>(elapsed_us);
}

// A node's figures are believed within what any message may say, so that whatever is reckoned from them stays a number.
bool makes_sense(const wire::JobSample& sample)
{
    const auto is_size = [](std::int64_t bytes) { return bytes >= 0 && bytes <= wire::limits::memory; };
    return wire::from_message(sample.usage()) && sample.at_us() >= 0 && sample.at_us() <= wire::limits::duration_us && is_size(sample.memory()) &&
           is_size(sample.memory_limit()) && is_size(sample.anonymous()) && is_size(sample.shared()) && is_size(sample.page_cache()) &&
           is_size(sample.kernel());
}

template <class T>
std::optional<T> if_told(bool told, T value)
{
    return told ? std::optional<T>(value) : std::nullopt;
}

LiveFigures totals(const wire::JobSample& sample)
{
    const auto& usage = sample.usage();
    const auto& detail = usage.detail();
    const auto percent = [](bool told, std::uint32_t hundredths) { return if_told(told, hundredths / 100.0); };
    LiveFigures figures;
    figures.memory = if_told(sample.has_memory(), sample.memory());
    figures.peak = if_told(usage.has_memory_peak(), usage.memory_peak());
    figures.limit = if_told(sample.has_memory_limit(), sample.memory_limit());
    figures.anonymous = if_told(sample.has_anonymous(), sample.anonymous());
    figures.shared = if_told(sample.has_shared(), sample.shared());
    figures.page_cache = if_told(sample.has_page_cache(), sample.page_cache());
    figures.kernel = if_told(sample.has_kernel(), sample.kernel());
    figures.faults = if_told(detail.has_major_faults(), detail.major_faults());
    figures.read = if_told(detail.has_read(), detail.read());
    figures.written = if_told(detail.has_written(), detail.written());
    figures.cpu_pressure = percent(sample.has_cpu_pressure(), sample.cpu_pressure());
    figures.memory_pressure = percent(sample.has_memory_pressure(), sample.memory_pressure());
    figures.io_pressure = percent(sample.has_io_pressure(), sample.io_pressure());
    figures.processes = sample.processes();
    figures.threads = if_told(sample.has_threads(), sample.threads());
    figures.threads_limit = if_told(sample.has_threads_limit(), sample.threads_limit());
    return figures;
}

void put_rates(LiveFigures& figures, const wire::JobSample& before, const wire::JobSample& now)
{
    const auto elapsed = now.at_us() - before.at_us();
    const auto& a = before.usage();
    const auto& b = now.usage();
    const auto both = [&](bool told_before, bool told_now, std::int64_t from, std::int64_t to) {
        return told_before && told_now ? rate(from, to, elapsed) : std::nullopt;
    };
    const auto per_core = [](std::optional<double> us) { return us ? std::optional(*us / us_per_second) : std::nullopt; };
    figures.user = per_core(rate(a.cpu_user_us(), b.cpu_user_us(), elapsed));
    figures.system = per_core(rate(a.cpu_system_us(), b.cpu_system_us(), elapsed));
    const auto& x = a.detail();
    const auto& y = b.detail();
    figures.throttled = per_core(both(x.has_throttled_us(), y.has_throttled_us(), x.throttled_us(), y.throttled_us()));
    figures.fault_rate = both(x.has_major_faults(), y.has_major_faults(), x.major_faults(), y.major_faults());
    figures.read_rate = both(x.has_read(), y.has_read(), x.read(), y.read());
    figures.write_rate = both(x.has_written(), y.has_written(), x.written(), y.written());
}

template <class T>
void add(std::optional<T>& sum, const std::optional<T>& one)
{
    if (!one)
        return;
    T total = sum.value_or(T{});
    if constexpr (std::is_integral_v<T>) {
        if (__builtin_add_overflow(total, *one, &total))
            total = std::numeric_limits<T>::max();
    } else {
        total += *one;
    }
    sum = total;
}

void raise(std::optional<double>& highest, const std::optional<double>& one)
{
    if (one)
        highest = std::max(highest.value_or(0), *one);
}

void add(LiveFigures& sum, const LiveFigures& one)
{
    sum.cores += one.cores;
    add(sum.user, one.user), add(sum.system, one.system), add(sum.throttled, one.throttled);
    add(sum.memory, one.memory), add(sum.peak, one.peak), add(sum.limit, one.limit);
    add(sum.anonymous, one.anonymous), add(sum.shared, one.shared), add(sum.page_cache, one.page_cache), add(sum.kernel, one.kernel);
    add(sum.faults, one.faults), add(sum.read, one.read), add(sum.written, one.written);
    add(sum.fault_rate, one.fault_rate), add(sum.read_rate, one.read_rate), add(sum.write_rate, one.write_rate);
    raise(sum.cpu_pressure, one.cpu_pressure), raise(sum.memory_pressure, one.memory_pressure), raise(sum.io_pressure, one.io_pressure);
    add(sum.processes, one.processes), add(sum.threads, one.threads), add(sum.threads_limit, one.threads_limit);
}

std::string size(const std::optional<std::int64_t>& bytes)
{
    return bytes ? format_memory_size({*bytes}) : std::string(unknown);
}
std::string size_rate(const std::optional<double>& bytes)
{
    constexpr auto most = static_cast<double>(wire::limits::memory);
    return bytes ? format_memory_size({std::llround(std::min(*bytes, most))}) + "/s" : std::string(unknown);
}
std::string two_digits(const std::optional<double>& value)
{
    return value ? fmt::format("{:.2f}", *value) : std::string(unknown);
}
std::string one_digit(const std::optional<double>& value)
{
    return value ? fmt::format("{:.1f}", *value) : std::string(unknown);
}
template <class T>
std::string number(const std::optional<T>& value)
{
    return value ? fmt::format("{}", *value) : std::string(unknown);
}

// "[######··········]": of a share above 1 it is full.
std::string bar(double share, const Style& style)
{
    constexpr int width = 24;
    const int full = std::clamp(static_cast<int>(std::lround(share * width)), 0, width);
    const auto colour = share > 0.95 ? Colour::red : share > 0.8 ? Colour::yellow : Colour::green;
    return "[" + paint(std::string(static_cast<std::size_t>(full), '#'), colour, style) +
           std::string(static_cast<std::size_t>(width - full), '.') + "]";
}

std::string bar_of(const std::optional<double>& used, double held, const Style& style)
{
    return bar(used && held > 0 ? *used / held : 0, style);
}

std::string left_text(const wire::JobDetail& job)
{
    const auto left = time_left(job);
    return left ? format_duration(*left) : "unlimited";
}

Table node_table(const wire::JobDetail& job, const LiveUsage& usage, bool titles)
{
    Table table;
    table.titles = titles;
    for (const auto* title : {"NODE"})
        table.columns.push_back({title, Align::left, 0, 8});
    for (const auto* title : {"CORES", "USED", "USER", "SYSTEM", "MEMORY", "PEAK", "LIMIT", "ANON", "SHARED", "CACHE", "FAULTS", "READ",
                              "WRITTEN", "CPU%", "MEM%", "IO%", "PROCS", "LEFT"})
        table.columns.push_back({title, Align::right, 0, 0});
    const auto row = [&](const std::string& name, const LiveFigures& f) {
        std::vector<Cell> cells;
        for (auto& text : {name, number(std::optional(f.cores)), two_digits(f.cores_used()), two_digits(f.user), two_digits(f.system),
                           size(f.memory), size(f.peak), size(f.limit), size(f.anonymous), size(f.shared), size(f.page_cache),
                           number(f.faults), size(f.read), size(f.written), one_digit(f.cpu_pressure), one_digit(f.memory_pressure),
                           one_digit(f.io_pressure), number(f.processes), left_text(job)})
            cells.push_back({text});
        table.rows.push_back(std::move(cells));
    };
    for (const auto& node : usage.nodes)
        row(escape_for_terminal(node.name), node.figures);
    if (usage.nodes.size() > 1)
        row("all", usage.sum);
    return table;
}

// Each note once, with the nodes that say it.
std::string notes_text(const LiveUsage& usage)
{
    std::map<std::string, std::string> nodes;
    for (const auto& node : usage.nodes)
        for (const auto& note : node.notes) {
            auto& names = nodes[note];
            names += (names.empty() ? "" : ",") + node.name;
        }
    std::string text;
    for (const auto& [note, names] : nodes)
        text += fmt::format("{}: {}\n", escape_for_terminal(names), escape_for_terminal(note));
    return text;
}

std::string errors_text(const LiveUsage& usage)
{
    std::string text;
    for (const auto& node : usage.nodes)
        if (!node.error.empty())
            text += escape_for_terminal(node.error) + "\n";
    return text;
}

} // namespace

std::optional<Duration> time_left(const wire::JobDetail& job)
{
    if (!job.summary().has_time_limit_us() || Duration(job.summary().time_limit_us()) >= max_duration)
        return std::nullopt;
    return std::max(Duration(job.summary().time_limit_us() - job.elapsed_us()), Duration::zero());
}

LiveUsage live_usage(const wire::JobDetail& job, const wire::NodeAnswers& before, const wire::NodeAnswers& now)
{
    LiveUsage usage;
    for (const auto& place : job.nodes()) {
        LiveNode node{.name = place.name(), .error = {}, .figures = {}, .notes = {}};
        const auto* item = item_of(now, place.name());
        if (!item || !item->has_usage()) {
            node.error = item ? item->error().message() : fmt::format("node {} was not asked", place.name());
        } else if (!makes_sense(item->usage())) {
            node.error = fmt::format("node {}: what it says of the job makes no sense", place.name());
        } else {
            node.figures = totals(item->usage());
            node.notes.assign(item->usage().notes().begin(), item->usage().notes().end());
            if (const auto* earlier = item_of(before, place.name()); earlier && earlier->has_usage() && makes_sense(earlier->usage()))
                put_rates(node.figures, earlier->usage(), item->usage());
        }
        node.figures.cores = cores_in(place.cores());
        add(usage.sum, node.figures);
        usage.nodes.push_back(std::move(node));
    }
    // What only some of them tell is no sum that others could be compared with.
    for (const auto& node : usage.nodes) {
        if (!node.error.empty())
            continue;
        if (!node.figures.peak)
            usage.sum.peak.reset();
        if (!node.figures.limit)
            usage.sum.limit.reset();
        if (!node.figures.threads_limit)
            usage.sum.threads_limit.reset();
    }
    return usage;
}

std::string live_screen(const wire::JobDetail& job, const LiveUsage& usage, const Style& style)
{
    const auto& summary = job.summary();
    const auto& f = usage.sum;
    std::string text = fmt::format(
        "job {}  {}  {}  {} on {}\n", job_id_text(summary), escape_for_terminal(summary.name()), escape_for_terminal(summary.user()),
        paint(state_name(summary.state()), state_colour(summary.state()), style), escape_for_terminal(summary.nodes()));
    const auto limit = time_left(job) ? std::optional(static_cast<double>(summary.time_limit_us())) : std::nullopt;
    text += fmt::format("time      {} {}{}\n", bar_of(static_cast<double>(job.elapsed_us()), limit.value_or(0), style),
                        format_duration(Duration(job.elapsed_us())),
                        limit ? fmt::format(" of {}, {} left", format_duration(Duration(summary.time_limit_us())), left_text(job))
                              : ", no limit");
    text += fmt::format("cores     {} {} of {}  (user {}, system {})\n", bar_of(f.cores_used(), f.cores, style), two_digits(f.cores_used()),
                        f.cores, two_digits(f.user), two_digits(f.system));
    if (f.throttled && *f.throttled > 0)
        text += fmt::format("          {:24}   held back {} s a second by a processor quota\n", "", two_digits(f.throttled));
    const auto held = f.limit.value_or(summary.memory());
    text += fmt::format("memory    {} {} of {}{}\n",
                        bar_of(f.memory ? std::optional(static_cast<double>(*f.memory)) : std::nullopt, static_cast<double>(held), style),
                        size(f.memory), size(held > 0 ? std::optional(held) : std::nullopt), f.limit ? "" : " (not enforced)");
    text += fmt::format("          peak {}; anonymous {}, shared {}, page cache {}, kernel {}\n", size(f.peak), size(f.anonymous),
                        size(f.shared), size(f.page_cache), size(f.kernel));
    text += fmt::format("faults    {} pages read back ({}/s)\n", number(f.faults), one_digit(f.fault_rate));
    text += fmt::format("disks     read {} ({}), written {} ({})\n", size(f.read), size_rate(f.read_rate), size(f.written),
                        size_rate(f.write_rate));
    const auto percent = [](const std::optional<double>& value) { return value ? fmt::format("{:.1f} %", *value) : std::string(unknown); };
    text += fmt::format("waited    for a processor {}, for memory {}, for a disk {}\n", percent(f.cpu_pressure), percent(f.memory_pressure),
                        percent(f.io_pressure));
    text += fmt::format("processes {}, with {} threads{}\n", number(f.processes), number(f.threads),
                        f.threads_limit ? fmt::format(" of {}", *f.threads_limit) : "");
    if (usage.nodes.size() > 1)
        text += "\n" + render(node_table(job, usage, true), style);
    const auto more = errors_text(usage) + notes_text(usage);
    return more.empty() ? text : text + "\n" + more;
}

std::string live_lines(const wire::JobDetail& job, const LiveUsage& usage, bool titles)
{
    return render(node_table(job, usage, titles), {});
}

} // namespace jarvis::client
