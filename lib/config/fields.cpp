#include "config/fields.hpp"

#include "config/values.hpp"

#include "base/host_port.hpp"
#include "base/hostlist.hpp"
#include "model/constraint.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>

namespace jarvis::config {

namespace {

// What is wrong with a value that has the right type, or nothing.
template <class T>
using Check = std::string (*)(const T&);

template <class Owner, class T>
Field<Owner> make_field(Setting setting, std::function<T&(Owner&)> access, Check<T> check)
{
    auto value_of = [access](const Owner& owner) -> const T& { return access(const_cast<Owner&>(owner)); };
    setting.type = type_name<T>();
    setting.default_value = write(value_of(Owner{}));
    auto reader = [access, check](const RawValue& raw, Owner& owner) {
        T value = access(owner);
        if (auto problem = read(raw, value); !problem.empty())
            return problem;
        if (check)
            if (auto problem = check(value); !problem.empty())
                return problem;
        access(owner) = std::move(value);
        return std::string();
    };
    return {std::move(setting), std::move(reader), [value_of](const Owner& owner) { return write(value_of(owner)); }};
}

// A member of a section of the owner.
template <class Owner, class Section, class T>
Field<Owner> field(std::string key, Section Owner::*section, T Section::*member, Needs needs, std::string unit,
                   std::string text, Check<std::type_identity_t<T>> check = nullptr)
{
    return make_field<Owner, T>({std::move(key), {}, {}, std::move(unit), std::move(text), needs},
                                [=](Owner& owner) -> T& { return owner.*section.*member; }, check);
}

// A member of the owner itself.
template <class Owner, class T>
Field<Owner> field(std::string key, T Owner::*member, Needs needs, std::string unit, std::string text,
                   Check<std::type_identity_t<T>> check = nullptr)
{
    return make_field<Owner, T>({std::move(key), {}, {}, std::move(unit), std::move(text), needs},
                                [=](Owner& owner) -> T& { return owner.*member; }, check);
}

std::string absolute_path(const std::string& path)
{
    return path.starts_with('/') ? "" : fmt::format("expected an absolute path, found \"{}\"", path);
}

std::string absolute_path_or_empty(const std::string& path) { return path.empty() ? "" : absolute_path(path); }

std::string socket_choice(const std::string& choice)
{
    if (choice.empty() || choice == "none" || choice.starts_with('/'))
        return "";
    return fmt::format("expected an absolute path, \"none\" or nothing, found \"{}\"", choice);
}

std::string node_address(const std::string& address)
{
    if (address.empty() || address.starts_with('/') || address.find("%n") != std::string::npos)
        return "";
    const auto parsed = parse_host_port(address, default_peer_port);
    return parsed ? "" : parsed.error().message;
}

std::string cgroup_choice(const std::string& choice)
{
    if (choice == "auto" || choice == "none" || choice.starts_with('/'))
        return "";
    return fmt::format("expected \"auto\", \"none\" or an absolute path, found \"{}\"", choice);
}

std::string device_choice(const std::string& choice)
{
    return choice == "managed" || choice == "strict" ? "" : fmt::format("expected \"managed\" or \"strict\", found \"{}\"", choice);
}

std::string shm_choice(const std::string& choice)
{
    return choice == "auto" || choice == "on" || choice == "off" ? "" : fmt::format("expected \"auto\", \"on\" or \"off\", found \"{}\"", choice);
}

// The cluster's name stands in the names of folders and cgroups.
constexpr std::size_t longest_name = 32;

std::string short_name(const std::string& name)
{
    auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; };
    if (!name.empty() && name.size() <= longest_name && std::isalnum(static_cast<unsigned char>(name[0])) &&
        std::ranges::all_of(name, allowed))
        return "";
    return fmt::format("expected a name of at most {} letters, digits, \"-\" and \"_\" that begins with a letter or digit, "
                       "found \"{}\"",
                       longest_name, name);
}

std::string plugin_name(const std::string& name)
{
    auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    return !name.empty() && std::ranges::all_of(name, allowed)
               ? ""
               : fmt::format("expected the name of a plugin (a-z, 0-9 and _), found \"{}\"", name);
}

std::string host_name_or_empty(const std::string& name)
{
    return name.empty() || is_host_name(name) ? "" : fmt::format("\"{}\" is not the name of a node", name);
}

// Below a tenth of a second a node does nothing but heartbeats; above an hour nobody would notice that it is gone.
std::string heartbeat_range(const Duration& value)
{
    using namespace std::chrono_literals;
    return value >= 100ms && value <= 1h ? "" : "is out of range; it goes from 100ms to 1h";
}

// A frame's length has four bytes, and a reader holds a message whole in memory.
std::string message_range(const MemorySize& value)
{
    return value >= mebibytes(1) && value <= mebibytes(1024) ? "" : "is out of range; it goes from 1M to 1G";
}

std::string part_range(const MemorySize& value)
{
    return value.bytes >= 1024 && value <= mebibytes(1024) ? "" : "is out of range; it goes from 1K to 1G";
}

// A command asks several things in a row, each of which must pass.
std::string request_rate_range(const std::uint64_t& rate)
{
    return rate == 0 || (rate >= 10 && rate <= 1'000'000) ? "" : "is out of range; it goes from 10 to 1000000, and 0 is no limit";
}

std::string not_empty_names(const std::vector<std::string>& names)
{
    return std::ranges::any_of(names, &std::string::empty) ? "an empty name" : "";
}

std::string dialled_addresses(const std::vector<std::string>& addresses)
{
    for (const auto& text : addresses)
        if (auto address = parse_host_port(text, default_port); !address)
            return address.error().message;
        else if (address->port == 0)
            return fmt::format("\"{}\": nobody can be reached at port 0", text);
    return "";
}

template <std::uint16_t port>
std::string listening_addresses(const std::vector<std::string>& addresses)
{
    for (const auto& text : addresses) {
        auto address = parse_host_port(text, port);
        if (!address)
            return address.error().message;
        in6_addr parsed{};
        if (::inet_pton(AF_INET, address->host.c_str(), &parsed) != 1 && ::inet_pton(AF_INET6, address->host.c_str(), &parsed) != 1)
            return fmt::format("\"{}\" is no numeric address; \"0.0.0.0:{}\" and \"[::]:{}\" are all of this machine", text, port, port);
    }
    return "";
}

std::string positive(const std::optional<Duration>& limit)
{
    return limit && *limit <= Duration{} ? "a limit of no time lets no job run" : "";
}

std::string positive_memory(const std::optional<MemorySize>& size)
{
    return size && size->bytes == 0 ? "no memory at all lets no job run; leave it empty for the default" : "";
}

// No machine has so many; a larger number is a typing mistake.
std::string core_range(const std::uint32_t& cores)
{
    return cores <= 65536 ? "" : "is out of range; it goes from 0 to 65536";
}

// Whether a description makes sense says hwloc, on the node.
std::string topology_source(const std::string& source)
{
    return source.ends_with(".xml") ? absolute_path(source) : "";
}

std::string reserve_range(const Reserve& reserve) { return core_range(reserve.cores); }

std::string recheck_range(const Duration& value)
{
    using namespace std::chrono_literals;
    return value == 0s || (value >= 1s && value <= 24h) ? "" : "is out of range; it goes from 1s to 1d, and 0 is never";
}

std::string feature_names(const std::vector<std::string>& names)
{
    for (const auto& name : names)
        if (!is_feature_name(name))
            return fmt::format("\"{}\" is no feature: letters, digits, \"_\", \".\" and \"-\", at most 64", name);
    return "";
}

std::string down_after_range(const Duration& value)
{
    using namespace std::chrono_literals;
    return value >= 1s ? "" : "is out of range; it is at least 1s";
}

Fields<Config> make_config_fields()
{
    using enum Needs;
    using C = Config;
    return {
        field("cluster.name", &C::cluster, &Cluster::name, new_cluster, "",
              "The cluster's name, in folder and cgroup names and in messages.", short_name),
        field("cluster.first_job_id", &C::cluster, &Cluster::first_job_id, new_cluster, "",
              "The number of the first job. Another cluster's numbers can be continued with it."),

        field("controller.state_dir", &C::controller, &Controller::state_dir, restart_jctld, "",
              "The folder with the controller's durable state, on a local disk.", absolute_path),
        field("controller.socket", &C::controller, &Controller::socket, restart_daemons, "",
              "The controller's UNIX socket, for commands and node daemons.", absolute_path),
        field("controller.listen", &C::controller, &Controller::listen, restart_jctld, "",
              "Where the controller takes connections of nodes over TLS, such as \"0.0.0.0:6820\" and \"[::]:6820\"; empty for its "
              "socket alone.",
              listening_addresses<default_port>),
        field("controller.addresses", &C::controller, &Controller::addresses, restart_jnoded, "",
              "Where nodes reach the controller over TLS, such as \"head:6820\", tried in this order; empty for its socket.",
              dialled_addresses),
        field("controller.storage", &C::controller, &Controller::storage, restart_jctld, "",
              "The storage plugin, which keeps the state.", plugin_name),
        field("controller.policy", &C::controller, &Controller::policy, restart_jctld, "",
              "The policy plugin, which says what is more urgent.", plugin_name),
        field("controller.auth", &C::controller, &Controller::auth, restart_jctld, "",
              "The auth plugin, which says who is asking.", plugin_name),
        field("controller.keep_ended", &C::controller, &Controller::keep_ended, reload, "",
              "How long the controller itself knows a job that has ended; after that it is in the history alone."),
        field("controller.heartbeat", &C::controller, &Controller::heartbeat, reload, "",
              "How often a node daemon reports. A node that was silent for three times as long is unreachable.",
              heartbeat_range),
        field("controller.kill_grace", &C::controller, &Controller::kill_grace, reload, "",
              "The time between SIGTERM and SIGKILL for a job that is ended."),
        field("controller.down_after", &C::controller, &Controller::down_after, reload, "",
              "A node that has been unreachable for so long is down: its jobs end, and what of them it still runs is killed when it is back.",
              down_after_range),
        field("controller.requeue_on_silence", &C::controller, &Controller::requeue_on_silence, reload, "",
              "Whether jobs that may be requeued are so when their node is silent for too long, although it may still run them: two "
              "copies may run for a while."),
        field("controller.metrics_socket", &C::controller, &Controller::metrics_socket, restart_jctld, "",
              "The UNIX socket on which jctld serves its metrics; empty for one beside controller.socket, \"none\" for none.",
              socket_choice),
        field("controller.metrics_listen", &C::controller, &Controller::metrics_listen, restart_jctld, "",
              "Addresses on which jctld serves its metrics to everybody who can reach them, such as \"127.0.0.1:6821\"; empty for none.",
              listening_addresses<default_controller_metrics_port>),

        field("tls.ca", &C::tls, &Tls::ca, restart_daemons, "", "The certificate of the cluster's authority, as jadmin pki makes it.",
              absolute_path),
        field("tls.certificate", &C::tls, &Tls::certificate, restart_daemons, "",
              "This daemon's certificate; empty for controller.crt or nodes/NAME.crt in the folder of tls.ca.", absolute_path_or_empty),
        field("tls.key", &C::tls, &Tls::key, restart_daemons, "",
              "Its private key, which nobody else may read; empty for the certificate's path with .key in the place of .crt.",
              absolute_path_or_empty),

        field("limits.script_size", &C::limits, &Limits::script_size, reload, "", "The largest script of a job.", part_range),
        field("limits.environment_size", &C::limits, &Limits::environment_size, reload, "",
              "The largest environment of a job.", part_range),
        field("limits.arguments_size", &C::limits, &Limits::arguments_size, reload, "",
              "The most that a script's arguments may come to.", part_range),
        field("limits.message_size", &C::limits, &Limits::message_size, restart_daemons, "",
              "The largest message on any connection. It must hold a script, an environment and arguments of the largest sizes.",
              message_range),
        field("limits.pending_jobs", &C::limits, &Limits::pending_jobs, reload, "jobs",
              "How many jobs may wait in the whole cluster; 0 is no limit."),
        field("limits.requests_per_second", &C::limits, &Limits::requests_per_second, reload, "",
              "How many requests a second one connection of a command may make; more are refused until it is slower. 0 is no limit.",
              request_rate_range),

        field("security.admins", &C::security, &Security::admins, reload, "", "Users who may do everything.", not_empty_names),
        field("security.operators", &C::security, &Security::operators, reload, "",
              "Users who may act on everybody's jobs and on nodes.", not_empty_names),
        field("security.admin_groups", &C::security, &Security::admin_groups, reload, "",
              "Groups whose members may do everything.", not_empty_names),
        field("security.operator_groups", &C::security, &Security::operator_groups, reload, "",
              "Groups whose members are operators.", not_empty_names),
        field("security.allow_root_jobs", &C::security, &Security::allow_root_jobs, reload, "",
              "Whether root may run jobs."),
        field("security.personal", &C::security, &Security::personal, restart_daemons, "",
              "A personal cluster: the daemons run as an ordinary user, who is its admin and whose jobs alone they run."),

        field("log.level", &C::log, &Log::level, restart_daemons, "",
              "What is logged: \"trace\", \"debug\", \"info\", \"warning\" or \"error\" and what is above it."),
        field("log.format", &C::log, &Log::format, restart_daemons, "", "\"text\", or \"json\" with one object in each line."),
        field("log.file", &C::log, &Log::file, restart_daemons, "",
              "The file that the daemons log to, opened again at SIGHUP; empty for standard error. --log-file of a daemon wins.",
              absolute_path_or_empty),

        field("plugins.directory", &C::plugins, &Plugins::directory, restart_daemons, "",
              "The folder with the plugins; empty for the one that was installed with the programs.", absolute_path_or_empty),

        field("jnoded.name", &C::jnoded, &NodeDaemon::name, restart_jnoded, "",
              "The name of the node that this machine is; empty for its host name up to the first dot.", host_name_or_empty),
        field("jnoded.run_dir", &C::jnoded, &NodeDaemon::run_dir, restart_jnoded, "",
              "The node's run-time folder, which must not outlive a reboot; empty for jarvis_CLUSTER_NODE on the first tmpfs of "
              "$XDG_RUNTIME_DIR (not for root), /run and /dev/shm.",
              absolute_path_or_empty),
        field("jnoded.state_dir", &C::jnoded, &NodeDaemon::state_dir, restart_jnoded, "",
              "A folder on disk, for the run-time folder where no tmpfs is writable.", absolute_path),
        field("jnoded.tmp_dir", &C::jnoded, &NodeDaemon::tmp_dir, restart_jnoded, "",
              "The folder in which each job gets a temporary folder of its own (JARVIS_TMPDIR).", absolute_path),
        field("jnoded.socket", &C::jnoded, &NodeDaemon::socket, restart_jnoded, "",
              "The UNIX socket for users of this node, whose requests are passed on to the controller; empty for jnoded.sock "
              "beside the controller's socket, \"none\" for none.",
              socket_choice),
        field("jnoded.login", &C::jnoded, &NodeDaemon::login, restart_jnoded, "",
              "Whether this is a login node: it gives no cores and no memory to jobs, and serves users."),
        field("jnoded.virtual_cores", &C::jnoded, &NodeDaemon::virtual_cores, restart_jnoded, "",
              "Whether cores are only counted, and jobs are not bound to any: for several nodes on one machine. So it is, too, "
              "where node.cores is more than there is."),
        field("jnoded.recheck", &C::jnoded, &NodeDaemon::recheck, restart_jnoded, "",
              "How often the node looks whether CPUs, memory or devices have come or gone; it then registers anew. 0 is never.",
              recheck_range),
        field("jnoded.cgroup", &C::jnoded, &NodeDaemon::cgroup, restart_jnoded, "",
              "Where in a cgroup2 mount the node makes its tree: \"auto\", \"none\", or an absolute path.", cgroup_choice),
        field("jnoded.devices", &C::jnoded, &NodeDaemon::devices, restart_jnoded, "",
              "Which device files jobs may open: \"managed\" for all but those of the node's devices that they were not given, "
              "\"strict\" for those that they were given and the usual ones alone (null, zero, random, tty, pts, fuse and the like).",
              device_choice),
        field("jnoded.private_shm", &C::jnoded, &NodeDaemon::private_shm, restart_jnoded, "",
              "Whether each job has a /dev/shm, System V shared memory and message queues of its own, which go with it: \"auto\" at "
              "confinement level full, \"on\" wherever the kernel permits it, \"off\".",
              shm_choice),
        field("jnoded.max_processes", &C::jnoded, &NodeDaemon::max_processes, restart_jnoded, "",
              "How many processes and threads a job may have on this node at once; 0 for no limit."),
        field("jnoded.shepherd", &C::jnoded, &NodeDaemon::shepherd, restart_jnoded, "",
              "The launcher's program; empty for jshepherd as installed.", absolute_path_or_empty),
        field("jnoded.runtime", &C::jnoded, &NodeDaemon::runtime, restart_jnoded, "",
              "The runtime plugin, which starts a job's processes.", plugin_name),
        field("jnoded.boot_id_file", &C::jnoded, &NodeDaemon::boot_id_file, restart_jnoded, "",
              "The file whose content changes with every boot. Another one serves tests.", absolute_path),
        field("jnoded.metrics_socket", &C::jnoded, &NodeDaemon::metrics_socket, restart_jnoded, "",
              "The UNIX socket on which jnoded serves its metrics; empty for metrics.sock in the run-time folder, \"none\" for none.",
              socket_choice),
        field("jnoded.metrics_listen", &C::jnoded, &NodeDaemon::metrics_listen, restart_jnoded, "",
              "Addresses on which jnoded serves its metrics to everybody who can reach them, such as \"[::]:6822\"; empty for none.",
              listening_addresses<default_node_metrics_port>),
        field("jnoded.listen", &C::jnoded, &NodeDaemon::listen, restart_jnoded, "",
              "Where jnoded takes connections of other nodes over TLS, for steps over several nodes; without a certificate it takes none.",
              listening_addresses<default_peer_port>),
    };
}

} // namespace

