// The inline tables that say what a node has, keeps and should have: how they are read from TOML and written to it.
#include "config/values.hpp"

#include "base/nearest.hpp"
#include "model/constraint.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <initializer_list>

namespace jarvis::config {

namespace {

struct Key {
    std::string_view name;
    std::function<std::string(const RawValue&)> read;
};

// What is wrong with one of a table's values begins with its key.
std::string read_keys(const RawValue& raw, std::string_view example, std::initializer_list<Key> keys)
{
    auto* table = std::get_if<RawTable>(&raw.value);
    if (!table)
        return fmt::format("expected a table such as {}, found {}", example, describe(raw));
    for (const auto& entry : *table) {
        auto key = std::ranges::find(keys, std::string_view(entry.key), &Key::name);
        if (key == keys.end()) {
            std::vector<std::string_view> names;
            for (const auto& known : keys)
                names.push_back(known.name);
            return fmt::format("{}: unknown key{}", entry.key, did_you_mean(entry.key, names));
        }
        if (auto wrong = key->read(entry.value); !wrong.empty())
            return fmt::format("{}: {}", entry.key, wrong);
    }
    return {};
}

template <class T>
Key into(std::string_view name, T& value)
{
    return {name, [&value](const RawValue& raw) { return read(raw, value); }};
}

// Names of resources and types are what requests are made of.
std::string read_device_word(const RawValue& raw, std::string& value)
{
    if (auto wrong = read(raw, value); !wrong.empty())
        return wrong;
    return is_feature_name(value) ? "" : fmt::format("\"{}\" is no name: letters, digits, \"_\", \".\" and \"-\", at most 64", value);
}

// Cores are named up to here (wire/limits.hpp).
constexpr std::uint32_t most_cores = 1 << 16;

// "0-15,32", or "" for none.
std::string read_cores(const RawValue& raw, CoreSet& cores)
{
    std::string text;
    if (auto wrong = read(raw, text); !wrong.empty())
        return wrong;
    cores = {};
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        std::uint32_t first = 0, last = 0;
        auto parsed = std::from_chars(at, end, first);
        last = first;
        if (parsed.ec == std::errc{} && parsed.ptr != end && *parsed.ptr == '-')
            parsed = std::from_chars(parsed.ptr + 1, end, last);
        if (parsed.ec != std::errc{} || last < first || last >= most_cores || (parsed.ptr != end && (*parsed.ptr != ',' || parsed.ptr + 1 == end)))
            return fmt::format("expected cores such as \"0-15,32\", found \"{}\"", text);
        cores |= CoreSet::range(first, last - first + 1);
        at = parsed.ptr == end ? end : parsed.ptr + 1;
    }
    return {};
}

std::string read_paths(const RawValue& raw, std::vector<std::string>& paths)
{
    constexpr std::size_t most_paths = 16; // wire/limits.hpp
    if (auto wrong = read(raw, paths); !wrong.empty())
        return wrong;
    if (paths.size() > most_paths)
        return fmt::format("{} files; at most {} are possible", paths.size(), most_paths);
    for (const auto& path : paths)
        if (!path.starts_with("/dev/"))
            return fmt::format("expected a file in /dev, found \"{}\"", path);
    return {};
}

std::string read_device(const RawValue& raw, StatedDevice& device)
{
    constexpr std::uint32_t most_devices = 4096; // wire/limits.hpp
    auto wrong = read_keys(raw, "{ name = \"gpu\", paths = [\"/dev/nvidia0\"] }",
                           {{"name", [&](const RawValue& value) { return read_device_word(value, device.name); }},
                            {"type", [&](const RawValue& value) { return read_device_word(value, device.type); }},
                            into("count", device.count),
                            {"paths", [&](const RawValue& value) { return read_paths(value, device.paths); }},
                            {"cores", [&](const RawValue& value) { return read_cores(value, device.cores); }}});
    if (!wrong.empty())
        return wrong;
    if (device.name.empty())
        return "name is missing; it is what requests call the device, such as \"gpu\"";
    if (device.count > most_devices)
        return fmt::format("count: {} is out of range; it goes from 0 to {}", device.count, most_devices);
    if (device.count > 1 && !device.paths.empty())
        return "paths are those of one device; state each of several with its own";
    return {};
}

std::string read_expected_devices(const RawValue& raw, std::map<std::string, std::uint32_t>& devices)
{
    auto* table = std::get_if<RawTable>(&raw.value);
    if (!table)
        return fmt::format("expected a table such as {{ gpu = 4 }}, found {}", describe(raw));
    for (const auto& entry : *table) {
        const std::string_view key = entry.key;
        const auto colon = key.find(':');
        if (!is_feature_name(key.substr(0, colon)) || (colon != std::string_view::npos && !is_feature_name(key.substr(colon + 1))))
            return fmt::format("\"{}\" is no device; expected one such as gpu or \"gpu:a100\"", key);
        if (auto wrong = read(entry.value, devices[entry.key]); !wrong.empty())
            return fmt::format("{}: {}", entry.key, wrong);
    }
    return {};
}

// "{ cores = 1 }" of those that are there.
std::string table_of(const std::vector<std::pair<std::string, std::string>>& values)
{
    std::string text;
    for (const auto& [key, value] : values)
        if (!value.empty())
            text += fmt::format("{}{} = {}", text.empty() ? " " : ", ", key, value);
    return text.empty() ? "{}" : '{' + text + " }";
}

std::string unless_zero(std::uint32_t value) { return value == 0 ? "" : write(value); }

} // namespace

