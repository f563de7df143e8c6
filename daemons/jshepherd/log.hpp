// The launcher's log: few lines, written by a program that must stay small, so it is not the daemons' log of lib/daemon.
// Lines look the same.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace jarvis::shepherd {

// To a file instead of stderr; `json` for one object a line.
Result<void> open_log(const std::string& file, bool json);
// After the file was moved away (SIGHUP). When that fails the old one is kept.
void reopen_log();

void write_log(std::string_view level, std::string_view message);

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args)
{
    write_log("info", fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args)
{
    write_log("warning", fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args)
{
    write_log("error", fmt::format(format, std::forward<Args>(args)...));
}

} // namespace jarvis::shepherd
