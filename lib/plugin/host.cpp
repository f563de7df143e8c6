#include "plugin/host.hpp"

#include <cstring>

namespace jarvis::plugin {

namespace {

void write_log(void* context, std::uint32_t level, const char* text, std::uint64_t size)
{
    const auto& log = *static_cast<const LogFunction*>(context);
    const auto known = std::clamp<std::uint32_t>(level, JARVIS_LOG_DEBUG, JARVIS_LOG_ERROR);
    log(static_cast<LogLevel>(known), {text, static_cast<std::size_t>(size)});
}

std::uint32_t c_type(config::SettingType type)
{
    switch (type) {
    case config::SettingType::string:
        return JARVIS_SETTING_STRING;
    case config::SettingType::integer:
        return JARVIS_SETTING_INTEGER;
    case config::SettingType::boolean:
        return JARVIS_SETTING_BOOLEAN;
    case config::SettingType::duration:
        return JARVIS_SETTING_DURATION;
    case config::SettingType::size:
        return JARVIS_SETTING_SIZE;
    }
    return JARVIS_SETTING_STRING;
}

std::int64_t c_integer(const config::SettingValue& value)
{
    if (const auto* integer = std::get_if<std::int64_t>(&value))
        return *integer;
    if (const auto* boolean = std::get_if<bool>(&value))
        return *boolean ? 1 : 0;
    if (const auto* duration = std::get_if<Duration>(&value))
        return duration->count();
    if (const auto* size = std::get_if<MemorySize>(&value))
        return size->bytes;
    return 0;
}

} // namespace

Source source(const config::Config& config, std::string_view kind, std::string_view name, LogFunction log)
{
    return {plugin_file(config::plugin_directory(config), kind, name), config.plugin_section(kind, name), config.file,
            std::move(log)};
}

OpenArguments::OpenArguments(const std::vector<config::SettingSchema>& schema, const config::SettingValues& values,
                             LogFunction log)
    : log_(std::move(log))
{
    names_.reserve(schema.size()); // the values point into both
    texts_.reserve(schema.size());
    for (const config::SettingSchema& setting : schema) {
        const config::SettingValue& value = values.at(setting.name);
        const auto* text = std::get_if<std::string>(&value);
        names_.push_back(setting.name);
        texts_.push_back(text ? *text : std::string());
        values_.push_back({names_.back().c_str(), c_type(setting.type), 0, texts_.back().c_str(), texts_.back().size(),
                           c_integer(value)});
    }
    host_.struct_size = sizeof host_;
    host_.context = &log_;
    host_.log = log_ ? write_log : nullptr;
    args_.struct_size = sizeof args_;
    args_.value_size = sizeof(jarvis_value);
    args_.value_count = static_cast<std::uint32_t>(values_.size());
    args_.values = values_.data();
    args_.host = &host_;
}

Result<std::unique_ptr<OpenArguments>> open_arguments(const jarvis_plugin_header& header, const Source& source)
{
    const auto schema = settings_schema(header);
    const std::string key = fmt::format("plugin.{}.{}", header.kind, header.name);
    auto values = config::check_plugin_settings(schema, source.section, key, source.config_file);
    if (!values)
        return std::unexpected(values.error().error());
    return std::make_unique<OpenArguments>(schema, *values, source.log);
}

std::string_view ErrorBuffer::text() const noexcept
{
    return {text_.data(), ::strnlen(text_.data(), text_.size())};
}

Error ErrorBuffer::error(std::int32_t code) const
{
    Error error{Errc::unavailable, std::string(text())};
    switch (code) {
    case JARVIS_INVALID:
        error.code = Errc::invalid;
        break;
    case JARVIS_NOT_FOUND:
        error.code = Errc::not_found;
        break;
    case JARVIS_DENIED:
        error.code = Errc::denied;
        break;
    case JARVIS_CORRUPT:
        error.code = Errc::corrupt;
        break;
    default:
        break;
    }
    if (error.message.empty())
        error.message = fmt::format("the plugin failed with code {} and gave no reason", code);
    return error;
}

Result<void> ErrorBuffer::result(std::int32_t code) const
{
    if (code == JARVIS_OK)
        return {};
    return std::unexpected(error(code));
}

} // namespace jarvis::plugin
