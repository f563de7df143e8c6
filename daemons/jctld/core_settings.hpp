// What the controller's core and its front take from the configuration.
#pragma once

#include "cluster/commands.hpp"
#include "cluster/settings.hpp"
#include "config/config.hpp"
#include "plugin/policy.hpp"

#include <set>

namespace jarvis::jctld {

// Whether what this node says of its users is believed.
bool may_vouch(const config::Config& config, std::string_view node);

cluster::Settings core_settings(const config::Config& config, plugin::QueueOrder order);

// A fresh configuration as a reload puts it in force: what only a restart changes stays as the controller was started with,
// so that `jadmin config diff` goes on naming it. A new cluster name is refused.
Result<config::Config> reloaded(const config::Config& running, config::Config fresh);

// Who is operator or admin: by name, by group, and in a personal cluster whoever runs the daemon.
class Roles {
    std::set<std::string> admins_, operators_;
    std::set<std::uint32_t> admin_gids_, operator_gids_;
    std::optional<std::uint32_t> owner_; // of a personal cluster

public:
    // Looks the groups up; one that does not exist is a problem of the configuration.
    static Result<Roles> from(const config::Security& security);
    cluster::Role of(const Account& account) const;
    // Set in a personal cluster: the only uid that may submit.
    std::optional<std::uint32_t> only_uid() const { return owner_; }
};

} // namespace jarvis::jctld
