// What is known about each key of the configuration, and what two configurations differ in.
#pragma once

#include "config/config.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::config {

// What makes a changed value take effect.
enum class Needs : std::uint8_t {
    reload,           // jadmin reconfigure
    restart_jctld,
    restart_jnoded,
    restart_daemons,  // jctld and jnoded
    next_command,     // nothing: whoever reads the file next has it
    new_cluster,      // fixed by the cluster's first start
};
std::string_view text(Needs needs); // "jadmin reconfigure", "restart of jctld", ...

// One key, for documentation and checks. Keys below [[node]] and [[partition]] are "node.cores", "partition.max_time";
// below [jnoded.limits] each limit is one ("jnoded.limits.nofile").
struct Setting {
    std::string key;
    std::string type;          // "string", "duration", "size", "boolean", "integer", "list of strings", "host list", ...
    std::string default_value; // as TOML
    std::string unit;
    std::string text;
    Needs needs = Needs::reload;
};
// All of them, in the order of the default file.
std::span<const Setting> settings();

struct Change {
    std::string key;       // "partition.gpu.max_time", "node.n[1-4].memory", "plugin.storage.sqlite.cache"
    std::string old_value; // as TOML; empty: was not there
    std::string new_value; // empty: is gone
    Needs needs = Needs::reload;

    friend bool operator==(const Change&, const Change&) = default;
};
// What a change from old to fresh comes to, by key in the order of the file; equal configurations give nothing.
std::vector<Change> config_diff(const Config& old_config, const Config& new_config);
// One line for people: "controller.heartbeat: \"10s\" -> \"5s\" (needs jadmin reconfigure)".
std::string to_string(const Change& change);

// The effective configuration as TOML, defaults included; parse_config reads it back to an equal one.
std::string to_text(const Config& config);

} // namespace jarvis::config
