// Where the controller listens, found without reading more of the configuration than that.
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace jarvis::client {

// JARVIS_SOCKET, else controller.socket of the file that JARVIS_CONF names, else of /etc/jarvis/jarvis.toml, else the
// default. Mistakes elsewhere in the file are no business of a command.
Result<std::string> controller_socket();

// controller.socket of a file's text: what a line scan can tell for sure. Nothing: let a TOML parser look.
struct ScannedSocket {
    std::optional<std::string> socket; // absent: the file does not set it
};
std::optional<ScannedSocket> scan_socket(std::string_view text);
// The same by the TOML parser.
Result<std::optional<std::string>> parse_socket(std::string_view text, std::string_view file);

} // namespace jarvis::client
