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

// Two daemons that start at once must not each find the other's socket dead: looking, removing and binding happen under
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

// Removes a socket that nobody answers on; a socket that is in use, or something else, is a failure.
Result<void> remove_stale(const std::string& path, const UnixAddress& address)
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
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return std::unexpected(system_error(errno, fmt::format("cannot remove the unused socket {}", path)));
    return {};
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
    if (auto removed = remove_stale(path, *address); !removed)
        return std::unexpected(std::move(removed.error()));
    auto socket = new_socket();
    if (!socket)
        return socket;
    auto failed = [&] { return std::unexpected(system_error(errno, fmt::format("cannot listen on {}", path))); };
    if (::bind(socket->get(), reinterpret_cast<const sockaddr*>(&address->address), address->length) != 0)
        return failed();
    // Until listen nobody can connect, so the mode that bind gave it is never of use to anybody.
    if (::chmod(path.c_str(), options.mode) != 0 || ::listen(socket->get(), options.backlog) != 0) {
        auto failure = failed();
        ::unlink(path.c_str());
        return failure;
    }
    return socket;
}

} // namespace jarvis::wire
