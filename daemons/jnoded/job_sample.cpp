#include "job_sample.hpp"

#include "cgroup/file.hpp"
#include "cgroup/usage.hpp"
#include "cgroup_tree.hpp"
#include "processes.hpp"
#include "wire/clocks.hpp"
#include "wire/limits.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <unistd.h>
#include <vector>

namespace jarvis::noded {
namespace {

using cgroup::bounded;
using cgroup::number_in;
using cgroup::read_file;
using cgroup::value_of;

struct Total : ProcessUsage {
    std::int64_t processes = 0;
    std::int64_t largest = 0;
};

void add(ProcessUsage& sum, const ProcessUsage& one)
{
    sum.user_us = bounded(sum.user_us + one.user_us);
    sum.system_us = bounded(sum.system_us + one.system_us);
    sum.major_faults = bounded(sum.major_faults + one.major_faults);
    sum.anonymous = bounded(sum.anonymous + one.anonymous);
    sum.shared = bounded(sum.shared + one.shared);
    sum.files = bounded(sum.files + one.files);
    sum.threads = bounded(sum.threads + one.threads);
    sum.read = bounded(sum.read + one.read);
    sum.written = bounded(sum.written + one.written);
}

ProcessUsage read_usage(pid_t pid)
{
    ProcessUsage usage;
    const auto folder = fmt::format("/proc/{}", pid);
    if (const auto stat = read_file(folder, "stat"))
        read_process_stat(*stat, ::sysconf(_SC_CLK_TCK), Of::all, usage);
    if (const auto status = read_file(folder, "status"))
        read_process_status(*status, usage);
    if (const auto io = read_file(folder, "io"))
        read_process_io(*io, usage);
    return usage;
}

Total sum_of(const std::vector<pid_t>& pids)
{
    Total sum;
    for (const auto pid : pids) {
        const auto usage = read_usage(pid);
        add(sum, usage);
        sum.processes += usage.threads > 0; // else it has ended meanwhile
        sum.largest = std::max(sum.largest, bounded(usage.anonymous + usage.shared + usage.files));
    }
    return sum;
}

std::optional<std::int64_t> value_in(const std::string& group, std::string_view file)
{
    const auto text = read_file(group, file);
    const auto value = text ? number_in(*text) : std::nullopt; // "max" is none
    return value ? std::optional(bounded(*value)) : std::nullopt;
}

void put_memory(const std::string& group, wire::JobSample& sample)
{
    if (const auto now = value_in(group, "memory.current"))
        sample.set_memory(*now);
    if (const auto limit = value_in(group, "memory.max"))
        sample.set_memory_limit(*limit);
    const auto text = read_file(group, "memory.stat");
    if (!text)
        return;
    const auto kind = [&](std::string_view key) { return bounded(value_of(*text, key).value_or(0)); };
    sample.set_anonymous(kind("anon"));
    sample.set_shared(kind("shmem"));
    sample.set_page_cache(bounded(kind("file") - kind("shmem")));
    // One sum of it all is there since Linux 5.18.
    const auto kernel = value_of(*text, "kernel");
    sample.set_kernel(kernel ? bounded(*kernel) : bounded(kind("slab") + kind("kernel_stack") + kind("pagetables") + kind("percpu")));
}

void put_pressure(const std::string& group, wire::JobSample& sample)
{
    if (const auto share = cgroup::recent_pressure(group, "cpu.pressure"))
        sample.set_cpu_pressure(*share);
    if (const auto share = cgroup::recent_pressure(group, "memory.pressure"))
        sample.set_memory_pressure(*share);
    if (const auto share = cgroup::recent_pressure(group, "io.pressure"))
        sample.set_io_pressure(*share);
}

// Where no cgroup counts it.
void put_times(const Total& processes, wire::Usage& usage)
{
    usage.set_cpu_user_us(processes.user_us);
    usage.set_cpu_system_us(processes.system_us);
    usage.mutable_detail()->set_major_faults(processes.major_faults);
}

} // namespace

void read_process_stat(std::string_view stat, std::int64_t ticks_per_second, Of of, ProcessUsage& usage)
{
    // The name in parentheses may hold anything. Behind it is field 3, the state (proc(5)).
    const auto name_end = stat.rfind(')');
    if (name_end == stat.npos || name_end + 2 > stat.size() || ticks_per_second <= 0)
        return;
    auto rest = stat.substr(name_end + 2);
    constexpr std::size_t first = 3, most = 21;
    std::array<std::int64_t, most> fields{}; // by their numbers in proc(5)
    for (auto number = first; number < most; ++number) {
        fields[number] = bounded(number_in(rest).value_or(0));
        const auto space = rest.find(' ');
        if (space == rest.npos)
            break;
        rest.remove_prefix(space + 1);
    }
    const auto us = [&](std::int64_t ticks) {
        return bounded(ticks) / ticks_per_second * 1'000'000 + ticks % ticks_per_second * 1'000'000 / ticks_per_second;
    };
    const bool own = of == Of::all;
    usage.major_faults = (own ? fields[12] : 0) + fields[13];
    usage.user_us = us((own ? fields[14] : 0) + fields[16]);
    usage.system_us = us((own ? fields[15] : 0) + fields[17]);
    usage.threads = own ? fields[20] : 0;
}

void read_process_status(std::string_view status, ProcessUsage& usage)
{
    const auto bytes = [&](std::string_view key) {
        const auto at = status.find(key); // "RssAnon:\t     120 kB"
        if (at == status.npos)
            return std::int64_t{0};
        auto rest = status.substr(at + key.size());
        rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
        return bounded(std::min(number_in(rest).value_or(0), wire::limits::memory / 1024) * 1024);
    };
    usage.anonymous = bytes("\nRssAnon:");
    usage.files = bytes("\nRssFile:");
    usage.shared = bytes("\nRssShmem:");
}

void read_process_io(std::string_view io, ProcessUsage& usage)
{
    // "read_bytes: 4096": what reached a disk; rchar and wchar are what was asked for.
    const auto number = [&](std::string_view key) {
        const auto at = io.find(key);
        return at == io.npos ? std::int64_t{0} : bounded(number_in(io.substr(at + key.size())).value_or(0));
    };
    usage.read = number("\nread_bytes: ");
    usage.written = number("\nwrite_bytes: ");
}

wire::JobSample sample_job(const SampledJob& job)
{
    wire::JobSample sample;
    sample.set_at_us(boottime_us());
    auto& usage = *sample.mutable_usage();
    auto& detail = *usage.mutable_detail();
    const bool grouped = !job.cgroup.empty() && read_file(job.cgroup, "cgroup.procs").has_value();
    const auto note = [&](std::string_view text) { sample.add_notes(std::string(text)); };
    if (grouped) {
        cgroup::add_usage(job.cgroup, usage);
        put_memory(job.cgroup, sample);
        put_pressure(job.cgroup, sample);
        if (const auto threads = value_in(job.cgroup, "pids.current"))
            sample.set_threads(static_cast<std::uint32_t>(*threads));
        if (const auto limit = value_in(job.cgroup, "pids.max"))
            sample.set_threads_limit(static_cast<std::uint32_t>(*limit));
    }
    const auto pids = grouped ? cgroup_processes(job.cgroup) : job.shepherd ? descendants(*job.shepherd) : std::vector<pid_t>{};
    auto processes = sum_of(pids);
    sample.set_processes(static_cast<std::uint32_t>(processes.processes));
    if (!sample.has_threads())
        sample.set_threads(static_cast<std::uint32_t>(processes.threads));
    detail.set_largest_process(processes.largest);
    if (!grouped) {
        ProcessUsage ended; // and were waited for by the shepherd
        if (const auto stat = job.shepherd ? read_file(fmt::format("/proc/{}", *job.shepherd), "stat") : std::nullopt)
            read_process_stat(*stat, ::sysconf(_SC_CLK_TCK), Of::children, ended);
        add(processes, ended);
        put_times(processes, usage);
        note("the job has no cgroup here: times are those of its processes and of the ended ones that somebody waited for");
    }
    if (!sample.has_memory()) {
        sample.set_anonymous(processes.anonymous);
        sample.set_shared(processes.shared);
        sample.set_memory(bounded(processes.anonymous + processes.shared + processes.files));
        note("memory is not counted by job here: it is the sum over its processes, in which shared memory counts in each of them, and has "
             "no peak");
        if (grouped)
            detail.set_major_faults(processes.major_faults);
    }
    if (!detail.has_read()) {
        detail.set_read(processes.read);
        detail.set_written(processes.written);
        note("input and output are not counted by job here: they are those of the processes that run, and of ended ones that somebody "
             "waited for");
    }
    if (!sample.has_cpu_pressure())
        note(grouped ? "pressure is not known: this kernel does not count it (boot with psi=1)"
                     : "pressure and throttled time are not known without a cgroup");
    else if (!sample.has_memory_pressure() || !sample.has_io_pressure())
        note("pressure is not known of everything");
    return sample;
}

} // namespace jarvis::noded
