#include "config/plugin_settings.hpp"

#include "config/values.hpp"

#include "base/escape.hpp"
#include "base/nearest.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace jarvis::config {

namespace {

template <class T>
std::string read_as(const RawValue& raw, SettingValue& value)
{
    T typed{};
    auto problem = read(raw, typed);
    if (problem.empty())
        value = std::move(typed);
    return problem;
}

std::string read_value(const RawValue& raw, SettingType type, SettingValue& value)
{
    switch (type) {
    case SettingType::string:
        return read_as<std::string>(raw, value);
    case SettingType::integer:
        return read_as<std::int64_t>(raw, value);
    case SettingType::boolean:
        return read_as<bool>(raw, value);
    case SettingType::duration:
        return read_as<Duration>(raw, value);
    case SettingType::size:
        return read_as<MemorySize>(raw, value);
    }
    return "this setting has a type that this version does not know";
}

RawValue raw_value(const RawSetting& setting)
{
    RawValue raw{setting.value_place, {}};
    std::visit([&](const auto& value) { raw.value = value; }, setting.value);
    return raw;
}

// A default is typed without quotes: what it is follows from the setting's type.
RawValue raw_default(const std::string& text, SettingType type)
{
    RawValue raw{{}, text};
    std::int64_t number = 0;
    const auto end = text.data() + text.size();
    if (type == SettingType::boolean && (text == "true" || text == "false"))
        raw.value = text == "true";
    else if (type == SettingType::integer)
        if (auto [at, error] = std::from_chars(text.data(), end, number); error == std::errc{} && at == end)
            raw.value = number;
    return raw;
}

} // namespace

std::string_view name(SettingType type)
{
    constexpr std::array<std::string_view, 5> names{"string", "integer", "boolean", "duration", "size"};
    return names.at(static_cast<std::size_t>(type));
}

std::expected<SettingValues, Problems> check_plugin_settings(std::span<const SettingSchema> schema, const PluginSection* section,
                                                             const std::string& key, const std::string& file)
{
    SettingValues values;
    Problems problems;
    std::vector<std::string_view> known;
    for (const auto& declared : schema)
        known.push_back(declared.name);
    if (section)
        for (const auto& setting : section->settings) {
            const std::string shown = escape_for_terminal(fmt::format("{}.{}", key, setting.name));
            auto declared = std::ranges::find(schema, setting.name, &SettingSchema::name);
            if (declared == schema.end()) {
                problems.list.push_back(
                    {setting.key_place, fmt::format("{}: unknown key{}", shown, did_you_mean(setting.name, known))});
                continue;
            }
            if (auto wrong = read_value(raw_value(setting), declared->type, values[setting.name]); !wrong.empty())
                problems.list.push_back({setting.value_place, fmt::format("{}: {}", shown, wrong)});
        }
    const Place place = section ? section->place : Place{file};
    for (const auto& declared : schema) {
        if (values.contains(declared.name))
            continue;
        if (!declared.default_value)
            problems.list.push_back({place, fmt::format("{}.{}: is missing; this plugin cannot do without it", key, declared.name)});
        else if (auto wrong = read_value(raw_default(*declared.default_value, declared.type), declared.type, values[declared.name]);
                 !wrong.empty())
            problems.list.push_back({place, fmt::format("{}.{}: the plugin's own default is wrong: {}", key, declared.name, wrong)});
    }
    if (!problems.list.empty())
        return std::unexpected(std::move(problems));
    return values;
}

std::string to_string(const SettingValue& value)
{
    return std::visit([](const auto& typed) { return write(typed); }, value);
}

} // namespace jarvis::config
