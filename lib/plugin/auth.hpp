// An auth plugin as the daemons use it. See include/jarvis/auth.h.
#pragma once

#include "plugin/host.hpp"

#include <jarvis/auth.h>

namespace jarvis::plugin {

// Who is at the other end.
struct Identity {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int32_t pid = 0; // 0: not known
};

class Auth {
    Loaded<jarvis_auth> plugin_;
    std::unique_ptr<OpenArguments> arguments_;
    void* state_ = nullptr;

    Auth(Loaded<jarvis_auth> plugin, std::unique_ptr<OpenArguments> arguments);

public:
    // Loads, checks the settings, opens.
    static Result<std::unique_ptr<Auth>> open(const Source& source);
    Auth(const Auth&) = delete;
    Auth& operator=(const Auth&) = delete;
    ~Auth();

    std::string_view name() const { return plugin_.header->name; }
    // The peer of a connected socket. Does not block.
    Result<Identity> from_peer(int fd);
};

} // namespace jarvis::plugin
