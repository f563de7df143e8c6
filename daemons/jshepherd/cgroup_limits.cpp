#include "cgroup_limits.hpp"

#include "base/fd.hpp"
#include "cgroup/file.hpp"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <optional>
#include <set>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

using cgroup::first_line;
using cgroup::number_in;

// "0-3,8" as a set; nothing: it is no list.
std::optional<std::set<std::uint32_t>> parse_list(std::string_view text)
{
    constexpr std::uint32_t highest = 1 << 16; // far above what a kernel has of CPUs or nodes
    std::set<std::uint32_t> numbers;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
        std::uint32_t first = 0;
        auto read = std::from_chars(at, end, first);
        std::uint32_t last = first;
        if (read.ec == std::errc{} && read.ptr < end && *read.ptr == '-')
            read = std::from_chars(read.ptr + 1, end, last);
        if (read.ec != std::errc{} || last < first || last > highest || (read.ptr < end && *read.ptr != ','))
            return std::nullopt;
        for (auto number = first; number <= last; ++number)
            numbers.insert(number);
        at = read.ptr < end ? read.ptr + 1 : end;
    }
    return numbers;
}

bool is_list(std::string_view file) { return file.starts_with("cpuset."); }

Result<void> write_value(const std::string& group, const wire::CgroupValue& limit)
{
    const Fd file(::open((group + '/').append(limit.file()).c_str(), O_WRONLY | O_CLOEXEC));
    if (!file && errno == ENOENT && limit.optional())
        return {};
    if (!file || ::write(file.get(), limit.value().data(), limit.value().size()) < 0) {
        const int why = errno;
        return std::unexpected(system_error(why, fmt::format("cannot set {} to {}", limit.file(), limit.value())));
    }
    return {};
}

Result<void> check_value(const std::string& group, const std::string& file, const wire::CgroupValue& limit)
{
    const auto found = cgroup::read_file(group, file);
    if (!found)
        return limit.optional() ? Result<void>{} : fail(Errc::unavailable, "cannot read {} back", file);
    if (!means_the_same(limit.file(), limit.value(), *found))
        return fail(Errc::corrupt, "{} says {}, asked for {}", file, first_line(*found).empty() ? "nothing" : first_line(*found),
                    limit.value());
    return {};
}

} // namespace

bool means_the_same(std::string_view file, std::string_view asked, std::string_view found)
{
    found = first_line(found);
    if (is_list(file)) {
        const auto a = parse_list(asked);
        return a && a == parse_list(found);
    }
    if (file.starts_with("memory.") && asked != found) {
        const auto a = number_in(asked);
        const auto b = number_in(found);
        const std::int64_t page = ::sysconf(_SC_PAGESIZE);
        return a && b && *a / page == *b / page;
    }
    return asked == found;
}

Result<void> set_limits(const std::string& group, const wire::LaunchOrder& order)
{
    for (const auto& limit : order.cgroup_values())
        if (auto written = write_value(group, limit); !written)
            return written;
    for (const auto& limit : order.cgroup_values()) {
        if (auto same = check_value(group, limit.file(), limit); !same)
            return same;
        // What the groups above leave of it is what holds.
        if (is_list(limit.file()))
            if (auto same = check_value(group, limit.file() + ".effective", limit); !same)
                return same;
    }
    return {};
}

} // namespace jarvis::shepherd