std::string read(const RawValue& raw, Reserve& value)
{
    Reserve read_value;
    if (auto wrong = read_keys(raw, "{ cores = 1, memory = \"2G\" }", {into("cores", read_value.cores), into("memory", read_value.memory)});
        !wrong.empty())
        return wrong;
    value = read_value;
    return {};
}

std::string read(const RawValue& raw, std::vector<StatedDevice>& value)
{
    auto* array = std::get_if<RawArray>(&raw.value);
    if (!array)
        return fmt::format("expected a list of tables such as [{{ name = \"gpu\", paths = [\"/dev/nvidia0\"] }}], found {}", describe(raw));
    std::vector<StatedDevice> devices;
    for (const auto& item : *array)
        if (auto wrong = read_device(item, devices.emplace_back()); !wrong.empty())
            return fmt::format("device {}: {}", devices.size(), wrong);
    for (const auto& device : devices)
        for (const auto& other : devices)
            if (&device != &other && !device.paths.empty() && !other.paths.empty() && device.paths.front() == other.paths.front())
                return fmt::format("{} is the first file of two devices", device.paths.front());
    value = std::move(devices);
    return {};
}

std::string read(const RawValue& raw, NodeExpectation& value)
{
    NodeExpectation expected;
    auto wrong = read_keys(raw, "{ cores = 64, devices = { gpu = 4 } }",
                           {into("packages", expected.packages), into("numa_nodes", expected.numa_nodes), into("cores", expected.cores),
                            into("threads_per_core", expected.threads_per_core), into("memory", expected.memory),
                            {"devices", [&](const RawValue& devices) { return read_expected_devices(devices, expected.devices); }}});
    if (wrong.empty())
        value = std::move(expected);
    return wrong;
}

std::string write(const Reserve& value)
{
    return table_of({{"cores", unless_zero(value.cores)}, {"memory", value.memory ? write(*value.memory) : ""}});
}

std::string write(const std::vector<StatedDevice>& value)
{
    std::string text;
    for (const auto& device : value)
        text += (text.empty() ? "" : ", ") + table_of({{"name", write(device.name)},
                                                        {"type", device.type.empty() ? "" : write(device.type)},
                                                        {"count", device.count == 1 ? "" : write(device.count)},
                                                        {"paths", device.paths.empty() ? "" : write(device.paths)},
                                                        {"cores", device.cores.empty() ? "" : write(format_list(device.cores))}});
    return '[' + text + ']';
}

std::string write(const NodeExpectation& value)
{
    std::vector<std::pair<std::string, std::string>> devices;
    for (const auto& [name, count] : value.devices)
        devices.emplace_back(write(name), write(count));
    return table_of({{"packages", unless_zero(value.packages)},
                     {"numa_nodes", unless_zero(value.numa_nodes)},
                     {"cores", unless_zero(value.cores)},
                     {"threads_per_core", unless_zero(value.threads_per_core)},
                     {"memory", value.memory.bytes == 0 ? "" : write(value.memory)},
                     {"devices", devices.empty() ? "" : table_of(devices)}});
}

} // namespace jarvis::config
