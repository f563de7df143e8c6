// What the host hands to a plugin's open(): its settings and the way to our log. And the other way: its errors.
#pragma once

#include "plugin/loader.hpp"

#include <expected>
#include <functional>
#include <optional>

namespace jarvis::plugin {

enum class LogLevel : std::uint8_t {
    debug = JARVIS_LOG_DEBUG,
    info = JARVIS_LOG_INFO,
    warning = JARVIS_LOG_WARNING,
    error = JARVIS_LOG_ERROR
};

// Called by any thread of the plugin, several at once; must not throw.
using LogFunction = std::function<void(LogLevel, std::string_view)>;

// How to find a plugin and its settings. `section` may be null: all settings have their defaults then.
struct Source {
    std::string file;                               // of the plugin; see plugin_file()
    const config::PluginSection* section = nullptr; // looked at during load() alone
    std::string config_file = {};                   // for messages
    LogFunction log = {};
};
// The source of the plugin that the configuration names, in the plugin directory that it names.
Source source(const config::Config& config, std::string_view kind, std::string_view name, LogFunction log = {});

// Owns everything that a jarvis_open points to. It does not move: plugins may keep the pointer to jarvis_host.
class OpenArguments {
    std::vector<std::string> names_;
    std::vector<std::string> texts_;
    std::vector<jarvis_value> values_;
    LogFunction log_;
    jarvis_host host_{};
    jarvis_open args_{};

public:
    OpenArguments(const std::vector<config::SettingSchema>& schema, const config::SettingValues& values,
                  LogFunction log);
    OpenArguments(const OpenArguments&) = delete;
    OpenArguments& operator=(const OpenArguments&) = delete;
    const jarvis_open* get() const noexcept { return &args_; }
};

// Checks the section against what the plugin declares. All problems are told, one a line, each with its place.
Result<std::unique_ptr<OpenArguments>> open_arguments(const jarvis_plugin_header& header, const Source& source);

// The buffer that a plugin writes its message to.
class ErrorBuffer {
    std::array<char, 1024> text_{};

public:
    char* data() noexcept { return text_.data(); }
    std::uint32_t size() const noexcept { return text_.size(); }
    std::string_view text() const noexcept; // up to the NUL, at most the whole
    // The failure that a code stands for; one that we do not know is `unavailable`.
    Error error(std::int32_t code) const;
    Result<void> result(std::int32_t code) const;
};

} // namespace jarvis::plugin
