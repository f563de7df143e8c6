// What the configuration tells the controller's core. It is part of the state: a change arrives as a command and is
// journaled, so that replay decides under the settings of the time.
#pragma once

#include "base/memory_size.hpp"
#include "base/time.hpp"
#include "model/topology.hpp"

#include <cstdint>
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

    friend bool operator==(const PartitionSettings&, const PartitionSettings&) = default;
};

// The order in which the jobs of a partition may start. Stored by number.
enum class QueueMode : std::uint8_t {
    strict = 0, // the head starts or nobody does
};

struct Settings {
    std::vector<std::string> nodes;            // declared names, in the configuration's order
    std::vector<PartitionSettings> partitions;
    QueueMode queue_mode = QueueMode::strict;
    Duration keep_ended = std::chrono::hours(1); // how long an ended job stays known
    Duration heartbeat = std::chrono::seconds(10);
    Duration kill_grace = std::chrono::seconds(30);
    std::uint64_t first_job_id = 1;            // of a new cluster; raises the next id of an old one, never lowers it
    std::uint64_t max_jobs = 0;                // pending and running together; 0: no limit
    bool allow_root_jobs = false;

    friend bool operator==(const Settings&, const Settings&) = default;
};

} // namespace jarvis::cluster
