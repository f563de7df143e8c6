#include "runtime_plugin.hpp"

#include "base/nearest.hpp"
#include "base/units.hpp"
#include "log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <dlfcn.h>
#include <vector>

namespace jarvis::shepherd {
namespace {

struct ErrorBuffer {
    char text[1024] = {};

    Error error(std::int32_t code) const
    {
        switch (code) {
        case JARVIS_INVALID: return {Errc::invalid, text};
        case JARVIS_NOT_FOUND: return {Errc::not_found, text};
        case JARVIS_DENIED: return {Errc::denied, text};
        case JARVIS_CORRUPT: return {Errc::corrupt, text};
        default: return {Errc::unavailable, text};
        }
    }
};

Result<void> check_header(const std::string& file, const jarvis_plugin_header& header)
{
    if (header.abi_major != JARVIS_ABI_MAJOR || header.abi_minor < JARVIS_ABI_MINOR_OLDEST)
        return fail(Errc::invalid, "{}: it was built for plugin ABI {}.{}; this program understands {}.{} to {}.x", file,
                    header.abi_major, header.abi_minor, JARVIS_ABI_MAJOR, JARVIS_ABI_MINOR_OLDEST, JARVIS_ABI_MAJOR);
    if (std::string_view(header.kind) != "runtime")
        return fail(Errc::invalid, "{}: it is a plugin of kind {}, not runtime", file, header.kind);
    if (!JARVIS_HAS(header.struct_size, jarvis_runtime, close))
        return fail(Errc::invalid, "{}: its table is too short ({} bytes)", file, header.struct_size);
    return {};
}

const jarvis_setting& setting_at(const jarvis_plugin_header& header, std::uint32_t index)
{
    return *reinterpret_cast<const jarvis_setting*>(reinterpret_cast<const char*>(header.settings)
                                                    + std::size_t{index} * header.setting_size);
}

// Settings come from a configuration that jnoded has checked; here they only become values.
Result<std::int64_t> integer_of(const jarvis_setting& setting, const std::string& text)
{
    switch (setting.type) {
    case JARVIS_SETTING_BOOLEAN:
        if (text != "true" && text != "false")
            return fail(Errc::invalid, "expected true or false, found \"{}\"", text);
        return text == "true";
    case JARVIS_SETTING_DURATION: {
        const auto duration = parse_duration(text);
        return duration ? Result<std::int64_t>(duration->count()) : std::unexpected(duration.error());
    }
    case JARVIS_SETTING_SIZE: {
        const auto size = parse_memory_size(text);
        return size ? Result<std::int64_t>(size->bytes) : std::unexpected(size.error());
    }
    case JARVIS_SETTING_INTEGER: {
        char* end = nullptr;
        errno = 0;
        const long long number = std::strtoll(text.c_str(), &end, 10);
        if (text.empty() || *end != '\0' || errno != 0)
            return fail(Errc::invalid, "expected a number, found \"{}\"", text);
        return number;
    }
    default:
        return 0;
    }
}

Result<void> check_names(const jarvis_plugin_header& header, const RuntimeSettings& settings)
{
    std::vector<std::string_view> known;
    for (std::uint32_t i = 0; i < header.setting_count; ++i)
        known.push_back(setting_at(header, i).name);
    for (const auto& [name, text] : settings)
        if (std::ranges::find(known, name) == known.end())
            return fail(Errc::invalid, "runtime {}: unknown setting {}{}", header.name, name, did_you_mean(name, known));
    return {};
}

// One value for each setting that the plugin declares, in that order. The texts must outlive the result.
Result<std::vector<jarvis_value>> make_values(const jarvis_plugin_header& header, RuntimeSettings& texts)
{
    if (auto checked = check_names(header, texts); !checked)
        return std::unexpected(checked.error());
    std::vector<jarvis_value> values;
    for (std::uint32_t i = 0; i < header.setting_count; ++i) {
        const jarvis_setting& setting = setting_at(header, i);
        const std::string& text = texts.try_emplace(setting.name, setting.default_text).first->second;
        const auto integer = integer_of(setting, text);
        if (!integer)
            return fail(integer.error(), "runtime {}: setting {}", header.name, setting.name);
        const bool is_text = setting.type == JARVIS_SETTING_STRING;
        values.push_back({.name = setting.name,
                          .type = setting.type,
                          .reserved = 0,
                          .text = is_text ? text.c_str() : "",
                          .text_size = is_text ? text.size() : 0,
                          .integer = *integer});
    }
    return values;
}

void plugin_log(void*, std::uint32_t level, const char* text, std::uint64_t size)
{
    static constexpr std::string_view names[] = {"debug", "debug", "info", "warning", "error"};
    write_log(names[std::min<std::size_t>(level, JARVIS_LOG_ERROR)], std::string_view(text, size));
}

// Optional members that an older plugin's table is too short for are absent.
Result<const jarvis_runtime*> open_table(const std::string& file)
{
    void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        return fail(Errc::not_found, "{}", ::dlerror());
    using Entry = const jarvis_runtime* (*)();
    const auto entry = reinterpret_cast<Entry>(::dlsym(library, "jarvis_runtime_entry"));
    if (entry == nullptr)
        return fail(Errc::invalid, "{}: it has no function jarvis_runtime_entry: not a runtime plugin", file);
    const jarvis_runtime* table = entry();
    if (auto checked = check_header(file, table->header); !checked)
        return std::unexpected(checked.error());
    return table;
}

} // namespace

Result<RuntimePlugin> RuntimePlugin::load(const std::string& file, const RuntimeSettings& settings)
{
    const auto table = open_table(file);
    if (!table)
        return std::unexpected(table.error());
    // The plugin may keep pointers to the host and its settings: they live as long as the process.
    static RuntimeSettings texts;
    static std::vector<jarvis_value> values;
    static const jarvis_host host{.struct_size = sizeof(jarvis_host), .reserved = 0, .context = nullptr, .log = plugin_log};
    texts = settings;
    auto made = make_values((*table)->header, texts);
    if (!made)
        return std::unexpected(made.error());
    values = std::move(*made);
    static const jarvis_open args{.struct_size = sizeof(jarvis_open),
                                  .value_size = sizeof(jarvis_value),
                                  .value_count = static_cast<std::uint32_t>(values.size()),
                                  .reserved = 0,
                                  .values = values.data(),
                                  .host = &host};
    RuntimePlugin plugin;
    plugin.table_ = *table;
    ErrorBuffer error;
    if (const auto code = plugin.table_->load(&args, &plugin.state_, error.text, sizeof error.text); code != JARVIS_OK)
        return fail(error.error(code), "runtime {}", plugin.table_->header.name);
    return plugin;
}

Result<void> RuntimePlugin::attach()
{
    ErrorBuffer error;
    const auto code = table_->attach ? table_->attach(state_, error.text, sizeof error.text) : JARVIS_OK;
    return code == JARVIS_OK ? Result<void>{} : std::unexpected(error.error(code));
}

std::expected<jarvis_handle, RuntimePlugin::StartFailure> RuntimePlugin::start(const jarvis_launch& launch)
{
    jarvis_handle handle{};
    handle.struct_size = sizeof handle;
    std::uint32_t fault = JARVIS_FAULT_SYSTEM;
    ErrorBuffer error;
    if (table_->start(state_, &launch, &handle, &fault, error.text, sizeof error.text) == JARVIS_OK)
        return handle;
    return std::unexpected(StartFailure{fault, error.text});
}

Result<int> RuntimePlugin::wait(const jarvis_handle& handle)
{
    ErrorBuffer error;
    std::int32_t status = 0;
    const auto code = table_->wait(state_, &handle, &status, error.text, sizeof error.text);
    return code == JARVIS_OK ? Result<int>(status) : std::unexpected(error.error(code));
}

void RuntimePlugin::close()
{
    table_->close(state_);
}

} // namespace jarvis::shepherd
