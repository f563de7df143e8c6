#include "cgroup_directory.hpp"

#include "cgroup/file.hpp"

#include <cerrno>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::noded {

Fd open_directory(int at, const char* name)
{
    return Fd(::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

Result<Fd> make_group(const Fd& at, const char* name)
{
    if (::mkdirat(at.get(), name, 0755) != 0 && errno != EEXIST)
        return std::unexpected(system_error(errno, fmt::format("cannot make cgroup {}", name)));
    auto made = open_directory(at.get(), name);
    if (!made)
        return std::unexpected(system_error(errno, fmt::format("cannot open cgroup {}", name)));
    return made;
}

Result<void> write_value(const Fd& group, const char* file, std::string_view value)
{
    const Fd target(::openat(group.get(), file, O_WRONLY | O_CLOEXEC));
    if (!target || ::write(target.get(), value.data(), value.size()) < 0)
        return std::unexpected(system_error(errno, fmt::format("cannot write {} to {}", value, file)));
    return {};
}

std::string read_value(const Fd& group, const char* file)
{
    return cgroup::read_file(group, file).value_or(std::string());
}

bool has_file(const Fd& group, const char* file)
{
    return ::faccessat(group.get(), file, W_OK, AT_EACCESS) == 0;
}

bool remove_emptying(const Fd& parent, const char* name)
{
    constexpr int attempts = 100;
    for (int i = 0; i < attempts; ++i) {
        if (::unlinkat(parent.get(), name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return true;
        if (errno != EBUSY)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    errno = EBUSY;
    return false;
}

} // namespace jarvis::noded
