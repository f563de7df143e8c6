// What the daemons' command lines share.
#pragma once

#include "daemon/log.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace jarvis::daemon {

struct CommonOptions {
    std::string config;                   // resolved: --config, else JARVIS_CONF, else /etc/jarvis/jarvis.toml
    bool check_config = false;
    std::optional<std::string> log_file;  // these win over the configuration's [log]
    std::optional<LogLevel> log_level;
    std::optional<LogFormat> log_format;

    // The configuration's words with what was typed over them.
    Result<LogOptions> log_options(std::string program, std::string_view file, std::string_view level,
                                   std::string_view format) const;
};

// Adds --config, --check-config, --log-file, --log-level, --log-format, --version and --help.
void add_common_options(CLI::App& app, CommonOptions& options);

// Parses. A value is the code to exit with now: 0 after --help or --version, 2 when something typed is wrong (it was said).
std::optional<int> parse_options(CLI::App& app, int argc, const char* const* argv, CommonOptions& options);

} // namespace jarvis::daemon
