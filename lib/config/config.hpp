// The configuration as typed values. One file serves the controller, the nodes and the commands.
#pragma once

#include "base/ids.hpp"
#include "base/memory_size.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/core_set.hpp"
#include "model/job_request.hpp"
#include "model/node_expectation.hpp"
#include "model/topology.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace jarvis::config {

// Where a value stands in a file; line 0 is the file as a whole.
struct Place {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
};

struct Problem {
    Place place;
    std::string message; // "partition.gpu.max_time: expected a duration such as \"30m\", found a boolean"
};
// "jarvis.toml:14:12: partition.gpu.max_time: ...".
std::string to_string(const Problem& problem);

// All that is wrong with a file, in the order of its lines. Never empty when returned as a failure.
struct Problems {
    std::vector<Problem> list;
    std::string text() const; // one line each, without a last newline
    Error error() const;      // the same as an Error (invalid), for those who pass it on
};

// --- the sections ---

struct Cluster {
    std::string name = "jarvis";
    JobId first_job_id{1};
};

struct Controller {
    std::string state_dir = "/var/lib/jarvis";
    std::string socket = "/run/jarvis/jctld.sock";
    std::vector<std::string> listen;    // "0.0.0.0:6820"; empty: the socket alone
    std::vector<std::string> addresses; // "head:6820", for nodes on other machines; empty: they use the socket
    std::string storage = "sqlite"; // names of plugins
    std::string policy = "fifo";
    std::string auth = "peercred";
    Duration keep_ended = std::chrono::hours{1};
    Duration heartbeat = std::chrono::seconds{10};
    Duration kill_grace = std::chrono::seconds{30};
    Duration down_after = std::chrono::minutes{5};
    bool requeue_on_silence = false;
    std::string metrics_socket; // empty: see controller_metrics_socket(); "none": no socket
    std::vector<std::string> metrics_listen; // "127.0.0.1:6821"; empty: no port
};

// Certificates of the controller and of the nodes, for connections between machines (jadmin pki).
struct Tls {
    std::string ca = "/etc/jarvis/pki/ca.crt";
    std::string certificate; // empty: see tls_files()
    std::string key;
};

struct Limits {
    MemorySize script_size = mebibytes(4);
    MemorySize environment_size = mebibytes(4);
    MemorySize arguments_size = mebibytes(1);
    MemorySize message_size = mebibytes(16);
    std::uint64_t pending_jobs = 0; // 0: no limit
    std::uint64_t requests_per_second = 5000; // of one connection; 0: no limit
};

struct Security {
    std::vector<std::string> admins{"root"};
    std::vector<std::string> operators;
    std::vector<std::string> admin_groups;
    std::vector<std::string> operator_groups;
    bool allow_root_jobs = false;
    bool personal = false; // the owner of the daemons is admin, and jobs run as them only
};

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };
std::string_view name(LogLevel level);
Result<LogLevel> parse_log_level(std::string_view text); // for --log-level

struct Log {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
    std::string file; // empty: standard error
};

// A plugin's setting as the file has it; the plugin's own schema says whether it makes sense (plugin_settings.hpp).
struct RawSetting {
    std::string name;
    std::variant<std::string, std::int64_t, bool> value;
    Place key_place;
    Place value_place;
};
// [plugin.<kind>.<name>]
struct PluginSection {
    std::string kind;
    std::string name;
    Place place;
    std::vector<RawSetting> settings; // in the order of the file
};

struct Plugins {
    std::string directory;               // empty: plugin_directory() finds it
    std::vector<PluginSection> sections; // by kind and name
};

// RLIM_INFINITY, in ResourceLimit::soft and hard.
constexpr std::uint64_t unlimited = ~std::uint64_t{0};

struct NodeDaemon {
    std::string name;    // empty: the first label of the host name; see node_name()
    std::string run_dir; // empty: see run_directory()
    std::string state_dir = "/var/lib/jarvis";
    std::string tmp_dir = "/tmp";
    std::string socket;  // for users of this node; empty: see user_socket(); "none": there is none
    bool login = false;         // offers nothing to jobs; users are served
    bool virtual_cores = false; // cores are counted, and jobs are not bound to any
    Duration recheck = std::chrono::seconds{30}; // how often it looks whether the machine has changed; 0: never
    std::string cgroup = "auto"; // "auto", "none" or an absolute path in a cgroup2 mount
    std::string devices = "managed"; // "strict": jobs open no device files but those that they were given and the usual ones
    std::string private_shm = "auto"; // "on", "off"; auto: at confinement level full
    std::uint32_t max_processes = 16384; // and threads, of each job here; 0: no limit
    std::string shepherd;        // empty: see shepherd_program()
    std::string runtime = "native";
    std::string boot_id_file = "/proc/sys/kernel/random/boot_id";
    std::string metrics_socket; // empty: see node_metrics_socket(); "none": no socket
    std::vector<std::string> metrics_listen; // "127.0.0.1:6821"; empty: no port
    std::vector<std::string> listen{"0.0.0.0:6823", "[::]:6823"}; // for the other nodes of jobs, with a certificate only
    // Of jobs: names as getrlimit(2) without RLIMIT_, in capitals. An ordinary user cannot raise a hard limit: there the
    // lower of this and the daemon's own holds.
    std::vector<ResourceLimit> limits{{"CORE", 0, 0}, {"NOFILE", 1024, 524288}};
};

// Kept for the system.
struct Reserve {
    std::uint32_t cores = 0;
    std::optional<MemorySize> memory; // empty: a share of what there is (jnoded/node_offer.hpp)
    friend bool operator==(const Reserve&, const Reserve&) = default;
};

