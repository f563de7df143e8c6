// The auth plugin "peercred": the kernel knows who made the other end of a UNIX socket.
#include <jarvis/auth.hpp>

#include <cerrno>
#include <string>
#include <system_error>

#include <sys/socket.h>

namespace {

using jarvis_plugin::Failure;

class PeerCredentials {
public:
    explicit PeerCredentials(const jarvis_plugin::Settings&) {}

    void from_peer(int fd, jarvis_identity& identity)
    {
        int family = 0;
        socklen_t size = sizeof family;
        if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0)
            throw Failure(JARVIS_DENIED, "peer credentials: " + std::generic_category().message(errno));
        // Other sockets have no peer credentials; Linux answers for them with nobody's.
        if (family != AF_UNIX)
            throw Failure(JARVIS_DENIED, "peer credentials: only UNIX sockets have them");
        ucred peer{};
        size = sizeof peer;
        if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
            throw Failure(JARVIS_DENIED, "peer credentials: " + std::generic_category().message(errno));
        // (uid_t)-1: not connected, or from a user namespace that has no such user here.
        if (peer.uid == static_cast<uid_t>(-1))
            throw Failure(JARVIS_DENIED, "peer credentials: the kernel does not know the peer");
        identity.uid = peer.uid;
        identity.gid = peer.gid;
        identity.pid = peer.pid;
    }
};

} // namespace

JARVIS_AUTH_PLUGIN(PeerCredentials,
                   (jarvis_plugin::About{"peercred", JARVIS_VERSION,
                                         "takes the peer's identity on a UNIX socket from the kernel"}))
