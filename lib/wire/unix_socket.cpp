#include "wire/unix_socket.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace jarvis::wire {

namespace {

std::string folder_of(const std::string& path)
{
    auto slash = path.rfind('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<Fd> new_socket()
{
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return std::unexpected(system_error(errno, "cannot make a socket"));
    return fd;
}

// Two daemons that start at once must not each find the other's socket dead: looking, binding and renaming happen under
// a lock on the folder itself, which leaves no file behind.
Result<Fd> lock_folder(const std::string& folder)
{
    Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        return std::unexpected(system_error(errno, fmt::format("cannot open the folder {} of the socket", folder)));
    for (int tries = 0; ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return std::unexpected(system_error(errno, fmt::format("cannot lock {}", folder)));
        if (tries == 100)
            return fail(Errc::unavailable, "{} has been locked by another process for 2 s", folder);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return fd;
}

// Fails unless the path is free, or holds a socket that nobody answers on.
Result<void> check_free(const std::string& path, const UnixAddress& address)
{
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT)
            return {};
        return std::unexpected(system_error(errno, fmt::format("cannot look at {}", path)));
    }
    if (!S_ISSOCK(info.st_mode))
        return fail(Errc::invalid, "cannot listen on {}: something that is not a socket is there", path);
    auto probe = new_socket();
    if (!probe)
        return std::unexpected(std::move(probe.error()));
    int connected = ::connect(probe->get(), reinterpret_cast<const sockaddr*>(&address.address), address.length);
    // EAGAIN: somebody listens and has more connections waiting than it takes.
    if (connected == 0 || errno == EAGAIN)
        return fail(Errc::invalid, "cannot listen on {}: another process answers there already", path);
    if (errno != ECONNREFUSED)
        return std::unexpected(system_error(errno, fmt::format("cannot find out whether {} is in use", path)));
    return {};
}

// Where a socket is bound until it listens. As long as the path itself, so that it fits into an address. (It stays the name under
// which the kernel lists the socket, in ss(8) and /proc/net/unix.)
std::string path_until_ready(std::string path)
{
    path.back() = path.back() == '~' ? '-' : '~';
    return path;
}

} // namespace

Result<UnixAddress> unix_address(const std::string& path)
{
    if (path.empty() || path.find('\0') != std::string::npos)
        return fail(Errc::invalid, "a socket's path must not be empty or contain NUL bytes");
    if (path.size() > max_socket_path)
        return fail(Errc::invalid, "the path of the socket {} is {} bytes long; a UNIX socket's can have {} (unix(7)): choose a shorter folder",
                    path, path.size(), max_socket_path);
    UnixAddress result;
    result.address.sun_family = AF_UNIX;
    std::memcpy(result.address.sun_path, path.c_str(), path.size() + 1);
    result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return result;
}

Result<PeerCredentials> peer_credentials(int socket)
{
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return std::unexpected(system_error(errno, "cannot find out who is connected"));
    return PeerCredentials{credentials.uid, credentials.gid, credentials.pid};
}

Result<Fd> listen_unix(const ListenOptions& options)
{
    const auto& path = options.path;
    auto address = unix_address(path);
    if (!address)
        return std::unexpected(std::move(address.error()));
    auto lock = lock_folder(folder_of(path));
    if (!lock)
        return fail(lock.error(), "cannot listen on {}", path);
    if (auto is_free = check_free(path, *address); !is_free)
        return std::unexpected(std::move(is_free.error()));
    const auto early = path_until_ready(path);
    auto early_address = unix_address(early);
    if (!early_address)
        return std::unexpected(std::move(early_address.error()));
    auto socket = new_socket();
    if (!socket)
        return socket;
    auto failed = [&] { return std::unexpected(system_error(errno, fmt::format("cannot listen on {}", path))); };
    struct stat left {};
    if (::lstat(early.c_str(), &left) == 0 && S_ISSOCK(left.st_mode))
        ::unlink(early.c_str()); // of a process that was killed between the next lines
    if (::bind(socket->get(), reinterpret_cast<const sockaddr*>(&early_address->address), early_address->length) != 0)
        return failed();
    if (::chmod(early.c_str(), options.mode) != 0 || ::listen(socket->get(), options.backlog) != 0 ||
        ::rename(early.c_str(), path.c_str()) != 0) {
        auto failure = failed();
        ::unlink(early.c_str());
        return failure;
    }
    return socket;
}

} // namespace jarvis::wire
