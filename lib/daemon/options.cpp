#include "daemon/options.hpp"

#include "base/version.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <map>

namespace jarvis::daemon {

namespace {

constexpr const char* default_config = "/etc/jarvis/jarvis.toml";

std::string config_from_environment()
{
    const char* path = std::getenv("JARVIS_CONF");
    return path != nullptr && path[0] != '\0' ? path : default_config;
}

} // namespace

Result<LogOptions> CommonOptions::log_options(std::string program, std::string_view file, std::string_view level,
                                              std::string_view format) const
{
    LogOptions options;
    options.program = std::move(program);
    options.file = log_file ? *log_file : std::string(file);
    if (log_file == "-")
        options.file.clear();
    auto configured_level = parse_log_level(level);
    if (!configured_level)
        return std::unexpected(std::move(configured_level.error()));
    auto configured_format = parse_log_format(format);
    if (!configured_format)
        return std::unexpected(std::move(configured_format.error()));
    options.level = log_level.value_or(*configured_level);
    options.format = log_format.value_or(*configured_format);
    return options;
}

void add_common_options(CLI::App& app, CommonOptions& options)
{
    static const std::map<std::string, LogLevel> levels{{"trace", LogLevel::trace},
                                                        {"debug", LogLevel::debug},
                                                        {"info", LogLevel::info},
                                                        {"warning", LogLevel::warning},
                                                        {"error", LogLevel::error}};
    static const std::map<std::string, LogFormat> formats{{"text", LogFormat::text}, {"json", LogFormat::json}};
    app.add_option("--config", options.config, "Configuration file (default: $JARVIS_CONF, else /etc/jarvis/jarvis.toml)")
        ->type_name("FILE");
    app.add_flag("--check-config", options.check_config, "Check the configuration, say what is wrong with it, and exit");
    app.add_option("--log-file", options.log_file, "Log to this file; - is standard error")->type_name("FILE");
    app.add_option_function<std::string>(
           "--log-level", [&options](const std::string& word) { options.log_level = levels.at(word); },
           "trace, debug, info, warning or error")
        ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error"}))
        ->type_name("LEVEL");
    app.add_option_function<std::string>(
           "--log-format", [&options](const std::string& word) { options.log_format = formats.at(word); }, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->type_name("FORMAT");
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.set_version_flag("--version", fmt::format("{} {}", app.get_name(), version), "Print the version and exit");
}

std::optional<int> parse_options(CLI::App& app, int argc, const char* const* argv, CommonOptions& options)
{
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) { // CLI11 says by exceptions that a run ends here, help and version included
        return app.exit(e) == 0 ? 0 : 2;
    }
    if (options.config.empty())
        options.config = config_from_environment();
    return std::nullopt;
}

} // namespace jarvis::daemon
