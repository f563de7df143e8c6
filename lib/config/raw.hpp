// A configuration file as a tree of values with their places: all that this folder sees of TOML. One .cpp knows toml++,
// which is slow to compile.
#pragma once

#include "config/config.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace jarvis::config {

struct RawValue;
struct RawEntry;
using RawTable = std::vector<RawEntry>; // in the order of the file
using RawArray = std::vector<RawValue>;
// A kind of TOML value that no setting of ours has.
struct RawOther {
    std::string_view description; // "a fraction"
};

struct RawValue {
    Place place;
    std::variant<std::string, std::int64_t, bool, RawTable, RawArray, RawOther> value;
};

struct RawEntry {
    std::string key;
    Place key_place;
    RawValue value;
};

// Fails with the one problem at which the parser stopped.
std::expected<RawTable, Problem> parse_toml(std::string_view text, const std::string& file);

// "a boolean", "a string", ...
std::string_view describe(const RawValue& value);

} // namespace jarvis::config
