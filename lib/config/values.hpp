// How each type of value is read from TOML and written to it. read() returns what is wrong, or nothing.
#pragma once

#include "config/raw.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace jarvis::config {

std::string read(const RawValue& raw, std::string& value);
std::string read(const RawValue& raw, bool& value);
std::string read(const RawValue& raw, std::int64_t& value);
std::string read(const RawValue& raw, std::uint32_t& value);
std::string read(const RawValue& raw, std::uint64_t& value);
std::string read(const RawValue& raw, JobId& value);
std::string read(const RawValue& raw, Duration& value);
std::string read(const RawValue& raw, std::optional<Duration>& value); // "" and "unlimited": nothing
std::string read(const RawValue& raw, MemorySize& value);
std::string read(const RawValue& raw, std::optional<MemorySize>& value); // "": nothing
std::string read(const RawValue& raw, std::optional<bool>& value);
std::string read(const RawValue& raw, std::vector<std::string>& value);
std::string read(const RawValue& raw, LogLevel& value);
std::string read(const RawValue& raw, LogFormat& value);
std::string read(const RawValue& raw, PartitionState& value);
std::string read(const RawValue& raw, Confinement& value);
// "soft:hard" or one value for both; numbers as getrlimit(2) has them, with K M G T for 1024 and its powers, or "unlimited".
std::string read(const RawValue& raw, ResourceLimit& value);

std::string read(const RawValue& raw, Reserve& value); // these as inline tables
std::string read(const RawValue& raw, std::vector<StatedDevice>& value);
std::string read(const RawValue& raw, NodeExpectation& value);

std::string write(const std::string& value);
std::string write(bool value);
std::string write(std::int64_t value);
std::string write(std::uint32_t value);
std::string write(std::uint64_t value);
std::string write(JobId value);
std::string write(Duration value);
std::string write(const std::optional<Duration>& value);
std::string write(MemorySize value);
std::string write(const std::optional<MemorySize>& value);
std::string write(const std::optional<bool>& value); // nothing: true
std::string write(const std::vector<std::string>& value);
std::string write(LogLevel value);
std::string write(LogFormat value);
std::string write(PartitionState value);
std::string write(Confinement value);
std::string write(const ResourceLimit& value);
std::string write(const Reserve& value);
std::string write(const std::vector<StatedDevice>& value);
std::string write(const NodeExpectation& value);

// The word for the type of a setting in documentation.
template <class T>
constexpr std::string_view type_name()
{
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::optional<bool>>)
        return "boolean";
    else if constexpr (std::is_integral_v<T> || std::is_same_v<T, JobId>)
        return "integer";
    else if constexpr (std::is_same_v<T, Duration> || std::is_same_v<T, std::optional<Duration>>)
        return "duration";
    else if constexpr (std::is_same_v<T, MemorySize> || std::is_same_v<T, std::optional<MemorySize>>)
        return "size";
    else if constexpr (std::is_same_v<T, std::vector<std::string>>)
        return "list of strings";
    else if constexpr (std::is_same_v<T, ResourceLimit>)
        return "resource limit";
    else if constexpr (std::is_same_v<T, Reserve> || std::is_same_v<T, NodeExpectation>)
        return "table";
    else if constexpr (std::is_same_v<T, std::vector<StatedDevice>>)
        return "list of tables";
    else
        return "string";
}

} // namespace jarvis::config