// What hwloc does not find, or not as it should be counted.
struct StatedDevice {
    std::string name;               // "gpu"
    std::string type;               // "a100"; empty: unknown
    std::uint32_t count = 1;
    std::vector<std::string> paths; // of one device
    CoreSet cores;                  // near to it; empty: all alike
    friend bool operator==(const StatedDevice&, const StatedDevice&) = default;
};

// One declared node; [[node]] with a host list is one of these for each name.
struct Node {
    std::string name;
    std::uint32_t cores = 0;          // 0: all that are discovered; smaller than those: only so many are offered
    std::optional<MemorySize> memory; // empty: as discovered
    bool vouch = false;               // what it says of its users is believed
    std::vector<std::string> features;
    std::string address{};            // for other nodes' daemons: empty: its name; %n is its name; a path: its steps.sock, on this machine
    std::string topology;             // empty: as discovered; a file FILE.xml, or a synthetic description
    Reserve reserve;
    std::vector<StatedDevice> devices;
    NodeExpectation expect;
    Place place;
};

// Nodes that are not declared by name, and join by their certificates.
struct NodeClass {
    std::string name;
    std::vector<std::string> names; // that may join; or
    bool accept = false;            // any name
    std::vector<std::string> features;
    bool vouch = false;
    std::uint32_t max_nodes = 0;    // 0: no limit
    std::string topology;           // these as for a node
    Reserve reserve;
    std::vector<StatedDevice> devices;
    NodeExpectation expect;
    Place place;
};

enum class PartitionState : std::uint8_t { up, down }; // down: takes jobs and starts none

struct Partition {
    std::string name;
    bool all_nodes = true;          // nodes = "ALL"; `nodes` then holds every declared node
    std::vector<std::string> nodes; // in the order of the declaration
    bool is_default = false;        // at most one partition; the only partition is it unless it says no
    std::optional<Duration> default_time = std::chrono::hours{1}; // empty: unlimited
    std::optional<Duration> max_time;                             // empty: unlimited
    PartitionState state = PartitionState::up;
    Confinement confinement = Confinement::full; // what a node must be able to enforce
    std::optional<MemorySize> default_memory_per_cpu; // empty: a core's equal share of its node's memory
    std::vector<std::string> node_classes; // whose nodes belong to it, too; with nodes = "ALL" all of them do
    std::uint32_t min_nodes = 0;           // of a job; 0: no limit, here and below
    std::uint32_t max_nodes = 0;
    std::uint64_t max_cores = 0;
    std::vector<std::string> allow_users;  // both allow lists empty: everybody
    std::vector<std::string> allow_groups;
    std::vector<std::string> deny_users;
    Place place;
};

struct Config {
    std::string file; // that it came from
    Cluster cluster;
    Controller controller;
    Tls tls;
    Limits limits;
    Security security;
    Log log;
    Plugins plugins;
    NodeDaemon jnoded;
    std::vector<Node> nodes;           // in the order of the file
    std::vector<NodeClass> node_classes; // in the order of the file
    std::vector<Partition> partitions; // in the order of the file
    std::map<std::string, Place> places; // of each value that the file sets: "controller.socket", "partition.gpu.max_time"

    const PluginSection* plugin_section(std::string_view kind, std::string_view name) const; // null: no settings
    const Partition* partition(std::string_view name) const;
    const Partition* default_partition() const; // null: none
};

// The argument of --config if it was given, else JARVIS_CONF, else /etc/jarvis/jarvis.toml.
std::string find_config_path(const std::optional<std::string>& argument = {});

// Reads and checks a file. All problems are found in one go; plugin settings are checked later, by who knows their schema.
std::expected<Config, Problems> load_config(const std::string& path);
// The same for text that is already there; `file` stands in the places.
std::expected<Config, Problems> parse_config(std::string_view text, const std::string& file);

// --- values that are found when the file does not give them ---

// jnoded.name, else the first label of the host name.
std::string node_name(const Config& config);
// jnoded.run_dir, else <folder>/jarvis_<cluster>_<node> in the first of $XDG_RUNTIME_DIR, /run, /dev/shm that is a
// writable tmpfs, else in jnoded.state_dir (on disk).
std::string run_directory(const Config& config);
// What the file says of the node with this name: its [[node]], else what the first [[node_class]] that takes it says. Nothing
// where neither is there.
std::optional<Node> settings_of_node(const Config& config, std::string_view name);
// The controller's port where an address names none.
constexpr std::uint16_t default_port = 6820;
// The same for metrics.
constexpr std::uint16_t default_controller_metrics_port = 6821;
constexpr std::uint16_t default_node_metrics_port = 6822;
// Of node daemons for each other.
constexpr std::uint16_t default_peer_port = 6823;
struct TlsFiles {
    std::string ca;
    std::string certificate;
    std::string key;
};
// tls.certificate, else controller.crt or, for a node, nodes/NAME.crt beside tls.ca; tls.key, else .key in the place of .crt.
TlsFiles tls_files(const Config& config, std::string_view node = {});
// jnoded.socket, else jnoded.sock beside the controller's socket; empty: none.
std::string user_socket(const Config& config);
// Where metrics are served; empty for "none". Else controller.metrics_socket or jctld-metrics.sock beside controller.socket
// ("-metrics" before the end of its name), and jnoded.metrics_socket or metrics.sock in the run-time folder.
std::string controller_metrics_socket(const Config& config);
std::string node_metrics_socket(const Config& config);
// plugins.directory, else ../lib*/jarvis/plugins beside the running program's folder, else the installed one.
std::string plugin_directory(const Config& config);
// jnoded.shepherd, else jshepherd beside the running program, else the installed one.
std::string shepherd_program(const Config& config);

} // namespace jarvis::config
