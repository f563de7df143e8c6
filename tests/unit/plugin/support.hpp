// What the tests of storage plugins share.
#pragma once

#include "plugin/storage.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>

#include <unistd.h>

namespace jarvis::plugin {

// A folder in /tmp that goes with the test.
class Folder {
    std::string path_;

public:
    explicit Folder(std::string_view name) : path_(fmt::format("/tmp/jarvis_unit_plugin_{}_{}", name, ::getpid()))
    {
        std::filesystem::create_directories(path_);
    }
    Folder(const Folder&) = delete;
    ~Folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }
};

inline std::unique_ptr<Storage> load_storage(std::string_view name,
                                             const std::vector<std::pair<std::string, std::string>>& settings = {})
{
    config::PluginSection section{"storage", std::string(name), {"test.toml", 1, 1}, {}};
    for (const auto& [key, value] : settings)
        section.settings.push_back({key, value, {"test.toml", 2, 1}, {"test.toml", 2, 10}});
    auto storage =
        Storage::load({.file = plugin_file(PLUGINS, "storage", name), .section = &section, .config_file = "test.toml"});
    BOOST_REQUIRE_MESSAGE(storage.has_value(), storage.error().message);
    return std::move(*storage);
}

inline void open(Storage& storage, const std::string& folder)
{
    const auto opened = storage.open(folder);
    BOOST_REQUIRE_MESSAGE(opened.has_value(), opened.error().message);
}

inline Append append(Storage& storage, std::uint64_t sequence, std::string_view data, bool use_reserve = false)
{
    return storage.append(Group{SequenceNumber{sequence}, data, {}, use_reserve});
}

inline std::uint64_t last(Storage& storage)
{
    const auto sequence = storage.last_sequence();
    BOOST_REQUIRE(sequence.has_value());
    return sequence->value;
}

} // namespace jarvis::plugin
