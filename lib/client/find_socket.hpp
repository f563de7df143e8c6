// Where the controller can be asked, found without reading more of the configuration than that.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::client {

// JARVIS_SOCKET; else, as the file says that JARVIS_CONF names, or /etc/jarvis/jarvis.toml, the controller's socket if it is
// there, or this node's (jnoded passes on what it is asked), or, with neither there, the controller's. Mistakes elsewhere in
// the file are no business of a command.
Result<std::string> find_socket();

// Where this machine's node daemon is to be asked about steps, from outside a job: steps.sock in its run-time folder, by the same file.
// It may not be there.
Result<std::string> find_step_socket();

// Of a configuration file's text; absent: the file does not set it.
struct Sockets {
    std::optional<std::string> controller; // controller.socket
    std::optional<std::string> node;       // jnoded.socket

    std::string controller_path() const;
    std::string node_path() const; // empty: this node has none
};
// What a line scan can tell for sure. Nothing: let a TOML parser look.
std::optional<Sockets> scan_sockets(std::string_view text);
// The same by the TOML parser.
Result<Sockets> parse_sockets(std::string_view text, std::string_view file);

// Where steps.sock may be: in jnoded.run_dir, or where a daemon makes that folder itself.
struct Surroundings {
    std::string host_name;
    std::string runtime_folder; // XDG_RUNTIME_DIR; empty: none
    std::uint32_t uid = 0;
};
Result<std::vector<std::string>> step_sockets(std::string_view text, std::string_view file, const Surroundings& here);

} // namespace jarvis::client
