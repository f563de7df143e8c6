#include "plugin/loader.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <dlfcn.h>
#include <unistd.h>

namespace jarvis::plugin {

namespace {

using Entry = const jarvis_plugin_header* (*)();

std::string last_dl_error()
{
    const char* text = ::dlerror();
    return text ? text : "no reason given";
}

Result<void> check_abi(const std::string& file, const jarvis_plugin_header& header)
{
    if (header.abi_major != JARVIS_ABI_MAJOR || header.abi_minor < JARVIS_ABI_MINOR_OLDEST)
        return fail(Errc::invalid,
                    "{}: made for plugin ABI {}.{}, this Jarvis has {}.{} and takes {}.{} and later {}.x; compile it "
                    "again with "
                    "this Jarvis's headers",
                    file, header.abi_major, header.abi_minor, JARVIS_ABI_MAJOR, JARVIS_ABI_MINOR, JARVIS_ABI_MAJOR,
                    JARVIS_ABI_MINOR_OLDEST, JARVIS_ABI_MAJOR);
    if (header.struct_size < sizeof(jarvis_plugin_header))
        return fail(Errc::invalid,
                    "{}: its table has {} bytes (plugin ABI {}.{}), the header alone has {} (plugin ABI {}.{})", file,
                    header.struct_size, header.abi_major, header.abi_minor, sizeof(jarvis_plugin_header),
                    JARVIS_ABI_MAJOR, JARVIS_ABI_MINOR);
    return {};
}

Result<void> check_settings(const std::string& file, const jarvis_plugin_header& header)
{
    if (header.setting_count == 0)
        return {};
    if (!header.settings || header.setting_size < sizeof(jarvis_setting))
        return fail(Errc::invalid, "{}: declares {} settings of {} bytes each, expected at least {}", file,
                    header.setting_count, header.setting_size, sizeof(jarvis_setting));
    const auto* at = reinterpret_cast<const char*>(header.settings);
    for (std::uint32_t i = 0; i < header.setting_count; ++i, at += header.setting_size) {
        const auto& setting = *reinterpret_cast<const jarvis_setting*>(at);
        if (!setting.name || !*setting.name || !setting.text)
            return fail(Errc::invalid, "{}: its setting number {} has no name or no text", file, i + 1);
        if (setting.type < JARVIS_SETTING_STRING || setting.type > JARVIS_SETTING_SIZE)
            return fail(Errc::invalid,
                        "{}: its setting {} has type {}, which this Jarvis (plugin ABI {}.{}) does not know", file,
                        setting.name, setting.type, JARVIS_ABI_MAJOR, JARVIS_ABI_MINOR);
    }
    return {};
}

Result<void> check_header(const std::string& file, const jarvis_plugin_header& header, std::string_view kind)
{
    if (auto abi = check_abi(file, header); !abi)
        return abi;
    if (!header.kind || !header.name || !*header.name || !header.version || !header.text)
        return fail(Errc::invalid, "{}: its header lacks kind, name, version or text", file);
    if (kind != header.kind)
        return fail(Errc::invalid, "{}: is a plugin of kind \"{}\", expected \"{}\"", file, header.kind, kind);
    return check_settings(file, header);
}

} // namespace

void CloseLibrary::operator()(void* handle) const noexcept
{
    ::dlclose(handle);
}

std::string plugin_file(std::string_view directory, std::string_view kind, std::string_view name)
{
    return fmt::format("{}/{}_{}.so", directory, kind, name);
}

Result<std::vector<Candidate>> list_plugins(const std::string& directory)
{
    std::error_code error;
    std::filesystem::directory_iterator files(directory, error);
    if (error)
        return fail(error == std::errc::no_such_file_or_directory ? Errc::not_found : Errc::unavailable,
                    "plugin directory {}: {}", directory, error.message());
    std::vector<Candidate> found;
    for (const auto& file : files) {
        if (file.path().extension() != ".so")
            continue;
        const std::string stem = file.path().stem();
        for (const std::string_view kind : kinds)
            if (stem.size() > kind.size() + 1 && stem.starts_with(kind) && stem[kind.size()] == '_')
                found.push_back({std::string(kind), stem.substr(kind.size() + 1), file.path()});
    }
    std::ranges::sort(found, {}, [](const Candidate& candidate) { return std::tie(candidate.kind, candidate.name); });
    return found;
}

Result<Opened> open_plugin(const std::string& file, std::string_view kind)
{
    // Without a slash dlopen would search the library path.
    const std::string path = file.find('/') == std::string::npos ? "./" + file : file;
    if (::access(path.c_str(), R_OK) != 0)
        return fail(errno == ENOENT ? Errc::not_found : Errc::denied, "plugin {}: {}", file,
                    std::generic_category().message(errno));
    Library library(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
    if (!library)
        return fail(Errc::invalid, "plugin {}: cannot be loaded: {}", file, last_dl_error());
    const std::string symbol = fmt::format("jarvis_{}_entry", kind);
    void* address = ::dlsym(library.get(), symbol.c_str());
    if (!address)
        return fail(Errc::invalid, "plugin {}: is no plugin of kind \"{}\": it exports no {}", file, kind, symbol);
    const jarvis_plugin_header* header = reinterpret_cast<Entry>(address)();
    if (!header)
        return fail(Errc::invalid, "plugin {}: {} returns no table", file, symbol);
    if (auto good = check_header(file, *header, kind); !good)
        return fail(good.error(), "plugin");
    return Opened{std::move(library), file, header};
}

Error too_short(const Opened& opened, std::size_t needed)
{
    return {
        Errc::invalid,
        fmt::format(
            "plugin {}: its table has {} bytes (plugin ABI {}.{}), this Jarvis needs at least {} (plugin ABI {}.{})",
            opened.file, opened.header->struct_size, opened.header->abi_major, opened.header->abi_minor, needed,
            JARVIS_ABI_MAJOR, JARVIS_ABI_MINOR)};
}

std::vector<config::SettingSchema> settings_schema(const jarvis_plugin_header& header)
{
    static constexpr std::array types{config::SettingType::string, config::SettingType::integer,
                                      config::SettingType::boolean, config::SettingType::duration,
                                      config::SettingType::size};
    std::vector<config::SettingSchema> schema;
    const auto* at = reinterpret_cast<const char*>(header.settings);
    for (std::uint32_t i = 0; i < header.setting_count; ++i, at += header.setting_size) {
        const auto& setting = *reinterpret_cast<const jarvis_setting*>(at);
        config::SettingSchema entry;
        entry.name = setting.name;
        entry.type = types[setting.type - JARVIS_SETTING_STRING];
        if (setting.default_text)
            entry.default_value = setting.default_text;
        entry.unit = setting.unit ? setting.unit : "";
        entry.text = setting.text;
        schema.push_back(std::move(entry));
    }
    return schema;
}

} // namespace jarvis::plugin
