// Finds, opens and checks plugins. Nothing of a plugin but its entry function is called here.
#pragma once

#include "base/result.hpp"
#include "config/plugin_settings.hpp"

#include <jarvis/plugin.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::plugin {

struct CloseLibrary {
    void operator()(void* handle) const noexcept;
};
using Library = std::unique_ptr<void, CloseLibrary>;

// The kinds that there are, in the order that people see them.
constexpr std::array<std::string_view, 4> kinds{"auth", "policy", "runtime", "storage"};

// "<directory>/<kind>_<name>.so".
std::string plugin_file(std::string_view directory, std::string_view kind, std::string_view name);

// Every <kind>_<name>.so of a directory, in order of the names.
struct Candidate {
    std::string kind;
    std::string name;
    std::string file;
};
Result<std::vector<Candidate>> list_plugins(const std::string& directory);

// An opened library whose table begins with a header of a version that we understand. The library stays loaded as long
// as this lives.
struct Opened {
    Library library;
    std::string file;
    const jarvis_plugin_header* header = nullptr;
};

// Loads a file and checks that it is a plugin of that kind, of our major version, with a whole header. A refusal names
// the file and both versions.
Result<Opened> open_plugin(const std::string& file, std::string_view kind);

// The plugin with its table as this program knows it: members that an older plugin lacks are null or zero.
template <class Table>
struct Loaded {
    Library library; // first: unloaded last
    std::string file;
    const jarvis_plugin_header* header = nullptr;
    Table table{};
};

Error too_short(const Opened& opened, std::size_t needed);

// `needed` is the size of the smallest table that can serve: up to the last member that is not optional.
template <class Table>
Result<Loaded<Table>> load(const std::string& file, std::string_view kind, std::size_t needed)
{
    auto opened = open_plugin(file, kind);
    if (!opened)
        return std::unexpected(opened.error());
    if (opened->header->struct_size < needed)
        return std::unexpected(too_short(*opened, needed));
    Loaded<Table> loaded{std::move(opened->library), std::move(opened->file), opened->header};
    std::memcpy(static_cast<void*>(&loaded.table), loaded.header,
                std::min<std::size_t>(loaded.header->struct_size, sizeof(Table)));
    return loaded;
}

// What a plugin declares, as the configuration checks it.
std::vector<config::SettingSchema> settings_schema(const jarvis_plugin_header& header);

} // namespace jarvis::plugin