const Fields<Config>& config_fields()
{
    static const auto fields = make_config_fields();
    return fields;
}

const Fields<NodeSection>& node_fields()
{
    static const Fields<NodeSection> fields{
        field("node.names", &NodeSection::names, Needs::reload, "",
              "The nodes that this section declares, as a host list such as \"n[001-128]\". Each node is declared once."),
        field("node.cores", &NodeSection::node, &Node::cores, Needs::reload, "cores",
              "How many cores are given to jobs; 0 for all that the node discovers. With more than there are they are virtual.", core_range),
        field("node.memory", &NodeSection::node, &Node::memory, Needs::reload, "",
              "How much memory is given to jobs; empty for all that the node discovers.", positive_memory),
        field("node.vouch", &NodeSection::node, &Node::vouch, Needs::reload, "",
              "Whether the controller believes this node who its users are, so that commands work there. Root on such a node "
              "can act as any user of the cluster."),
        field("node.features", &NodeSection::node, &Node::features, Needs::reload, "",
              "What jobs can ask for with --constraint, such as [\"ib\", \"rack1\"].", feature_names),
        field("node.address", &NodeSection::node, &Node::address, Needs::restart_jnoded, "",
              "Where other nodes reach its daemon, for steps over several nodes, such as \"10.0.0.7:6823\"; %n is its name, which it is when "
              "empty. A path is the socket of a node on the same machine, steps.sock in its run-time folder.", node_address),
        field("node.topology", &NodeSection::node, &Node::topology, Needs::restart_jnoded, "",
              "Another topology than that of the machine: a file of hwloc (/path/FILE.xml) or a synthetic description. Its cores are "
              "virtual.",
              topology_source),
        field("node.reserve", &NodeSection::node, &Node::reserve, Needs::restart_jnoded, "",
              "What is kept for the system: cores, the last ones, and memory. Without memory it is 2 % of it, from 128M to 4G, "
              "unless node.memory says what is given.",
              reserve_range),
        field("node.devices", &NodeSection::node, &Node::devices, Needs::restart_jnoded, "",
              "Devices with name, type, count, paths and cores, in the place of all discovered ones of the same name."),
        field("node.expect", &NodeSection::node, &Node::expect, Needs::reload, "",
              "The least that the node must offer, else it gets no jobs: packages, numa_nodes, cores, threads_per_core, memory, devices."),
    };
    return fields;
}

