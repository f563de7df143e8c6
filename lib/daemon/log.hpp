// The daemon's log: one line per event, as text or as JSON, to a file or to stderr.
//
//     log().info("listening on {}", path);
//     log().warn({{"job", id}, {"node", name}}, "start failed: {}", error.message);
//
// Whatever is in a message or a field, a line stays a line: control characters and invalid UTF-8 are escaped here
// (base/escape.hpp), so callers need not care where a string came from. Any thread may log.
#pragma once

#include "base/result.hpp"

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

namespace jarvis::daemon {

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error };
std::string_view name(LogLevel level);
Result<LogLevel> parse_log_level(std::string_view text);

enum class LogFormat : std::uint8_t { text, json };
Result<LogFormat> parse_log_format(std::string_view text);

struct LogOptions {
    std::string program;   // "jctld"
    std::string file;      // empty: stderr
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
};

// What a line is about: a key of [a-z0-9_] and any value that fmt can print.
struct LogField {
    std::string_view key;
    std::string value;
    bool number = false; // JSON writes it without quotes

    template <class T>
    LogField(std::string_view field_key, const T& field_value)
        : key(field_key), value(fmt::format("{}", field_value)), number(std::is_integral_v<T> && !std::is_same_v<T, bool>)
    {
    }
};
using LogFields = std::initializer_list<LogField>;

class Log {
    std::atomic<LogLevel> level_ = LogLevel::info;

    friend Result<void> open_log(const LogOptions&);

public:
    bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
    void write(LogLevel level, LogFields fields, std::string_view message);

    template <class... Args>
    void line(LogLevel level, LogFields fields, fmt::format_string<Args...> format, Args&&... args)
    {
        if (enabled(level))
            write(level, fields, fmt::format(format, std::forward<Args>(args)...));
    }

    template <class... Args>
    void debug(fmt::format_string<Args...> f, Args&&... args) { line(LogLevel::debug, {}, f, std::forward<Args>(args)...); }
    template <class... Args>
    void info(fmt::format_string<Args...> f, Args&&... args) { line(LogLevel::info, {}, f, std::forward<Args>(args)...); }
    template <class... Args>
    void warn(fmt::format_string<Args...> f, Args&&... args) { line(LogLevel::warning, {}, f, std::forward<Args>(args)...); }
    template <class... Args>
    void error(fmt::format_string<Args...> f, Args&&... args) { line(LogLevel::error, {}, f, std::forward<Args>(args)...); }

    template <class... Args>
    void debug(LogFields fields, fmt::format_string<Args...> f, Args&&... args)
    {
        line(LogLevel::debug, fields, f, std::forward<Args>(args)...);
    }
    template <class... Args>
    void info(LogFields fields, fmt::format_string<Args...> f, Args&&... args)
    {
        line(LogLevel::info, fields, f, std::forward<Args>(args)...);
    }
    template <class... Args>
    void warn(LogFields fields, fmt::format_string<Args...> f, Args&&... args)
    {
        line(LogLevel::warning, fields, f, std::forward<Args>(args)...);
    }
    template <class... Args>
    void error(LogFields fields, fmt::format_string<Args...> f, Args&&... args)
    {
        line(LogLevel::error, fields, f, std::forward<Args>(args)...);
    }
};

// The process's log. Before open_log it writes text at level info to stderr.
Log& log();
// Opens the log, or changes it whole or not at all (a new level at a reload).
Result<void> open_log(const LogOptions& options);
// Opens the file anew, after it was moved away (SIGHUP). When that fails the old file is kept, and told so.
void reopen_log();

} // namespace jarvis::daemon
