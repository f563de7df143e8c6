// The table of the configuration's keys: for each its type, default, documentation, and how it is read, checked and written.
#pragma once

#include "config/raw.hpp"
#include "config/settings.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::config {

template <class Owner>
struct Field {
    Setting setting;
    std::function<std::string(const RawValue&, Owner&)> read; // what is wrong, or nothing
    std::function<std::string(const Owner&)> write;           // as TOML
};
template <class Owner>
using Fields = std::vector<Field<Owner>>;

// [[node]] and [[partition]] as the file has them, before their host lists are expanded.
struct NodeSection {
    std::string names;
    Node node;
};
struct NodeClassSection {
    std::string names;
    NodeClass node_class;
};
struct PartitionSection {
    std::string nodes = "ALL";
    std::optional<bool> is_default;
    Partition partition;
};

const Fields<Config>& config_fields(); // keys "controller.socket"
const Fields<NodeSection>& node_fields(); // keys "node.cores"
const Fields<NodeClassSection>& node_class_fields();
const Fields<PartitionSection>& partition_fields();

// The sections whose keys stand in config_fields().
bool is_plain_section(std::string_view name);

// getrlimit(2)'s names without RLIMIT_, in lower case.
std::span<const std::string_view> resource_limit_names();

} // namespace jarvis::config
