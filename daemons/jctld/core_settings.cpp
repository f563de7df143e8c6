#include "core_settings.hpp"

#include "daemon/log.hpp"

#include <algorithm>
#include <grp.h>
#include <unistd.h>

namespace jarvis::jctld {

namespace {

Result<std::set<std::uint32_t>> gids_of(const std::vector<std::string>& names, const char* key)
{
    std::set<std::uint32_t> gids;
    for (const auto& name : names) {
        ::group entry{};
        ::group* found = nullptr;
        std::string buffer(1 << 20, '\0'); // groups can have many members
        const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (!found)
            return fail(Errc::invalid, "security.{}: {} group \"{}\"", key, error ? "cannot look up" : "there is no", name);
        gids.insert(found->gr_gid);
    }
    return gids;
}

// A group that does not exist has no members; whoever is in no other one is kept out.
std::vector<std::uint32_t> known_gids(const std::vector<std::string>& names, const std::string& partition)
{
    std::vector<std::uint32_t> all;
    for (const auto& name : names) {
        auto gids = gids_of({name}, "");
        if (gids)
            all.insert(all.end(), gids->begin(), gids->end());
        else
            daemon::log().warn("partition {}: allow_groups: group \"{}\" cannot be found", partition, name);
    }
    std::ranges::sort(all);
    return all;
}

bool in_any(const Account& account, const std::set<std::uint32_t>& gids)
{
    return gids.contains(account.gid) ||
           std::any_of(account.groups.begin(), account.groups.end(), [&](auto gid) { return gids.contains(gid); });
}

} // namespace

bool may_vouch(const config::Config& config, std::string_view node)
{
    const auto found = config::settings_of_node(config, node);
    return found && found->vouch;
}

cluster::Settings core_settings(const config::Config& config, plugin::QueueOrder order)
{
    cluster::Settings settings;
    for (const auto& node : config.nodes)
        settings.nodes.push_back(node.name);
    for (const auto& node : config.nodes)
        if (cluster::NodeTraits traits{node.features, node.vouch, node.expect}; traits != cluster::NodeTraits{})
            settings.traits[node.name] = std::move(traits);
    std::vector<std::string> all_classes;
    for (const auto& node_class : config.node_classes) {
        all_classes.push_back(node_class.name);
        cluster::NodeClass joined{.name = node_class.name, .accept_all = node_class.accept, .names = node_class.names,
                                  .traits = {node_class.features, node_class.vouch, node_class.expect}, .max_nodes = node_class.max_nodes};
        std::ranges::sort(joined.names);
        settings.node_classes.push_back(std::move(joined));
    }
    for (const auto& partition : config.partitions)
        settings.partitions.push_back({.name = partition.name,
                                       .nodes = partition.nodes,
                                       .is_default = partition.is_default,
                                       .default_time = partition.default_time,
                                       .max_time = partition.max_time,
                                       .up = partition.state == config::PartitionState::up,
                                       .confinement = partition.confinement,
                                       .default_memory_per_cpu = partition.default_memory_per_cpu,
                                       .node_classes = partition.all_nodes ? all_classes : partition.node_classes,
                                       .min_nodes = partition.min_nodes,
                                       .max_nodes = partition.max_nodes,
                                       .max_cores = partition.max_cores,
                                       .allow_users = partition.allow_users,
                                       .allow_groups = partition.allow_groups,
                                       .allow_gids = known_gids(partition.allow_groups, partition.name),
                                       .deny_users = partition.deny_users});
    switch (order) {
    case plugin::QueueOrder::strict_fifo: settings.queue_mode = cluster::QueueMode::strict; break;
    }
    settings.keep_ended = config.controller.keep_ended;
    settings.heartbeat = config.controller.heartbeat;
    settings.kill_grace = config.controller.kill_grace;
    settings.down_after = config.controller.down_after;
    settings.requeue_on_silence = config.controller.requeue_on_silence;
    settings.first_job_id = config.cluster.first_job_id.value;
    settings.max_jobs = config.limits.pending_jobs;
    settings.allow_root_jobs = config.security.allow_root_jobs;
    return settings;
}

Result<config::Config> reloaded(const config::Config& running, config::Config fresh)
{
    if (fresh.cluster.name != running.cluster.name)
        return fail(Errc::invalid, "{}: cluster.name: this is cluster \"{}\" and cannot become \"{}\"; the running configuration is unchanged",
                    fresh.file, running.cluster.name, fresh.cluster.name);
    fresh.cluster.first_job_id = running.cluster.first_job_id;
    fresh.controller.state_dir = running.controller.state_dir;
    fresh.controller.socket = running.controller.socket;
    fresh.controller.storage = running.controller.storage;
    fresh.controller.policy = running.controller.policy;
    fresh.controller.auth = running.controller.auth;
    fresh.limits.message_size = running.limits.message_size;
    fresh.security.personal = running.security.personal;
    fresh.log = running.log;
    fresh.plugins = running.plugins;
    fresh.jnoded = running.jnoded;
    return fresh;
}

Result<Roles> Roles::from(const config::Security& security)
{
    auto admin_gids = gids_of(security.admin_groups, "admin_groups");
    auto operator_gids = gids_of(security.operator_groups, "operator_groups");
    if (!admin_gids || !operator_gids)
        return std::unexpected(admin_gids ? operator_gids.error() : admin_gids.error());
    Roles roles;
    roles.admins_ = {security.admins.begin(), security.admins.end()};
    roles.operators_ = {security.operators.begin(), security.operators.end()};
    roles.admin_gids_ = std::move(*admin_gids);
    roles.operator_gids_ = std::move(*operator_gids);
    if (security.personal)
        roles.owner_ = ::geteuid();
    return roles;
}

cluster::Role Roles::of(const Account& account) const
{
    if (account.uid == owner_ || admins_.contains(account.user) || in_any(account, admin_gids_))
        return cluster::Role::admin;
    if (operators_.contains(account.user) || in_any(account, operator_gids_))
        return cluster::Role::operator_;
    return cluster::Role::user;
}

} // namespace jarvis::jctld
