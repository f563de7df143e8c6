#include "cgroup/usage.hpp"

#include "cgroup/file.hpp"
#include "wire/limits.hpp"

#include <algorithm>

namespace jarvis::cgroup {

std::int64_t bounded(std::int64_t value)
{
    return std::clamp<std::int64_t>(value, 0, wire::limits::memory);
}

namespace {

// cpu.stat has the times without any controller, and those of processes that nobody waited for as well.
void add_cpu(const std::string& group, wire::Usage& usage)
{
    const auto text = read_file(group, "cpu.stat");
    if (!text)
        return;
    if (const auto user = value_of(*text, "user_usec"))
        usage.set_cpu_user_us(std::max(usage.cpu_user_us(), bounded(*user)));
    if (const auto system = value_of(*text, "system_usec"))
        usage.set_cpu_system_us(std::max(usage.cpu_system_us(), bounded(*system)));
    if (const auto throttled = value_of(*text, "throttled_usec"))
        usage.mutable_detail()->set_throttled_us(bounded(*throttled));
}

void add_memory(const std::string& group, wire::Usage& usage)
{
    if (const auto text = read_file(group, "memory.peak")) // since Linux 5.19
        if (const auto peak = number_in(*text))
            usage.set_memory_peak(bounded(*peak));
    if (const auto text = read_file(group, "memory.stat")) {
        if (const auto file = value_of(*text, "file"))
            usage.mutable_detail()->set_page_cache(bounded(*file - value_of(*text, "shmem").value_or(0)));
        if (const auto faults = value_of(*text, "pgmajfault"))
            usage.mutable_detail()->set_major_faults(std::max(usage.detail().major_faults(), bounded(*faults)));
    }
}

// "8:0 rbytes=4096 wbytes=0 rios=1 ...", a line for each device.
void add_io(const std::string& group, wire::Usage& usage)
{
    const auto text = read_file(group, "io.stat");
    if (!text)
        return;
    std::int64_t read = 0;
    std::int64_t written = 0;
    for (std::string_view rest = *text; !rest.empty();) {
        const auto line = first_line(rest);
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        read = bounded(read + bounded(value_of(line, "rbytes", '=').value_or(0)));
        written = bounded(written + bounded(value_of(line, "wbytes", '=').value_or(0)));
    }
    usage.mutable_detail()->set_read(read);
    usage.mutable_detail()->set_written(written);
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345" is the first line, and absent without PSI.
std::optional<std::string> pressure_line(const std::string& group, std::string_view file)
{
    auto text = read_file(group, file);
    return text && text->starts_with("some ") ? std::move(text) : std::nullopt;
}

std::optional<std::int64_t> pressure(const std::string& group, std::string_view file)
{
    const auto text = pressure_line(group, file);
    const auto total = text ? value_of(*text, "total", '=') : std::nullopt;
    return total ? std::optional(bounded(*total)) : std::nullopt;
}

} // namespace

void add_usage(const std::string& group, wire::Usage& usage)
{
    add_cpu(group, usage);
    add_memory(group, usage);
    add_io(group, usage);
    auto& detail = *usage.mutable_detail();
    if (const auto waited = pressure(group, "cpu.pressure"))
        detail.set_cpu_pressure_us(*waited);
    if (const auto waited = pressure(group, "memory.pressure"))
        detail.set_memory_pressure_us(*waited);
    if (const auto waited = pressure(group, "io.pressure"))
        detail.set_io_pressure_us(*waited);
}

std::optional<std::uint32_t> recent_pressure(const std::string& group, std::string_view file)
{
    constexpr std::string_view key = "avg10=";
    const auto text = pressure_line(group, file);
    const auto at = text ? text->find(key) : std::string::npos;
    if (at == std::string::npos)
        return std::nullopt;
    // "12.34": the kernel always writes two digits behind the point.
    const auto whole = number_in(std::string_view(*text).substr(at + key.size()));
    const auto point = text->find('.', at);
    const auto part = point == std::string::npos ? std::nullopt : number_in(std::string_view(*text).substr(point + 1, 2));
    if (!whole || !part || *whole < 0 || *whole > 100)
        return std::nullopt;
    return static_cast<std::uint32_t>(*whole * 100 + *part);
}

} // namespace jarvis::cgroup
