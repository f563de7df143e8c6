#include "plugin/auth.hpp"

namespace jarvis::plugin {

Auth::Auth(Loaded<jarvis_auth> plugin, std::unique_ptr<OpenArguments> arguments)
    : plugin_(std::move(plugin)), arguments_(std::move(arguments))
{}

Result<std::unique_ptr<Auth>> Auth::open(const Source& source)
{
    constexpr std::size_t needed = offsetof(jarvis_auth, from_peer) + sizeof(jarvis_auth::from_peer);
    auto plugin = load<jarvis_auth>(source.file, "auth", needed);
    if (!plugin)
        return std::unexpected(plugin.error());
    if (!plugin->table.open || !plugin->table.close || !plugin->table.from_peer)
        return fail(Errc::invalid, "plugin {}: its table lacks a function that every auth plugin has", source.file);
    auto arguments = open_arguments(*plugin->header, source);
    if (!arguments)
        return std::unexpected(arguments.error());
    std::unique_ptr<Auth> auth(new Auth(std::move(*plugin), std::move(*arguments)));
    ErrorBuffer error;
    void* state = nullptr;
    if (const auto code = auth->plugin_.table.open(auth->arguments_->get(), &state, error.data(), error.size());
        code != JARVIS_OK)
        return fail(error.error(code), "auth plugin {}", auth->name());
    auth->state_ = state;
    return auth;
}

Auth::~Auth()
{
    if (state_)
        plugin_.table.close(state_);
}

Result<Identity> Auth::from_peer(int fd)
{
    jarvis_identity identity{};
    identity.struct_size = sizeof identity;
    ErrorBuffer error;
    if (const auto code = plugin_.table.from_peer(state_, fd, &identity, error.data(), error.size()); code != JARVIS_OK)
        return std::unexpected(error.error(code));
    return Identity{identity.uid, identity.gid, identity.pid};
}

} // namespace jarvis::plugin
