#include "daemon/notify.hpp"

#include "base/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sys/socket.h>
#include <sys/un.h>

namespace jarvis::daemon {

namespace {

// A status is one line.
std::string status_line(std::string_view status)
{
    std::string line = "STATUS=" + std::string(status);
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

} // namespace

Result<bool> notify(const std::string& assignments)
{
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || path[0] == '\0')
        return false;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto length = std::strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof address.sun_path)
        return fail(Errc::invalid, "NOTIFY_SOCKET is \"{}\", which is no socket address", path);
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; // an abstract address, which has no final NUL either
    Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket)
        return std::unexpected(system_error(errno, "cannot make a socket for NOTIFY_SOCKET"));
    auto size = offsetof(sockaddr_un, sun_path) + length + (path[0] == '/' ? 1 : 0);
    // Without waiting: a manager that does not listen must not hold us up.
    if (::sendto(socket.get(), assignments.data(), assignments.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size)) < 0)
        return std::unexpected(system_error(errno, fmt::format("cannot tell the service manager at {}", path)));
    return true;
}

Result<bool> notify_ready(std::string_view status) { return notify("READY=1\n" + status_line(status)); }

Result<bool> notify_reloading()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000LL + now.tv_nsec / 1000));
}

Result<bool> notify_stopping(std::string_view status) { return notify("STOPPING=1\n" + status_line(status)); }

Result<bool> notify_status(std::string_view status) { return notify(status_line(status)); }

Result<bool> notify_main_pid(int pid) { return notify(fmt::format("MAINPID={}", pid)); }

} // namespace jarvis::daemon
