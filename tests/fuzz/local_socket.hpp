// The other end of a listener of ours.
#pragma once

#include "base/fd.hpp"
#include "require.hpp"
#include "wire/unix_socket.hpp"

#include <string_view>
#include <sys/socket.h>

namespace jarvis::fuzz {

inline Fd connect_to(const std::string& path)
{
    const auto address = wire::unix_address(path);
    JARVIS_REQUIRE(address);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    JARVIS_REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address), address->length) == 0);
    return socket;
}

// False: the listener has hung up, or takes no more for now.
inline bool send_now(const Fd& socket, std::string_view bytes)
{
    return ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size());
}

} // namespace jarvis::fuzz
