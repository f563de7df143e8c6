// What blocking and asynchronous users of UNIX sockets share: addresses, and who is at the other end.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

namespace jarvis::wire {

// sun_path holds 108 bytes with its final NUL (unix(7)).
constexpr std::size_t max_socket_path = sizeof(sockaddr_un::sun_path) - 1;

struct UnixAddress {
    sockaddr_un address{};
    socklen_t length = 0;
};
// Fails for an empty path, one with a NUL and one that is too long, saying so.
Result<UnixAddress> unix_address(const std::string& path);

struct PeerCredentials {
    uid_t uid = static_cast<uid_t>(-1);
    gid_t gid = static_cast<gid_t>(-1);
    pid_t pid = -1;
};
// As the kernel recorded them when the connection was made (SO_PEERCRED, unix(7)).
Result<PeerCredentials> peer_credentials(int socket);

// How to listen on a path.
struct ListenOptions {
    std::string path;
    mode_t mode = 0666; // who may connect; the folder's mode counts as well
    int backlog = 1024;
};
// A listening socket on the path. A socket that nobody answers on is replaced, without a moment in which the path is not
// there; where a daemon answers, or something else than a socket is there, it fails.
Result<Fd> listen_unix(const ListenOptions& options);

} // namespace jarvis::wire
