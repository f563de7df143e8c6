// A batch script: where it comes from, and what can be wrong with it before anybody is asked.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace jarvis::client {

// No message takes a larger one (the cluster's own limit is lower: script_size in its configuration, 4 MiB if it says
// nothing, and is checked there).
constexpr std::size_t max_script_bytes = std::size_t{15} << 20;

// The whole file; "-" is standard input. Stops reading beyond max_script_bytes.
Result<std::string> read_script(const std::string& path);

// What --wrap makes of a command.
std::string wrap_command(std::string_view command);

// Refuses an empty script, one without "#!" on its first line, CRLF line ends, NUL bytes. `name` stands in the message.
Result<void> check_script(std::string_view script, std::string_view name);

} // namespace jarvis::client
