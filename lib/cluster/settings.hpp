// What the configuration tells the controller's core. It is part of the state: a change arrives as a command and is
// journaled, so that replay decides under the settings of the time.
#pragma once

#include "base/memory_size.hpp"
#include "base/time.hpp"
#include "model/node_expectation.hpp"
#include "model/topology.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace jarvis::cluster {

struct PartitionSettings {
    std::string name;
    std::vector<std::string> nodes;            // names, expanded
    bool is_default = false;
    std::optional<Duration> default_time;      // empty: unlimited
    std::optional<Duration> max_time;          // empty: unlimited
    bool up = true;                            // down: takes jobs, starts none
    Confinement confinement = Confinement::full;
    std::optional<MemorySize> default_memory_per_cpu; // empty: the cores' equal share of their node
    std::vector<std::string> node_classes{};   // nodes that joined one of these belong to it, behind `nodes`
    std::uint32_t min_nodes = 0;               // of a job; 0: no limit, here and below
    std::uint32_t max_nodes = 0;
    std::uint64_t max_cores = 0;               // that a job may ask for
    std::vector<std::string> allow_users{};    // both allow lists empty: everybody
    std::vector<std::string> allow_groups{};   // as named,
    std::vector<std::uint32_t> allow_gids{};   // and as they are looked up; ascending
    std::vector<std::string> deny_users{};

    friend bool operator==(const PartitionSettings&, const PartitionSettings&) = default;
};

// The order in which the jobs of a partition may start. Stored by number.
enum class QueueMode : std::uint8_t {
    strict = 0, // the head starts or nobody does
};

// What the configuration says of a declared node beside its name.
struct NodeTraits {
    std::vector<std::string> features{};
    bool vouch = false;                        // what it says of who its local users are counts
    NodeExpectation expect{};                  // it gets no jobs while it has less
    friend bool operator==(const NodeTraits&, const NodeTraits&) = default;
};

// Nodes that are not declared by name and show a certificate of the cluster join the first class that takes their name.
struct NodeClass {
    std::string name;
    bool accept_all = false;                   // any name, or
    std::vector<std::string> names{};          // these: ascending
    NodeTraits traits{};
    std::uint32_t max_nodes = 0;               // 0: no limit
    friend bool operator==(const NodeClass&, const NodeClass&) = default;
};

struct Settings {
    std::vector<std::string> nodes;            // declared names, in the configuration's order
    std::map<std::string, NodeTraits> traits{}; // of declared nodes that have any
    std::vector<NodeClass> node_classes{};
    std::vector<PartitionSettings> partitions;
    QueueMode queue_mode = QueueMode::strict;
    Duration keep_ended = std::chrono::hours(1); // how long an ended job stays known
    Duration heartbeat = std::chrono::seconds(10);
    Duration kill_grace = std::chrono::seconds(30);
    Duration down_after = std::chrono::minutes(5); // a node that is silent for so long is down
    bool requeue_on_silence = false;           // and its jobs may start elsewhere although it may still run them
    std::uint64_t first_job_id = 1;            // of a new cluster; raises the next id of an old one, never lowers it
    std::uint64_t max_jobs = 0;                // pending and running together; 0: no limit
    bool allow_root_jobs = false;

    friend bool operator==(const Settings&, const Settings&) = default;
};

} // namespace jarvis::cluster