const Fields<NodeClassSection>& node_class_fields()
{
    using C = NodeClass;
    using S = NodeClassSection;
    static const Fields<S> fields{
        field("node_class.name", &S::node_class, &C::name, Needs::reload, "", "The class's name.", short_name),
        field("node_class.names", &S::names, Needs::reload, "", "The nodes that may join it, as a host list such as \"c[1-500]\"."),
        field("node_class.accept", &S::node_class, &C::accept, Needs::reload, "", "Whether a node of any name may join it."),
        field("node_class.features", &S::node_class, &C::features, Needs::reload, "", "As node.features.", feature_names),
        field("node_class.vouch", &S::node_class, &C::vouch, Needs::reload, "", "As node.vouch."),
        field("node_class.max_nodes", &S::node_class, &C::max_nodes, Needs::reload, "nodes", "How many nodes may join it; 0 is no limit."),
        field("node_class.topology", &S::node_class, &C::topology, Needs::restart_jnoded, "", "As node.topology.", topology_source),
        field("node_class.reserve", &S::node_class, &C::reserve, Needs::restart_jnoded, "", "As node.reserve.", reserve_range),
        field("node_class.devices", &S::node_class, &C::devices, Needs::restart_jnoded, "", "As node.devices."),
        field("node_class.expect", &S::node_class, &C::expect, Needs::reload, "", "As node.expect."),
    };
    return fields;
}

