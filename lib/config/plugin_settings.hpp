// A plugin's section of the configuration, checked against the settings that the plugin declares.
#pragma once

#include "config/config.hpp"

#include <expected>
#include <map>
#include <span>
#include <string>
#include <variant>

namespace jarvis::config {

enum class SettingType : std::uint8_t { string, integer, boolean, duration, size };
std::string_view name(SettingType type);

// One declared setting.
struct SettingSchema {
    std::string name;
    SettingType type = SettingType::string;
    std::optional<std::string> default_value; // as written in the file, without quotes; none: the setting must be given
    std::string unit;                         // of an integer, for people
    std::string text;                         // one sentence
};

using SettingValue = std::variant<std::string, std::int64_t, bool, Duration, MemorySize>; // in the order of SettingType
using SettingValues = std::map<std::string, SettingValue>;

// Every declared setting with its value from the section or its default; or everything that is wrong, at its place.
// `section` is null when the file has none; `key` is the section's name in messages ("plugin.storage.sqlite"), `file`
// the place of a required setting that no section gives.
std::expected<SettingValues, Problems> check_plugin_settings(std::span<const SettingSchema> schema, const PluginSection* section,
                                                             const std::string& key, const std::string& file);

// A value as the file would have it: "\"wal\"", 5, true, "\"30s\"".
std::string to_string(const SettingValue& value);

} // namespace jarvis::config
