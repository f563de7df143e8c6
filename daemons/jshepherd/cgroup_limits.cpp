#include "cgroup_limits.hpp"

#include "base/fd.hpp"
#include "cgroup/file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <unistd.h>
#include <vector>

namespace jarvis::shepherd {
namespace {

using cgroup::first_line;
using cgroup::number_in;

bool is_list(std::string_view file) { return file.starts_with("cpuset.") && file != "cpuset.cpus.partition"; }

// What it holds, in one read: these files are short, and each call costs.
std::optional<std::string> read_whole(const Fd& file)
{
    char text[4096];
    const auto size = file ? ::pread(file.get(), text, sizeof text, 0) : -1;
    return size < 0 ? std::nullopt : std::optional(std::string(text, static_cast<std::size_t>(size)));
}

// The opened file, for reading it back; none where a file that may be missing is.
Result<Fd> write_value(const Fd& group, const wire::CgroupValue& limit)
{
    Fd file(::openat(group.get(), limit.file().c_str(), O_RDWR | O_CLOEXEC));
    if (!file && errno == ENOENT && limit.optional())
        return file;
    if (!file || ::write(file.get(), limit.value().data(), limit.value().size()) < 0) {
        const int why = errno;
        return std::unexpected(system_error(why, fmt::format("cannot set {} to {}", limit.file(), limit.value())));
    }
    return file;
}

Result<void> check_value(const std::string& name, const Fd& file, const wire::CgroupValue& limit)
{
    const auto found = read_whole(file);
    if (!found)
        return limit.optional() ? Result<void>{} : fail(Errc::unavailable, "cannot read {} back", name);
    if (!means_the_same(limit.file(), limit.value(), *found))
        return fail(Errc::corrupt, "{} says {}, asked for {}", name, first_line(*found).empty() ? "nothing" : first_line(*found),
                    limit.value());
    return {};
}

} // namespace

bool means_the_same(std::string_view file, std::string_view asked, std::string_view found)
{
    found = first_line(found);
    if (is_list(file)) {
        const auto a = cgroup::list_in(asked);
        return a && a == cgroup::list_in(found);
    }
    if (file.starts_with("memory.") && asked != found) {
        const auto a = number_in(asked);
        const auto b = number_in(found);
        const std::int64_t page = ::sysconf(_SC_PAGESIZE);
        return a && b && *a / page == *b / page;
    }
    return asked == found;
}

Result<void> set_limits(const std::string& path, const wire::LaunchOrder& order)
{
    const Fd group(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!group)
        return std::unexpected(system_error(errno, "cannot open cgroup " + path));
    std::vector<Fd> files;
    for (const auto& limit : order.cgroup_values()) {
        auto written = write_value(group, limit);
        if (!written)
            return std::unexpected(written.error());
        files.push_back(std::move(*written));
    }
    // When all are written: one may change what another says.
    for (int i = 0; i < order.cgroup_values_size(); ++i) {
        const auto& limit = order.cgroup_values(i);
        if (auto same = check_value(limit.file(), files[static_cast<std::size_t>(i)], limit); !same)
            return same;
        // What the groups above leave of it is what holds.
        if (is_list(limit.file())) {
            const auto name = limit.file() + ".effective";
            if (auto same = check_value(name, Fd(::openat(group.get(), name.c_str(), O_RDONLY | O_CLOEXEC)), limit); !same)
                return same;
        }
    }
    return {};
}

} // namespace jarvis::shepherd