const Fields<PartitionSection>& partition_fields()
{
    using P = Partition;
    using S = PartitionSection;
    static const Fields<S> fields{
        field("partition.name", &S::partition, &P::name, Needs::reload, "", "The partition's name.", short_name),
        field("partition.nodes", &S::nodes, Needs::reload, "", "Its nodes: a host list of declared nodes, or \"ALL\"."),
        field("partition.default", &S::is_default, Needs::reload, "",
              "Whether jobs that name no partition come here. Of several partitions one at most says true; a single partition "
              "is the default unless it says false."),
        field("partition.default_time", &S::partition, &P::default_time, Needs::reload, "",
              "The time limit of jobs that name none; \"unlimited\" is possible. Cut to max_time when only that is given.",
              positive),
        field("partition.max_time", &S::partition, &P::max_time, Needs::reload, "",
              "The longest time limit that a job may ask for; \"unlimited\" or empty for no bound.", positive),
        field("partition.state", &S::partition, &P::state, Needs::reload, "",
              "\"up\", or \"down\": jobs are taken and none is started."),
        field("partition.confinement", &S::partition, &P::confinement, Needs::reload, "",
              "What its nodes must be able to enforce: \"full\", \"track\" (follow, freeze and kill only) or \"none\". A node "
              "below that is not used."),
        field("partition.default_memory_per_cpu", &S::partition, &P::default_memory_per_cpu, Needs::reload, "",
              "The memory for each core of jobs that name none; empty for an equal share of the node's memory.",
              positive_memory),
        field("partition.node_classes", &S::partition, &P::node_classes, Needs::reload, "",
              "Classes whose nodes belong to it as well; with nodes = \"ALL\" all of them do.", not_empty_names),
        field("partition.min_nodes", &S::partition, &P::min_nodes, Needs::reload, "nodes", "The fewest nodes of a job; 0 is no limit."),
        field("partition.max_nodes", &S::partition, &P::max_nodes, Needs::reload, "nodes", "The most nodes of a job; 0 is no limit."),
        field("partition.max_cores", &S::partition, &P::max_cores, Needs::reload, "cores",
              "The most cores that a job may ask for; 0 is no limit."),
        field("partition.allow_users", &S::partition, &P::allow_users, Needs::reload, "",
              "Who may submit here, beside the members of allow_groups; both empty for everybody. Operators and root are no exception.",
              not_empty_names),
        field("partition.allow_groups", &S::partition, &P::allow_groups, Needs::reload, "", "Groups whose members may submit here.",
              not_empty_names),
        field("partition.deny_users", &S::partition, &P::deny_users, Needs::reload, "", "Who may not submit here, whatever else holds.",
              not_empty_names),
    };
    return fields;
}

bool is_plain_section(std::string_view name)
{
    return std::ranges::any_of(config_fields(), [&](const Field<Config>& f) {
        return f.setting.key.size() > name.size() && f.setting.key.starts_with(name) && f.setting.key[name.size()] == '.';
    });
}

std::span<const std::string_view> resource_limit_names()
{
    static constexpr std::array<std::string_view, 15> names{
        "as",    "core", "cpu",    "data",     "fsize",  "locks", "memlock",   "msgqueue",
        "nice",  "nofile", "nproc", "rss",     "rtprio", "sigpending", "stack"};
    return names;
}

} // namespace jarvis::config
